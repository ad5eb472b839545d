"""The heatmaps of the stages beside the search crop (the paper's figure 4)."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import save_figure


@dataclasses.dataclass(frozen=True)
class Sight:
  """What the tracker saw in one frame.

  Attributes:
    title: shown at the left.
    search_crop: [side, side, 3] uint8 BGR.
    heatmaps: [s, cells, cells] of every stage, 0..1.
    target: [2] x, y of the true center, crop pixels.
    distractors: [n, 2] x, y of the distractors, crop pixels.
  """

  title: str
  search_crop: np.ndarray
  heatmaps: np.ndarray
  target: np.ndarray
  distractors: np.ndarray


def save_heatmap_figure(path: Path, sights: Sequence[Sight]) -> None:
  """One row per sight: the crop, then the heatmap of each stage over it.

  The target is marked by a plus, distractors by crosses. Each heatmap is
  scaled to its own maximum, which is written above it.

  Args:
    path: the picture, .png.
    sights: at least one, all with the same number of stages.
  """
  stages = len(sights[0].heatmaps)
  figure = Figure(figsize=(2.2 * (stages + 1), 2.35 * len(sights)), dpi=120,
                  layout='constrained')
  FigureCanvasAgg(figure)  # no pyplot: no display, no global state
  grid = figure.subplots(len(sights), stages + 1, squeeze=False)
  for row, sight in zip(grid, sights, strict=True):
    _draw_crop(row[0], sight)
    row[0].set_title(sight.title, fontsize=9)
    for s, axes in enumerate(row[1:]):
      _draw_crop(axes, sight)
      _draw_heatmap(axes, sight.heatmaps[s], len(sight.search_crop) // 2)
      axes.set_title(f'stage {s + 1}, max {sight.heatmaps[s].max():.2f}',
                     fontsize=9)
  save_figure(figure, path)


def _draw_crop(axes, sight: Sight) -> None:
  axes.imshow(sight.search_crop[..., ::-1])
  axes.plot(*sight.target, '+', color='white', markersize=9)
  if len(sight.distractors):
    axes.plot(*sight.distractors.T, 'x', color='white', markersize=7)
  end = len(sight.search_crop) - 0.5
  axes.set(xlim=(-0.5, end), ylim=(end, -0.5), xticks=[], yticks=[])


def _draw_heatmap(axes, heatmap: np.ndarray, center: int) -> None:
  half = geometry.STRIDE * len(heatmap) / 2
  extent = (center - half, center + half, center + half, center - half)
  axes.imshow(heatmap, cmap='inferno', alpha=0.7, extent=extent, vmin=0,
              vmax=heatmap.max(), interpolation='bilinear')
