r"""Searches the tracker's hyperparameters on annotated sequences.

  python -m siamkpn_jax.tune --benchmark got10k --data GOT10k/val \
    --weights RUN --output runs/tuned

Writes to --output: result.json, hyperparameters.png, trials.jsonl, and the
checkpoint `tuned` that tracks with the best. Started again, it goes on where it
was. See docs/tuning.md.
"""

import argparse
from pathlib import Path

from siamkpn_jax.cli.parser import Parser, names, real, whole


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--benchmark', required=True,
      help='Layout and protocol, as for siamkpn_jax.score.')
  parser.add_argument(
      '--data', required=True, help='Folder with the sequences.')
  parser.add_argument(
      '--weights', action='append', required=True,
      help="Checkpoint, a run's workdir, a .safetensors file or the name of a "
      'packaged model; may be repeated.')
  parser.add_argument(
      '--last', type=whole(1), default=1,
      help='Newest checkpoints of each workdir.')
  parser.add_argument(
      '--output', required=True, help='Folder for the results.')
  parser.add_argument(
      '--protocol', help="The rule; default: the benchmark's own.")
  parser.add_argument(
      '--sequences', type=names, default=(),
      help='Search only on these (names or patterns).')
  parser.add_argument(
      '--zero_based', type=names, default=(),
      help='Sequences whose annotation counts pixels from 0, where the layout '
      'counts from 1 (names or patterns).')
  parser.add_argument(
      '--strategy', choices=('grid', 'optuna'), default='grid',
      help="The paper's, or Optuna's TPE.")
  parser.add_argument(
      '--step', type=real(), default=0.1,
      help='Of the first level of the grid.')
  parser.add_argument(
      '--budget', type=whole(0), default=0,
      help='Trials: drawn at random of each level, or of Optuna; 0: the whole '
      'grid, or 200.')
  parser.add_argument(
      '--seed', type=whole(), default=0, help='Of drawing and of the order.')
  parser.add_argument(
      '--prune_z', type=real(0), default=3.0,
      help='Standard errors behind the best at which a trial is pruned; 0: '
      'none is.')
  parser.add_argument(
      '--batch', type=whole(1), default=64,
      help='Trials run at once, at most.')


def run(args: argparse.Namespace) -> None:
  """Searches; see the flags."""
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.core.cpu_devices import one_device_per_core
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.evaluation.scoring import SCORERS
  from siamkpn_jax.tuning import report, search
  from siamkpn_jax.tuning import run as tuning
  from siamkpn_jax.tuning.sweep import Sweep

  benchmark, data, weights = args.benchmark, args.data, args.weights
  if benchmark not in SCORERS:
    raise UserError(f'--benchmark {benchmark}: expected one of '
                    f'{", ".join(sorted(SCORERS))}')
  if not (data and weights and all(weights) and args.output):
    raise UserError('--data, --weights and --output must not be empty')
  output = Path(args.output)
  plan = search.Plan(args.strategy, args.step, args.budget, args.seed,
                     args.batch)
  request = tuning.Request(
      benchmark, Path(data), tuple(map(Path, weights)), output,
      args.protocol, args.sequences, args.zero_based,
      args.last, args.prune_z, plan)
  one_device_per_core()
  result = tuning.run(request, lambda checkpoint, found: Sweep(
      checkpoint, found.videos, found.vot_protocol))
  print(report.table(result))
  print(report.conclusion(result, output / tuning.TUNED))
