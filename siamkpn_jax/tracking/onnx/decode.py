"""The choice of the box in NumPy: as `tracking.decode`, candidates alone."""

import functools
import math

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.tracking.choice import DecodeConfig


def decode(heatmap: np.ndarray, offsets: np.ndarray, sizes: np.ndarray,
           last: np.ndarray, scale: np.float32, config: DecodeConfig
           ) -> tuple[np.ndarray, np.ndarray, float]:
  """Chooses the best candidate of one search crop.

  Args:
    heatmap: [1, n] logits of the cells, row by row.
    offsets: [2, n] x, y.
    sizes: [2, n] width, height, crop pixels.
    last: [2] the target's last width and height, frame pixels.
    scale: crop pixels per frame pixel.
    config: settings.

  Returns:
    Shift of the center [2] and new size [2], frame pixels, and the score.
  """
  shifts, window = _places(heatmap.size)
  with np.errstate(all='ignore'):  # sizes may be anything
    score = 1 / (1 + np.exp(-heatmap[0]))
    cells = _candidates(score, config)
    score, predicted = score[cells], sizes[:, cells]
    penalty = _penalty(predicted, last * scale, config.penalty_k)
    final = (score * penalty * (1 - config.window_influence) +
             window[cells] * config.window_influence)
    best = int(np.argmax(final))
    rate = penalty[best] * score[best] * config.size_lr
    size = (1 - rate) * last + rate * predicted[:, best] / scale
    shift = shifts[:, cells[best]] + (
        config.offset_unit * offsets[:, cells[best]])
  if not np.isfinite(size).all():
    size = last
  return shift / scale, size, float(score[best])


def _candidates(score: np.ndarray, config: DecodeConfig) -> np.ndarray:
  """[n] -> the cells that may be chosen, in the order of the map."""
  cells = np.flatnonzero(score > config.threshold)
  count = min(max(len(cells), config.topk_min), config.topk_max)
  if count == len(cells):
    return cells
  return np.sort(np.argpartition(-score, count - 1)[:count])


def _penalty(predicted: np.ndarray, last: np.ndarray, k: float) -> np.ndarray:
  """[2, n] sizes against the last [2], crop pixels -> [n]."""
  extent = (geometry.context_side(*predicted) / geometry.context_side(*last))
  aspect = (predicted[0] / predicted[1]) / (last[0] / last[1])
  change = np.maximum(extent, 1 / extent) * np.maximum(aspect, 1 / aspect)
  penalty = np.exp(-k * (change - 1))
  return np.where(np.isfinite(penalty), penalty, np.float32(0))


@functools.cache
def _places(cells: int) -> tuple[np.ndarray, np.ndarray]:
  """Of n cells: x, y from the crop's center [2, n], crop pixels; window [n]."""
  side = math.isqrt(cells)
  position, hanning = geometry.cell_shifts(side), np.hanning(side)
  shifts = np.stack(np.meshgrid(position, position)).reshape(2, -1)
  return (shifts.astype(np.float32),
          np.outer(hanning, hanning).reshape(-1).astype(np.float32))
