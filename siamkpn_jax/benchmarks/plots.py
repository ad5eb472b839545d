"""Success and precision plots as the field draws them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from siamkpn_jax.benchmarks import ope
from siamkpn_jax.outputs import save_figure

# Okabe and Ito's palette: told apart by colour-blind readers as well.
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9',
            '#000000')
_DASHES = ('-', '--', '-.', ':')


def save_success_plot(path: str | Path, curves: Mapping[str, np.ndarray],
                      title: str = 'Success') -> None:
  """Draws success curves, best AUC first in the legend.

  Args:
    path: the image file; its suffix gives the format (.png, .pdf, .svg).
    curves: label -> [21] success curve.
    title: what stands above the plot.

  Raises:
    UserError: the file cannot be written.
    ValueError: there is no curve.
  """
  scores = {label: ope.success_auc(curve) for label, curve in curves.items()}
  figure, axes = _new_plot(title, 'overlap threshold', 'success rate')
  _draw(axes, ope.OVERLAP_THRESHOLDS, curves, scores, 'AUC')
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
  figure, axes = _new_plot(title, 'distance threshold [pixels]', 'precision')
  axes.axvline(20, color='0.6', linewidth=0.8, linestyle=(0, (4, 4)), zorder=1)
  _draw(axes, ope.DISTANCE_THRESHOLDS, curves, scores, 'at 20 px')
  axes.set_xlim(0, 50)
  axes.set_xticks(range(0, 51, 10))
  save_figure(figure, Path(path))


def _new_plot(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
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


def _draw(axes: Axes, thresholds: np.ndarray, curves: Mapping[str, np.ndarray],
          scores: Mapping[str, float], score_name: str) -> None:
  if not curves:
    raise ValueError('no curves to draw')
  best_first = sorted(curves, key=lambda label: -scores[label])
  for i, label in enumerate(best_first):
    axes.plot(
        thresholds, curves[label], label=f'{label} [{scores[label]:.3f}]',
        color=_COLOURS[i % len(_COLOURS)],
        linestyle=_DASHES[i // len(_COLOURS) % len(_DASHES)],
        linewidth=2, zorder=3 + len(curves) - i)  # the best lies on top
  axes.legend(title=f'tracker [{score_name}]', loc='best', frameon=True,
              framealpha=0.9, edgecolor='0.9', fontsize=9, title_fontsize=9,
              alignment='left')
