"""Evaluates a tracker on a benchmark.

  python -m siamkpn_jax.evaluate --data OTB100 --weights CHECKPOINT --output DIR

Writes to DIR: <sequence>.txt (boxes), summary.json, success.png, precision.png.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from siamkpn_jax import cli
from siamkpn_jax.benchmarks import plots, runner
from siamkpn_jax.benchmarks.sequences import load_otb, skipped_folders
from siamkpn_jax.errors import UserError

_BENCHMARK = flags.DEFINE_enum(
    'benchmark', 'otb', ['otb'], 'Benchmark whose protocol is followed.')
_DATA = flags.DEFINE_string(
    'data', None, 'Folder with the sequences: <name>/img/*.jpg and '
    '<name>/groundtruth_rect.txt; or one of these sequences.')
_WEIGHTS = flags.DEFINE_string('weights', None, 'Checkpoint of the tracker.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder for the results.')
_SEQUENCES = flags.DEFINE_list(
    'sequences', [], 'Evaluate only these (comma-separated names).')
_ZERO_BASED = flags.DEFINE_list(
    'zero_based', [], 'Sequences whose annotation counts pixels from 0 '
    '(comma-separated names or patterns like "uav_*"); the others count from '
    '1, as OTB does.')


def main(argv: Sequence[str]) -> None:
  """Evaluates; see the flags."""
  del argv
  data, weights = _DATA.value, _WEIGHTS.value
  if not (data and weights and _OUTPUT.value):
    raise UserError('--data, --weights and --output must not be empty')
  output = Path(_OUTPUT.value)
  sequences = load_otb(data, names=_SEQUENCES.value,
                       zero_based=_ZERO_BASED.value)
  skipped = skipped_folders(data)
  if skipped:
    print(f'left out (no groundtruth_rect.txt or hidden): {", ".join(skipped)}')
  # Late: mistakes in the data show before the slow imports of the model.
  from siamkpn_jax.tracking.tracker import load_tracker
  summary = runner.run_ope(
      load_tracker(weights), sequences, output,
      details={'benchmark': _BENCHMARK.value, 'weights': weights})
  _plot(summary, label=Path(weights).name, output=output)
  print(_table(summary))
  print(f'results: {output}/ (*.txt, summary.json, success.png, precision.png)')


def _plot(summary: dict[str, Any], *, label: str, output: Path) -> None:
  where = f'{_BENCHMARK.value.upper()}, {summary["num_sequences"]} sequences'
  plots.save_success_plot(output / 'success.png',
                          {label: summary['success_curve']},
                          f'Success ({where})')
  plots.save_precision_plot(output / 'precision.png',
                            {label: summary['precision_curve']},
                            f'Precision ({where})')


def _table(summary: dict[str, Any]) -> str:
  rows = [*summary['sequences'].items(),
          ('mean', {**summary, 'frames': summary['num_frames']})]
  width = max(len(name) for name, _ in rows)
  lines = [f'{"sequence":{max(width, 8)}}  frames    AUC  prec@20   frames/s']
  for name, row in rows:
    speed = row['frames_per_second']
    lines.append(
        f'{name:{max(width, 8)}}  {row["frames"]:6d}  {row["success_auc"]:.3f}'
        f'  {row["precision_20"]:7.3f}  ' + (
            '        -' if speed is None else f'{speed:9.1f}'))
  return '\n'.join(lines)


if __name__ == '__main__':
  flags.mark_flags_as_required(['data', 'weights', 'output'])
  cli.run(main)
