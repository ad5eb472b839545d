r"""Searches for the best tracking hyperparameters on annotated sequences.

  python -m siamkpn_jax.tune --benchmark got10k --data GOT10k/val \
    --weights RUN --output runs/tuned

Writes to --output: result.json, hyperparameters.png, trials.jsonl, and `tuned`,
a checkpoint with the best hyperparameters. The same command resumes an
interrupted search. See docs/tuning.md.
"""

import argparse
from pathlib import Path

from siamkpn_jax.cli import extras
from siamkpn_jax.cli.parser import Parser, given, names, real, whole
from siamkpn_jax.cli.paths import existing_folder, output_folder
from siamkpn_jax.core.file_lock import folder_lock


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--benchmark', required=True,
      help='Benchmark whose data layout and protocol to use, as in '
      'siamkpn_jax.score.')
  parser.add_argument(
      '--data', required=True,
      help='Benchmark folder with annotations and images.')
  parser.add_argument(
      '--weights', action='append', required=True,
      help='Checkpoint, workdir of a run, .safetensors file or name of a '
      'packaged model. Repeat the flag to compare several.')
  parser.add_argument(
      '--last', type=whole(1),
      help='Number of newest checkpoints to try from each workdir; default: '
      '1.')
  parser.add_argument(
      '--output', required=True, help='Folder for the results.')
  parser.add_argument(
      '--protocol', help="Scoring protocol; default: the benchmark's own.")
  parser.add_argument(
      '--sequences', type=names, default=(),
      help='Use only these sequences (comma-separated names or patterns).')
  parser.add_argument(
      '--zero_based', type=names, default=(),
      help='Sequences whose annotations are 0-based in a 1-based layout '
      '(comma-separated names or patterns).')
  parser.add_argument(
      '--strategy', choices=('grid', 'optuna'),
      help="The paper's grid search, or Optuna's TPE sampler; default: grid.")
  parser.add_argument(
      '--step', type=real(),
      help='Step of the first level of the grid; default: 0.1.')
  parser.add_argument(
      '--budget', type=whole(0),
      help='Number of trials, drawn at random per grid level or run by Optuna; '
      '0: the whole grid, or 200 for Optuna; default: 0.')
  parser.add_argument(
      '--seed', type=whole(),
      help='Random seed of the trials and the order of sequences; default: '
      '0.')
  parser.add_argument(
      '--prune_z', type=real(0),
      help='Prune a trial this many standard errors behind the best; 0: never '
      'prune; default: 3.')
  parser.add_argument(
      '--batch', type=whole(1),
      help='Most trials to run at once; default: 64.')


def run(args: argparse.Namespace) -> None:
  """Searches; see the flags."""
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.evaluation.scoring import SCORERS

  benchmark, data, weights = args.benchmark, args.data, args.weights
  if benchmark not in SCORERS:
    raise UserError(f'--benchmark {benchmark}: expected one of '
                    f'{", ".join(sorted(SCORERS))}')
  if not (data and weights and all(weights) and args.output):
    raise UserError('--data, --weights or --output: empty; expected a path for '
                    'each')
  existing_folder(data, '--data', 'a benchmark (docs/evaluation.md)')
  output = output_folder(args.output, '--output')
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.checkpoints.weights import find_checkpoint
  for path in weights:
    find_checkpoint(Path(path))
  extras.require('tune')
  from siamkpn_jax.core.cpu_devices import one_device_per_core
  from siamkpn_jax.tuning import report, search
  from siamkpn_jax.tuning import run as tuning
  from siamkpn_jax.tuning.sweep import Sweep

  plan = search.SearchPlan(
      **given(args, 'strategy', 'step', 'budget', 'seed', 'batch'))
  request = tuning.TuningRequest(
      benchmark, Path(data), tuple(map(Path, weights)), output,
      args.protocol, args.sequences, args.zero_based, plan=plan,
      **given(args, 'last', 'prune_z'))
  one_device_per_core()
  with folder_lock(output, '--output'):
    result = tuning.run(request, lambda checkpoint, found: Sweep(
        checkpoint, found.videos, found.vot_protocol))
  print(report.table(result))
  print(report.conclusion(result, output / tuning.TUNED))
