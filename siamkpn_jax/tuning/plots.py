"""A picture of a search: the score over each pair of hyperparameters."""

import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from siamkpn_jax.core.atomic_io import save_figure
from siamkpn_jax.tuning.trial_log import NAMES
from siamkpn_jax.tuning.trial_runner import TrialParams

_PAIRS = list(itertools.combinations(range(len(NAMES)), 2))


def save_plot(path: Path, scores: Mapping[TrialParams, float],
              best: TrialParams, baseline: TrialParams, reach: float,
              label: str) -> None:
  """Draws a panel for each pair: everywhere, and around the best.

  A point is the best of all trials that have these two values; a ring marks
  the best, a cross the base line.

  Args:
    path: the picture.
    scores: of the trials of one checkpoint, the best among them.
    best: the best.
    baseline: the checkpoint's own.
    reach: how far around the best the second row goes.
    label: what the scores are.

  Raises:
    UserError: it cannot be written.
  """
  figure = Figure(figsize=(12, 7.5), dpi=120, layout='constrained')
  points = np.array([dataclasses.astuple(point) for point in scores])
  values = np.array(list(scores.values()))
  middle, own = dataclasses.astuple(best), dataclasses.astuple(baseline)
  near = (np.abs(points - middle) < reach).all(axis=1)
  every = np.ones(len(points), bool)
  # The scale of the first row is that of the others, which are far more apart.
  rows = [(every, every if near.all() else ~near), (near, near)]
  for row, (shown, scale) in zip(figure.subplots(2, len(_PAIRS)), rows,
                                 strict=True):
    # Below the median all have one color, above it there are many.
    low = float(np.median(np.concatenate(
        [_cells(points[scale][:, pair], values[scale])[1]
         for pair in _PAIRS])))
    for axes, (i, j) in zip(row, _PAIRS, strict=True):
      cells, colors = _cells(points[shown][:, [i, j]], values[shown])
      drawn = axes.scatter(cells[:, 0], cells[:, 1], c=colors, s=70, marker='s',
                           cmap='viridis', vmin=low)
      # The base line may be outside the second row, and then stays there.
      axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim(),
               xlabel=NAMES[i], ylabel=NAMES[j])
      axes.scatter(own[i], own[j], marker='x', s=130, lw=2, c='#D55E00')
      axes.scatter(middle[i], middle[j], marker='o', s=130, lw=2,
                   facecolors='none', edgecolors='#D55E00')
      axes.spines[['top', 'right']].set_visible(False)
    figure.colorbar(drawn, ax=row, label=label, extend='min')
  figure.suptitle('ring: best, cross: baseline; bottom: around the best',
                  fontsize=10)
  save_figure(figure, path)


def _cells(xy: np.ndarray, values: np.ndarray
           ) -> tuple[np.ndarray, np.ndarray]:
  """Different rows of [n, 2], the best value last, and the best of each."""
  cells, place = np.unique(xy, axis=0, return_inverse=True)
  best = np.full(len(cells), -np.inf)
  np.maximum.at(best, place, values)
  order = np.argsort(best)
  return cells[order], best[order]
