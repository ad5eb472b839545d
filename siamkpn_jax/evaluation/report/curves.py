"""Success and precision plots as the field draws them, and their style."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from siamkpn_jax.core.atomic_io import save_figure
from siamkpn_jax.evaluation.metrics import ope

# Okabe and Ito's palette: told apart by color-blind readers as well.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9',
           '#000000')
_DASHES = ('-', '--', '-.', ':')
_LONGEST = 40  # characters of a label


def save_success_plot(path: str | Path, curves: Mapping[str, np.ndarray],
                      title: str = 'Success') -> None:
  """Draws success curves, best AUC first in the legend.

  Args:
    path: the image file; its suffix gives the format (.png, .pdf, .svg).
    curves: label -> [n] success curve over equal steps from 0 to 1.
    title: what stands above the plot.

  Raises:
    UserError: the file cannot be written.
    ValueError: there is no curve.
  """
  scores = {label: ope.success_auc(curve) for label, curve in curves.items()}
  figure, axes = new_plot(title, 'overlap threshold', 'success rate')
  _draw(axes, 1, curves, scores, 'AUC')
  axes.set_xlim(0, 1)
  axes.set_xticks(np.linspace(0, 1, 6))
  save_figure(figure, Path(path))


def save_precision_plot(path: str | Path, curves: Mapping[str, np.ndarray],
                        title: str = 'Precision') -> None:
  """Draws precision curves, best precision at 20 pixels first in the legend.

  Args:
    path: the image file; its suffix gives the format (.png, .pdf, .svg).
    curves: label -> [51] precision curve.
    title: what stands above the plot.

  Raises:
    UserError: the file cannot be written.
    ValueError: there is no curve.
  """
  scores = {label: ope.precision_20(curve) for label, curve in curves.items()}
  figure, axes = new_plot(title, 'distance threshold [pixels]', 'precision')
  axes.axvline(20, color='0.6', linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
  _draw(axes, 50, curves, scores, 'at 20 px')
  axes.set_xlim(0, 50)
  axes.set_xticks(range(0, 51, 10))
  save_figure(figure, Path(path))


def save_norm_precision_plot(path: str | Path, curves: Mapping[str, np.ndarray],
                             title: str = 'Normalized precision') -> None:
  """Draws normalized precision curves, the best at 0.2 first in the legend.

  Args:
    path: the image file; its suffix gives the format (.png, .pdf, .svg).
    curves: label -> [51] normalized precision curve.
    title: what stands above the plot.

  Raises:
    UserError: the file cannot be written.
    ValueError: there is no curve.
  """
  scores = {label: float(curve[20]) for label, curve in curves.items()}
  figure, axes = new_plot(title, 'distance threshold [sides of the box]',
                          'normalized precision')
  axes.axvline(0.2, color='0.6', linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
  _draw(axes, 0.5, curves, scores, 'at 0.2')
  axes.set_xlim(0, 0.5)
  save_figure(figure, Path(path))


def plain(label: str) -> str:
  """A label that matplotlib shows as it is: no formulas, nothing hidden."""
  if len(label) > _LONGEST:
    label = label[:_LONGEST - 1] + '…'
  return ('\u2009' if label.startswith('_') else '') + label.replace('$', r'\$')


def style(k: int) -> dict[str, Any]:
  """Color and dashes of the k-th tracker."""
  return {'color': COLORS[k % len(COLORS)],
          'linestyle': _DASHES[k // len(COLORS) % len(_DASHES)]}


def new_plot(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
  """Empty axes of the common style, y from 0 to 1."""
  figure = Figure(figsize=(6, 4.5), dpi=150, layout='constrained')
  FigureCanvasAgg(figure)  # no pyplot: no display, no global state
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


def _draw(axes: Axes, largest: float, curves: Mapping[str, np.ndarray],
          scores: Mapping[str, float], score_name: str) -> None:
  """Curves over equal steps from 0 to the largest threshold."""
  if not curves:
    raise ValueError('no curves to draw')
  labels = list(curves)
  best_first = sorted(labels, key=lambda label: -scores[label])
  for place, label in enumerate(best_first):
    axes.plot(
        np.linspace(0, largest, len(curves[label])), curves[label],
        label=f'{plain(label)} [{scores[label]:.3f}]',
        **style(labels.index(label)),  # the same in every plot
        linewidth=2, zorder=3 + len(curves) - place)  # the best lies on top
  axes.legend(title=f'tracker [{score_name}]', loc='best', frameon=True,
              framealpha=0.9, edgecolor='0.9', fontsize=9, title_fontsize=9,
              alignment='left')
