r"""Evaluates a tracker on a benchmark.

  python -m siamkpn_jax.evaluate --benchmark otb --data OTB100 \
    --weights CHECKPOINT --output DIR

Uses the packaged model unless --weights is given. Writes to DIR: a result file
and a timing file per sequence, settings.json, summary.json and
report/report.html. The same command resumes an interrupted evaluation. Exit
status 1: some sequences could not be tracked, the others are scored.
"""

import argparse
import contextlib
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamkpn_jax.checkpoints.packaged import DEFAULT, SUFFIX
from siamkpn_jax.cli import extras
from siamkpn_jax.cli.parser import Parser, Switch, names, whole
from siamkpn_jax.cli.paths import existing_weights, output_folder
from siamkpn_jax.cli.tracker_flags import (
    add_tracking_argument,
    add_weights_argument,
)
from siamkpn_jax.config.overrides import parse_tracking
from siamkpn_jax.core.announce import announced
from siamkpn_jax.core.errors import UserError, few
from siamkpn_jax.core.file_lock import folder_lock
from siamkpn_jax.tracking.engines import (
    PRECISIONS,
    choose_engine,
    engine_of_evaluation,
    precision_note,
)

if TYPE_CHECKING:
  from siamkpn_jax.evaluation.run import evaluation


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  from siamkpn_jax.evaluation.run.evaluation import BENCHMARKS

  parser.add_argument(
      '--benchmark', choices=BENCHMARKS, default='otb',
      help='Benchmark whose data layout and protocol to use.')
  parser.add_argument(
      '--data', required=True,
      help='Benchmark folder with annotations and images '
      '(docs/evaluation.md).')
  add_weights_argument(parser)
  parser.add_argument(
      '--output', required=True, help='Folder for the results.')
  parser.add_argument(
      '--protocol',
      help="Scoring protocol; default: the benchmark's own.")
  parser.add_argument(
      '--sequences', type=names, default=(),
      help='Evaluate only these sequences (comma-separated names or '
      'patterns).')
  parser.add_argument(
      '--zero_based', type=names, default=(),
      help='Sequences in OTB layout whose annotations are 0-based '
      '(comma-separated names or patterns, such as "uav_*"); all others are '
      '1-based, as in OTB.')
  add_tracking_argument(parser)
  parser.add_argument(
      '--long_term', action=Switch, default=False,
      help='Let the tracker lose its target and search for it '
      '(docs/tracking.md).')
  parser.add_argument(
      '--batch', type=whole(1),
      help='Most sequences to track at once; default: chosen for the devices. '
      'Use 1 to measure single-video speed.')
  parser.add_argument(
      '--engine', choices=('jax', 'onnxruntime'),
      help='What runs the network (docs/evaluation.md); default: jax, for int8 '
      'onnxruntime.')
  parser.add_argument(
      '--precision', choices=PRECISIONS, default=PRECISIONS[0],
      help='int8: faster in ONNX Runtime, with other boxes '
      '(docs/tracking.md).')
  parser.add_argument(
      '--shard', default='0/1',
      help='k/n: run part k (0-based) of n on one of several machines that '
      'share --output. The last to finish computes the scores.')
  parser.add_argument(
      '--quiet', action=Switch, default=False, help='Show no progress.')


def run(args: argparse.Namespace) -> int:
  """Evaluates; see the flags. Returns the exit status."""
  from siamkpn_jax.datasets.formats import has_otb_layout
  from siamkpn_jax.datasets.formats.otb import skipped_folders
  from siamkpn_jax.evaluation.report.score_table import score_table
  from siamkpn_jax.evaluation.run import evaluation

  data, weights = args.data, args.weights
  if not (data and weights != '' and args.output):
    raise UserError('--data, --weights or --output: empty; expected a path for '
                    'each: omit --weights for the packaged model')
  plan = evaluation.make_plan(evaluation.EvaluationRequest(
      args.benchmark, Path(data), output_folder(args.output, '--output'),
      args.protocol, args.sequences, args.zero_based, _shard(args.shard)))
  existing_weights(weights)
  choose_engine(args.engine or engine_of_evaluation(args.precision),
                precision=args.precision, flags=True)
  if not plan.hidden:  # for the report, hours later
    extras.require('evaluate', 'matplotlib')
  k, n = plan.request.shard
  with folder_lock(plan.request.output, '--output',
                   f'{k}_of_{n}' if n > 1 else ''):
    summary = _run(plan, args)
    # Before anything is printed: `| head` may end the command there.
    report = None if summary is None or plan.hidden else _write_report(
        plan.request, summary, args.argv)
  if summary is None:
    print(f'{plan.request.output}: this shard is finished, others are not')
    return _failures(plan)
  skipped = skipped_folders(data) if has_otb_layout(args.benchmark) else []
  if skipped:
    print('skipped folders (hidden or without groundtruth_rect.txt): '
          f'{", ".join(skipped)}')
  if report is not None:
    print(score_table(summary))
  for line in _remarks(summary):
    print(line)
  print(f'results: {plan.request.output}/')
  if report is not None:
    print(f'report: {report}')
  return _failures(plan)


def _run(plan: 'evaluation.EvaluationPlan',
         args: argparse.Namespace) -> dict[str, Any] | None:
  # Late: mistakes in the data show before the slow imports of the model.
  from siamkpn_jax.core.cpu_devices import one_device_per_core
  from siamkpn_jax.core.provenance import git_revision, hardware
  from siamkpn_jax.evaluation.run import evaluation
  from siamkpn_jax.evaluation.run.load import load_for_sequences

  hyperparameters = parse_tracking(args.tracking)
  if args.batch != 1:
    one_device_per_core()
  with (contextlib.nullcontext() if args.quiet or args.precision != 'int8' else
        announced('quantizing the network')):
    tracker, details = load_for_sequences(
        args.weights, [len(job.task.frames) for job in plan.left()],
        batch=args.batch, hyperparameters=hyperparameters, engine=args.engine,
        precision=args.precision, long_term=args.long_term)
  note = precision_note(args.precision)
  if note:
    print(f'note: {note}', file=sys.stderr)
  try:
    return evaluation.run(
        plan, tracker, details, progress=not args.quiet,
        remarks={'checkpoint': args.weights or DEFAULT, 'hardware': hardware(),
                 'batch': tracker.slots, 'git_revision': git_revision()})
  except KeyboardInterrupt as error:
    raise KeyboardInterrupt(
        f'interrupted: {len(plan.mine()) - len(plan.left())} of '
        f'{len(plan.mine())} sequences finished; run the same command to '
        'resume') from error


def _write_report(request: 'evaluation.EvaluationRequest',
                  summary: dict[str, Any], argv: list[str]) -> Path:
  from siamkpn_jax.evaluation.report.write import write_report

  weights = f'{summary["checkpoint"]} (checksum {summary["weights"]})'
  name = (Path(summary['checkpoint']).resolve().name.removesuffix(SUFFIX)
          or 'tracker')
  command = shlex.join(['python', '-m', 'siamkpn_jax.evaluate', *argv])
  return write_report(
      {name: summary | {'weights': weights}},
      request.output / 'report', sequences=request.data, commands=[command])


def _failures(plan: 'evaluation.EvaluationPlan') -> int:
  """Names sequences that failed, last of all; the exit status."""
  failed = plan.failed()
  if not failed:
    return 0
  sys.stdout.flush()
  total = len(plan.jobs) + len(plan.unusable)
  for name, why in failed.items():
    print(f'failed: {name}: {why}', file=sys.stderr)
  print(f'error: {len(failed)} of {total} sequences failed: {few(failed)}; the '
        'others are scored: correct these and run the same command again',
        file=sys.stderr)
  return 1


def _shard(text: str) -> tuple[int, int]:
  match = re.fullmatch('([0-9]+)/([0-9]+)', text)
  if not match or int(match[1]) >= int(match[2]):
    raise UserError(f'--shard {text}: expected k/n with 0 <= k < n, such as '
                    '0/4')
  return int(match[1]), int(match[2])


def _remarks(summary: dict[str, Any]) -> list[str]:
  lines = [f'note: {note}' for note in summary.get('notes', ())]
  if 'rule' in summary:
    lines.append(f'{summary["benchmark"]}, {summary["num_sequences"]} sequences'
                 f', protocol {summary["protocol"]}: {summary["rule"]}')
  speeds = [f'{summary[key]:.1f} frames/s {what}' for key, what in (
      ('frames_per_second_network', 'network only'),
      ('frames_per_second', 'tracking'),
      ('frames_per_second_end_to_end', 'end to end')) if summary[key]]
  if speeds:
    lines.append(f'{", ".join(speeds)}; batch of {summary["batch"]} on '
                 f'{summary["hardware"]}')
  if 'submission' in summary:
    lines.append(f'submission file: {summary["submission"]}')
  return lines
