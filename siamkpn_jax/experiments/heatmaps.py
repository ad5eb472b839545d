"""The heatmaps of the stages beside the search crop (the paper's figure 4)."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import save_figure


@dataclasses.dataclass(frozen=True)
class FigureRow:
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


def save_heatmap_figure(path: Path, rows: Sequence[FigureRow]) -> None:
  """One row per frame: the crop, then the heatmap of each stage over it.

  The target is marked by a plus, distractors by crosses. Each heatmap is
  scaled to its own maximum, which is written above it.

  Args:
    path: the picture, .png.
    rows: at least one, all with the same number of stages.
  """
  stages = len(rows[0].heatmaps)
  figure = Figure(figsize=(2.2 * (stages + 1), 2.35 * len(rows)), dpi=120,
                  layout='constrained')
  grid = figure.subplots(len(rows), stages + 1, squeeze=False)
  for (left, *right), row in zip(grid, rows, strict=True):
    _draw_crop(left, row)
    left.set_title(row.title, fontsize=9)
    for s, axes in enumerate(right):
      _draw_crop(axes, row)
      _draw_heatmap(axes, row.heatmaps[s], len(row.search_crop) // 2)
      axes.set_title(f'stage {s + 1}, max {row.heatmaps[s].max():.2f}',
                     fontsize=9)
  save_figure(figure, path)


def _draw_crop(axes, row: FigureRow) -> None:
  axes.imshow(row.search_crop[..., ::-1])
  axes.plot(*row.target, '+', color='white', markersize=9)
  if len(row.distractors):
    axes.plot(*row.distractors.T, 'x', color='white', markersize=7)
  end = len(row.search_crop) - 0.5
  axes.set(xlim=(-0.5, end), ylim=(end, -0.5), xticks=[], yticks=[])


def _draw_heatmap(axes, heatmap: np.ndarray, center: int) -> None:
  half = geometry.STRIDE * len(heatmap) / 2
  extent = (center - half, center + half, center + half, center - half)
  axes.imshow(heatmap, cmap='inferno', alpha=0.7, extent=extent, vmin=0,
              vmax=heatmap.max(), interpolation='bilinear')
