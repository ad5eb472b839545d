"""A picture of a search: the value over each pair of settings."""

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from siamkpn_jax.core.atomic_io import save_figure
from siamkpn_jax.tuning.engine import Setting

_NAMES = [field.name for field in dataclasses.fields(Setting)]
_PAIRS = list(itertools.combinations(range(len(_NAMES)), 2))


def save_plot(path: Path, values: Mapping[Setting, float], best: Setting,
              baseline: Setting, reach: float, label: str) -> None:
  """Draws a panel for each pair of settings: everywhere, and around the best.

  A point is the best of all settings that have these two values; a ring marks
  the best setting, a cross the base line.

  Args:
    path: the picture.
    values: of settings of one checkpoint, the best among them.
    best: the best setting.
    baseline: the checkpoint's own.
    reach: how far around the best the second row goes.
    label: what the values are.

  Raises:
    UserError: it cannot be written.
  """
  figure = Figure(figsize=(12, 7.5), dpi=120, layout='constrained')
  FigureCanvasAgg(figure)  # no pyplot: no display, no global state
  middle = dataclasses.astuple(best)
  near = {setting: value for setting, value in values.items()
          if all(abs(a - b) < reach for a, b in zip(
              dataclasses.astuple(setting), middle, strict=True))}
  # The scale of the first row is that of the others, which are far more apart.
  far = {s: v for s, v in values.items() if s not in near} or values
  panels = figure.subplots(2, len(_PAIRS))
  _draw_row(figure, panels[0], values, _middle(far), label)
  _draw_row(figure, panels[1], near, _middle(near), label)
  for axes, (i, j) in zip(panels.flat, 2 * _PAIRS, strict=True):
    # The base line may be outside the second row, and then stays there.
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    own = dataclasses.astuple(baseline)
    axes.scatter(own[i], own[j], marker='x', s=130, linewidths=2, c='#D55E00')
    axes.scatter(middle[i], middle[j], marker='o', s=130, linewidths=2,
                 facecolors='none', edgecolors='#D55E00')
    axes.set_xlabel(_NAMES[i])
    axes.set_ylabel(_NAMES[j])
    axes.spines[['top', 'right']].set_visible(False)
  figure.suptitle('ring: best, cross: base line; below: around the best',
                  fontsize=10)
  save_figure(figure, path)


def _middle(values: Mapping[Setting, float]) -> float:
  """The median of all cells: worse ones get one color, better ones many."""
  return float(np.median([
      v for pair in _PAIRS for v in _best_of_cells(values, *pair).values()]))


def _draw_row(figure: Figure, row: np.ndarray, values: Mapping[Setting, float],
              low: float, label: str) -> None:
  """Colored squares in three panels, with a common scale."""
  for axes, pair in zip(row, _PAIRS, strict=True):
    cells = _best_of_cells(values, *pair)
    x, y = np.array(list(cells)).T
    drawn = _squares(axes, x, y, np.array(list(cells.values())), low)
  figure.colorbar(drawn, ax=row, label=label, extend='min')


def _best_of_cells(values: Mapping[Setting, float], i: int, j: int
                   ) -> dict[tuple[float, float], float]:
  """Two of the numbers -> the best value of all settings that have them."""
  cells: dict[tuple[float, float], float] = {}
  for setting, value in values.items():
    numbers = dataclasses.astuple(setting)
    cell = numbers[i], numbers[j]
    cells[cell] = max(value, cells.get(cell, value))
  return cells


def _squares(axes: Axes, x: np.ndarray, y: np.ndarray, colors: np.ndarray,
             low: float) -> PathCollection:
  order = np.argsort(colors)  # the best last, on top
  return axes.scatter(x[order], y[order], c=colors[order], s=70, marker='s',
                      cmap='viridis', vmin=low)
