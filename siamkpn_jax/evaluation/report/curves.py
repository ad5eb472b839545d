"""Success and precision plots as the field draws them, and their style."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siamkpn_jax.core.atomic_io import save_figure
from siamkpn_jax.evaluation.metrics import ope

# Okabe and Ito's palette: told apart by color-blind readers as well.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9',
           '#000000')
_DASHES = ('-', '--', '-.', ':')
_LONGEST = 40  # characters of a label


class Plot(NamedTuple):
  """A plot of curves over equal steps of a threshold from 0.

  Attributes:
    title: what it shows.
    x_label: what the threshold is.
    y_label: what the curves are.
    largest: threshold.
    score: number of a curve by which trackers are ranked.
    score_name: its name in the legend.
    marked: threshold that the score is taken at; None: it is a mean.
  """
  title: str
  x_label: str
  y_label: str
  largest: float
  score: Callable[[np.ndarray], float]
  score_name: str
  marked: float | None = None


# By name; score files hold "<name>_curve".
PLOTS = {
    'success': Plot('Success', 'overlap threshold', 'success rate', 1,
                    ope.success_auc, 'AUC'),
    'precision': Plot('Precision', 'distance threshold [pixels]', 'precision',
                      50, ope.precision_20, 'at 20 px', 20),
    'norm_precision': Plot(
        'Normalized precision', 'distance threshold [sides of the box]',
        'normalized precision', 0.5, lambda curve: float(curve[20]), 'at 0.2',
        0.2),
}


def save_plot(path: Path, name: str, curves: Mapping[str, np.ndarray],
              title: str) -> None:
  """Draws a plot of `PLOTS`, the best curve first in the legend.

  Args:
    path: the image file; its suffix gives the format (.png, .pdf, .svg).
    name: a key of `PLOTS`.
    curves: label -> [n] curve; n is 51 but for success.
    title: what stands above the plot.

  Raises:
    UserError: the file cannot be written.
    ValueError: there is no curve.
  """
  if not curves:
    raise ValueError('no curves to draw')
  plot = PLOTS[name]
  figure, axes = new_plot(title, plot.x_label, plot.y_label)
  if plot.marked:
    axes.axvline(plot.marked, color='0.6', linewidth=0.8,
                 linestyle=(0, (4, 4)), zorder=1)
  scores = {label: plot.score(curve) for label, curve in curves.items()}
  labels = list(curves)
  best_first = sorted(labels, key=lambda label: -scores[label])
  for place, label in enumerate(best_first):
    axes.plot(
        np.linspace(0, plot.largest, len(curves[label])), curves[label],
        label=f'{plain(label)} [{scores[label]:.3f}]',
        **style(labels.index(label)),  # the same in every plot
        linewidth=2, zorder=3 + len(curves) - place)  # the best lies on top
  axes.legend(title=f'tracker [{plot.score_name}]', loc='best', frameon=True,
              framealpha=0.9, edgecolor='0.9', fontsize=9, title_fontsize=9,
              alignment='left')
  axes.set_xlim(0, plot.largest)
  axes.set_xticks(np.linspace(0, plot.largest, 6))
  save_figure(figure, path)


def plain(label: str) -> str:
  """A label that matplotlib shows as it is: no formulas, nothing hidden."""
  if len(label) > _LONGEST:
    label = label[:_LONGEST - 1] + '…'
  return ('\u2009' if label.startswith('_') else '') + label.replace('$', r'\$')


def style(k: int) -> dict[str, Any]:
  """Color and dashes of the k-th tracker."""
  return {'color': COLORS[k % len(COLORS)],
          'linestyle': _DASHES[k // len(COLORS) % len(_DASHES)]}


def new_plot(title: str, x_label: str, y_label: str, *,
             height: float = 4.5) -> tuple[Figure, Axes]:
  """Empty axes of the common style, y from 0 to 1; 6 by `height` inches."""
  # Not by pyplot: it needs a display, and keeps figures.
  figure = Figure(figsize=(6, height), dpi=150, layout='constrained')
  axes = figure.add_subplot()
  axes.set_title(title, fontsize=12)
  axes.set_xlabel(x_label)
  axes.set_ylabel(y_label)
  axes.set_ylim(0, 1.005)
  axes.set_yticks(np.linspace(0, 1, 6))
  axes.grid(color='0.9', linewidth=0.8)
  axes.set_axisbelow(True)
  axes.spines[['top', 'right']].set_visible(False)
  return figure, axes
