"""The course of a training run as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from siamkpn_jax.core.atomic_io import save_figure
from siamkpn_jax.core.errors import UserError

_PANELS = ('loss', 'heatmap', 'offsets', 'size')
SMOOTHING = 9  # logged values


def save_loss_curves(path: Path, rows: Sequence[dict[str, float]]) -> None:
  """Draws the total loss and its three parts, the parts per stage.

  Args:
    path: the picture, .png or .svg.
    rows: of a metrics.jsonl, see `metrics.read_log`.

  Raises:
    UserError: there are no rows, or the picture cannot be written.
  """
  if not rows:
    raise UserError(f'{path}: nothing to plot; expected a metrics.jsonl with '
                    'at least one line next to the checkpoints')
  figure = Figure(figsize=(12, 3), dpi=120, layout='constrained')
  for axes, panel in zip(
      figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
    stages = sorted({
        name for row in rows for name in row
        if name.startswith('stage') and name.endswith(panel)})
    for name in stages or [panel]:
      found = [row for row in rows if name in row]
      steps = [row['step'] for row in found]
      values = np.asarray([row[name] for row in found])
      label = name.split('/')[0] if stages else None
      means = running_mean(values, SMOOTHING, np.arange(len(values)))
      lines = axes.plot(steps, means, label=label)
      axes.plot(steps, values, color=lines[0].get_color(), alpha=0.2)
    if stages:
      axes.legend(fontsize=8)
    axes.set_title(panel)
    axes.set_xlabel('step')
    axes.set_ylim(bottom=0)
    axes.grid(color='0.9')
  save_figure(figure, path)


def running_mean(values: np.ndarray, window: int,
                 at: np.ndarray) -> np.ndarray:
  """Means over the last values up to an index, fewer at the start.

  Args:
    values: [n]; those that are not finite are passed over.
    window: number of values in a mean.
    at: [m] indices.

  Returns:
    [m], NaN where the value itself is not finite.
  """
  means = np.full(len(at), np.nan)
  for k, i in enumerate(at):
    last = values[max(0, i + 1 - window):i + 1]
    if np.isfinite(values[i]):
      means[k] = last[np.isfinite(last)].mean()
  return means
