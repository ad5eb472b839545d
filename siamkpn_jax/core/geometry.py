"""The fixed geometry of SiamKPN's crops and maps (SPEC 1).

Cell (i, j) of an output map sits at crop pixel (y, x) =
(CROP_CENTER + STRIDE * (i - MAP_CENTER), CROP_CENTER + STRIDE * (j - ...)).
Training has search crops of 255 pixels. Tracking may have others, at the same
scale: their maps have fewer cells or more, around the same central one.
"""

import numpy as np

TEMPLATE_SIZE = 127  # pixels, template crop
SEARCH_SIZE = 255  # pixels, search crop
CONTEXT_SIZE = 511  # pixels, stored training crop, at the scale of the template
STRIDE = 8
MAP_SIZE = 31  # cells
MAP_CENTER = MAP_SIZE // 2  # cell
CROP_CENTER = SEARCH_SIZE // 2  # pixel
# Those for which every backbone's maps have a cell in the middle of the crop.
SEARCH_SIZES = range(TEMPLATE_SIZE, CONTEXT_SIZE + 1, 2 * STRIDE)


def cell_positions() -> np.ndarray:
  """Crop pixel of each row (or column) of the output map, [31]."""
  return CROP_CENTER + cell_shifts(MAP_SIZE)


def map_size(search_size: int) -> int:
  """Cells along a side of the map of a search crop."""
  return search_size // STRIDE


def cell_shifts(cells: int) -> np.ndarray:
  """Crop pixels from the crop's center to each row of a map, [cells]."""
  return STRIDE * (np.arange(cells) - cells // 2)


def context_side(w, h):
  """Side s_z of the context square of a w x h target, in the target's pixels.

  s_z = sqrt((w + p) (h + p)) with p = (w + h) / 2; this square is resized to
  the 127-pixel template. Works on floats, numpy and jax arrays.
  """
  p = (w + h) / 2
  return ((w + p) * (h + p))**0.5


def offset_unit(offset_target: str) -> float:
  """Search-crop pixels that an offset of 1 stands for."""
  return {'released': 64.0, 'paper': float(STRIDE)}[offset_target]
