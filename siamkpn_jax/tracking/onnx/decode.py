"""The choice of the box without JAX: as `tracking.decode`, candidates alone.

These are a few numbers, so it is plain Python: right after a network has run,
the code and data of NumPy's functions are not in the caches, and fifty calls
take twice as long as this (docs/performance.md).
"""

import functools
import math

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.tracking.choice import DecodeConfig

# Beyond them the other engine, which computes in float32, has 0 or infinity.
_LEAST, _LARGEST = (float(limit) for limit in (
    np.finfo(np.float32).tiny, np.finfo(np.float32).max))


def decode(heatmap: np.ndarray, offsets: np.ndarray, sizes: np.ndarray,
           last: np.ndarray, scale: float, config: DecodeConfig
           ) -> tuple[list[float], list[float], float]:
  """Chooses the best candidate of one search crop.

  Args:
    heatmap: [n] logits of the cells, row by row.
    offsets: [2, n] x, y.
    sizes: [2, n] width, height, crop pixels.
    last: [2] the target's last width and height, frame pixels.
    scale: crop pixels per frame pixel.
    config: settings.

  Returns:
    Shift of the center x, y and new width, height, frame pixels, and the score.
  """
  positions, window = _places(heatmap.size)
  cells = _candidates(heatmap, config)
  width, height = last.tolist()
  usual = geometry.context_side(width * scale, height * scale), width / height
  influence = config.window_influence
  rated = []
  for logit, near, *predicted in zip(
      heatmap[cells].tolist(), window[cells].tolist(),
      *sizes[:, cells].tolist(), strict=True):
    # The logistic function; exact near 0, too, where a lost target's are.
    score = math.exp(min(logit, 0.0)) / (1 + math.exp(-abs(logit)))
    penalty = _penalty(predicted[0], predicted[1], *usual, config.penalty_k)
    rated.append((score * penalty * (1 - influence) + near * influence,
                  penalty, score, predicted))
  best = max(range(len(rated)), key=lambda n: rated[n][0])
  _, penalty, score, predicted = rated[best]
  rate = penalty * score * config.size_lr
  size = [(1 - rate) * old + rate * new / scale for old, new in zip(
      (width, height), predicted, strict=True)]
  if not all(map(_fits, size)):
    size = [width, height]
  cell = int(cells[best])
  row, column = divmod(cell, len(positions))
  shift = [(place + config.offset_unit * offset) / scale
           for place, offset in zip((positions[column], positions[row]),
                                    offsets[:, cell].tolist(), strict=True)]
  return shift, size, score


def _candidates(heatmap: np.ndarray, config: DecodeConfig) -> np.ndarray:
  """[n] logits -> the cells that may be chosen, in the order of the map."""
  cells = (heatmap > _logit(config.threshold)).nonzero()[0]
  count = min(max(len(cells), config.topk_min), config.topk_max)
  if count == len(cells):
    return cells
  return np.sort(np.argpartition(-heatmap, count - 1)[:count])


@functools.cache
def _logit(score: float) -> np.float32:
  with np.errstate(divide='ignore'):
    return np.float32(np.log(score) - np.log1p(-score))


def _penalty(width: float, height: float, side: float, aspect: float,
             k: float) -> float:
  """Of a predicted size, against the last one's context side and aspect."""
  try:
    extent = geometry.context_side(width, height)
    # The root of a negative area is complex.
    if isinstance(extent, complex) or not _LEAST <= extent**2 <= _LARGEST:
      return 0.0
    extent, change = extent / side, width / height / aspect
    penalty = math.exp(
        -k * (max(extent, 1 / extent) * max(change, 1 / change) - 1))
  except ArithmeticError:  # sizes may be anything
    return 0.0
  return penalty if _fits(penalty) else 0.0


def _fits(value: float) -> bool:
  """Whether it is finite in float32; NaN is not."""
  return abs(value) <= _LARGEST


@functools.cache
def _places(cells: int) -> tuple[list[float], np.ndarray]:
  """Of n cells: those of a row from the crop's center, pixels; window [n]."""
  side = math.isqrt(cells)
  hanning = np.hanning(side)
  return (geometry.cell_shifts(side).astype(float).tolist(),
          np.outer(hanning, hanning).reshape(-1).astype(np.float32))
