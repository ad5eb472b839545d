"""Evaluates a tracker on a benchmark.

  python -m siamkpn_jax.evaluate --benchmark otb --data OTB100 \
    --weights CHECKPOINT --output DIR

Without --weights it is the packaged model. Writes to DIR: a result file and a
file of times for each sequence, settings, summary.json, report/report.html. An
evaluation that was interrupted goes on where it was.
"""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from siamkpn_jax import cli
from siamkpn_jax.checkpoints.packaged import DEFAULT, SUFFIX, find_weights
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats.otb import skipped_folders
from siamkpn_jax.evaluation.report.score_table import score_table
from siamkpn_jax.evaluation.run import evaluation

_BENCHMARK = flags.DEFINE_enum(
    'benchmark', 'otb', evaluation.BENCHMARKS, 'Whose layout and protocol.')
_DATA = flags.DEFINE_string(
    'data', None, "The benchmark's folder, annotations and images "
    '(docs/evaluation.md).')
_WEIGHTS = flags.DEFINE_string(
    'weights', None, 'Checkpoint or .safetensors file of the tracker, or the '
    f'name of a packaged model; default: {DEFAULT}.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder for the results.')
_PROTOCOL = flags.DEFINE_string(
    'protocol', None, "The rule of the scores; default: the benchmark's own.")
_SEQUENCES = flags.DEFINE_list(
    'sequences', [], 'Evaluate only these (comma-separated names or patterns).')
_ZERO_BASED = flags.DEFINE_list(
    'zero_based', [], 'Sequences in OTB layout whose annotation counts pixels '
    'from 0 (comma-separated names or patterns like "uav_*"); the others count '
    'from 1, as OTB does.')
_TRACKING = flags.DEFINE_string(
    'tracking', '', "Other settings than the checkpoint's: penalty_k=0.1,... "
    '(docs/tracking.md).')
_BATCH = flags.DEFINE_integer(
    'batch', None, 'Sequences at once, at most; default: what suits the '
    'devices. 1 measures the speed on one video.', lower_bound=1)
_SHARD = flags.DEFINE_string(
    'shard', '0/1', 'k/n: run the k-th of n parts, k from 0, on one of several '
    'machines that share --output. The last to end scores.')


def main(argv: Sequence[str]) -> None:
  """Evaluates; see the flags."""
  del argv
  data, weights = _DATA.value, _WEIGHTS.value
  if not (data and weights != '' and _OUTPUT.value):
    raise UserError('--data, --weights and --output must not be empty')
  find_weights(weights)  # says at once that they are missing
  plan = evaluation.make_plan(evaluation.Request(
      _BENCHMARK.value, Path(data), Path(_OUTPUT.value), _PROTOCOL.value,
      tuple(_SEQUENCES.value), tuple(_ZERO_BASED.value), _shard(_SHARD.value)))
  skipped = skipped_folders(data) if _BENCHMARK.value == 'otb' else []
  if skipped:
    print(f'left out (no groundtruth_rect.txt or hidden): {", ".join(skipped)}')
  summary = _run(plan, weights)
  if summary is None:
    print(f'{plan.request.output}: this part is finished, others are not')
    return
  if not plan.hidden:
    print(score_table(summary))
  for line in _remarks(summary):
    print(line)
  print(f'results: {plan.request.output}/')
  if not plan.hidden:
    print(f'report: {_write_report(plan.request, summary)}')


def _run(plan: evaluation.Plan, weights: str | None) -> dict[str, Any] | None:
  # Late: mistakes in the data show before the slow imports of the model.
  from siamkpn_jax.core.cpu_devices import one_device_per_core
  from siamkpn_jax.core.provenance import git_revision, hardware
  from siamkpn_jax.evaluation.run.load import load_batch_tracker

  if _BATCH.value != 1:
    one_device_per_core()
  tracker, details = load_batch_tracker(
      weights, [len(job.task.frames) for job in plan.left()],
      batch=_BATCH.value, settings=_TRACKING.value)
  try:
    return evaluation.run(
        plan, tracker, details,
        remarks={'checkpoint': weights or DEFAULT, 'hardware': hardware(),
                 'batch': tracker.slots, 'git_revision': git_revision()})
  except KeyboardInterrupt:
    print(f'\ninterrupted: {len(plan.mine()) - len(plan.left())} of '
          f'{len(plan.mine())} sequences are finished; the same command goes '
          'on', file=sys.stderr)
    raise


def _write_report(request: evaluation.Request, summary: dict[str, Any]) -> Path:
  from siamkpn_jax.evaluation.report.write import write_report

  weights = f'{summary["checkpoint"]} (checksum {summary["weights"]})'
  name = (Path(summary['checkpoint']).resolve().name.removesuffix(SUFFIX)
          or 'tracker')
  command = shlex.join(
      ['python', '-m', 'siamkpn_jax.evaluate', *sys.argv[1:]])
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


if __name__ == '__main__':
  flags.mark_flags_as_required(['data', 'output'])
  cli.run(main)
