r"""Evaluates a tracker on a benchmark.

  python -m siamkpn_jax.evaluate --benchmark otb --data OTB100 \
    --weights CHECKPOINT --output DIR

Without --weights it is the packaged model. Writes to DIR: a result file and a
file of times for each sequence, settings, summary.json, report/report.html. An
evaluation that was interrupted goes on where it was.
"""

import argparse
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamkpn_jax.checkpoints.packaged import DEFAULT, SUFFIX, find_weights
from siamkpn_jax.cli.parser import Parser, names, whole
from siamkpn_jax.core.errors import UserError

if TYPE_CHECKING:
  from siamkpn_jax.evaluation.run import evaluation


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  from siamkpn_jax.evaluation.run.evaluation import BENCHMARKS

  parser.add_argument(
      '--benchmark', choices=BENCHMARKS, default='otb',
      help='Whose layout and protocol.')
  parser.add_argument(
      '--data', required=True,
      help="The benchmark's folder, annotations and images "
      '(docs/evaluation.md).')
  parser.add_argument(
      '--weights',
      help='Checkpoint or .safetensors file of the tracker, or the name of a '
      f'packaged model; default: {DEFAULT}.')
  parser.add_argument(
      '--output', required=True, help='Folder for the results.')
  parser.add_argument(
      '--protocol',
      help="The rule of the scores; default: the benchmark's own.")
  parser.add_argument(
      '--sequences', type=names, default=(),
      help='Evaluate only these (comma-separated names or patterns).')
  parser.add_argument(
      '--zero_based', type=names, default=(),
      help='Sequences in OTB layout whose annotation counts pixels from 0 '
      '(comma-separated names or patterns like "uav_*"); the others count '
      'from 1, as OTB does.')
  parser.add_argument(
      '--tracking', default='',
      help="Other settings than the checkpoint's: penalty_k=0.1,... "
      '(docs/tracking.md).')
  parser.add_argument(
      '--batch', type=whole(1),
      help='Sequences at once, at most; default: what suits the devices. 1 '
      'measures the speed on one video.')
  parser.add_argument(
      '--shard', default='0/1',
      help='k/n: run the k-th of n parts, k from 0, on one of several '
      'machines that share --output. The last to end scores.')


def run(args: argparse.Namespace) -> None:
  """Evaluates; see the flags."""
  from siamkpn_jax.datasets.formats.otb import skipped_folders
  from siamkpn_jax.evaluation.report.score_table import score_table
  from siamkpn_jax.evaluation.run import evaluation

  data, weights = args.data, args.weights
  if not (data and weights != '' and args.output):
    raise UserError('--data, --weights and --output must not be empty')
  find_weights(weights)  # says at once that they are missing
  plan = evaluation.make_plan(evaluation.Request(
      args.benchmark, Path(data), Path(args.output), args.protocol,
      args.sequences, args.zero_based, _shard(args.shard)))
  skipped = skipped_folders(data) if args.benchmark == 'otb' else []
  if skipped:
    print(f'left out (no groundtruth_rect.txt or hidden): {", ".join(skipped)}')
  summary = _run(plan, args)
  if summary is None:
    print(f'{plan.request.output}: this part is finished, others are not')
    return
  if not plan.hidden:
    print(score_table(summary))
  for line in _remarks(summary):
    print(line)
  print(f'results: {plan.request.output}/')
  if not plan.hidden:
    print(f'report: {_write_report(plan.request, summary, args.argv)}')


def _run(plan: 'evaluation.Plan',
         args: argparse.Namespace) -> dict[str, Any] | None:
  # Late: mistakes in the data show before the slow imports of the model.
  from siamkpn_jax.core.cpu_devices import one_device_per_core
  from siamkpn_jax.core.provenance import git_revision, hardware
  from siamkpn_jax.evaluation.run import evaluation
  from siamkpn_jax.evaluation.run.load import load_batch_tracker

  if args.batch != 1:
    one_device_per_core()
  tracker, details = load_batch_tracker(
      args.weights, [len(job.task.frames) for job in plan.left()],
      batch=args.batch, settings=args.tracking)
  try:
    return evaluation.run(
        plan, tracker, details,
        remarks={'checkpoint': args.weights or DEFAULT, 'hardware': hardware(),
                 'batch': tracker.slots, 'git_revision': git_revision()})
  except KeyboardInterrupt:
    print(f'\ninterrupted: {len(plan.mine()) - len(plan.left())} of '
          f'{len(plan.mine())} sequences are finished; the same command goes '
          'on', file=sys.stderr)
    raise


def _write_report(request: 'evaluation.Request', summary: dict[str, Any],
                  argv: list[str]) -> Path:
  from siamkpn_jax.evaluation.report.write import write_report

  weights = f'{summary["checkpoint"]} (checksum {summary["weights"]})'
  name = (Path(summary['checkpoint']).resolve().name.removesuffix(SUFFIX)
          or 'tracker')
  command = shlex.join(['python', '-m', 'siamkpn_jax.evaluate', *argv])
  return write_report(
      {name: summary | {'weights': weights}},
      request.output / 'report', sequences=request.data, commands=[command])


def _shard(text: str) -> tuple[int, int]:
  match = re.fullmatch(r'(\d+)/(\d+)', text)
  if not match or int(match[1]) >= int(match[2]):
    raise UserError(f'--shard {text}: expected k/n with k from 0 to n - 1, '
                    'such as 0/4')
  return int(match[1]), int(match[2])


def _remarks(summary: dict[str, Any]) -> list[str]:
  lines = [f'note: {note}' for note in summary.get('notes', ())]
  if 'rule' in summary:
    lines.append(f'{summary["benchmark"]}, {summary["num_sequences"]} sequences'
                 f', protocol {summary["protocol"]}: {summary["rule"]}')
  speeds = [f'{summary[key]:.1f} frames/s {what}' for key, what in (
      ('frames_per_second_network', 'of the network'),
      ('frames_per_second', 'tracking'),
      ('frames_per_second_end_to_end', 'end to end')) if summary[key]]
  if speeds:
    lines.append(f'{", ".join(speeds)}; {summary["batch"]} at once on '
                 f'{summary["hardware"]}')
  if 'submission' in summary:
    lines.append(f'for the server: {summary["submission"]}')
  return lines
