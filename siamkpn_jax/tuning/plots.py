"""A picture of a search: the value over each pair of settings."""

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from siamkpn_jax.outputs import save_figure
from siamkpn_jax.tuning.engine import Setting

_NAMES = [field.name for field in dataclasses.fields(Setting)]


def save_plot(path: Path, values: Mapping[Setting, float], best: Setting,
              baseline: Setting, label: str) -> None:
  """Draws three panels, one for each pair.

  A point is the best of all settings that have these two values; a ring marks
  the best setting, a cross the base line.

  Args:
    path: the picture.
    values: at least one, of one checkpoint.
    best: the best setting.
    baseline: the checkpoint's own.
    label: what the values are.

  Raises:
    UserError: it cannot be written.
  """
  figure = Figure(figsize=(12, 3.9), dpi=120, layout='constrained')
  FigureCanvasAgg(figure)  # no pyplot: no display, no global state
  # The best come last, on top.
  points = sorted(values, key=lambda setting: values[setting])
  numbers = np.array([dataclasses.astuple(p) for p in points])
  colours = np.array([values[p] for p in points])
  # Most of a grid is bad: the colours tell the better half apart.
  low, high = float(np.median(colours)), float(colours.max())
  panels = figure.subplots(1, 3)
  for axes, (i, j) in zip(panels, itertools.combinations(range(3), 2),
                          strict=True):
    drawn = axes.scatter(numbers[:, i], numbers[:, j], c=colours, s=42,
                         marker='s', cmap='viridis', vmin=low, vmax=high)
    for setting, marker in ((baseline, 'x'), (best, 'o')):
      x, y = (dataclasses.astuple(setting)[k] for k in (i, j))
      axes.scatter([x], [y], marker=marker, s=130, linewidths=2,
                   c=('#D55E00' if marker == 'x' else 'none'),
                   **({} if marker == 'x' else {'edgecolors': '#D55E00'}))
    axes.set_xlabel(_NAMES[i])
    axes.set_ylabel(_NAMES[j])
    axes.set_xlim(-0.05, 1.0)
    axes.set_ylim(-0.05, 1.0)
    axes.spines[['top', 'right']].set_visible(False)
  figure.colorbar(drawn, ax=panels, label=label, extend='min')
  figure.suptitle('ring: best, cross: base line', fontsize=10)
  save_figure(figure, path)
