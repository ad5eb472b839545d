"""The labels of one search crop, cell by cell in plain Python (SPEC 5)."""

import math

import numpy as np

RADIUS = 31 / 8  # cells


def half_to_even(value):
  """The nearest integer; of two, the even one."""
  low = math.floor(value)
  rest = value - low
  if rest == 0.5:
    return low if low % 2 == 0 else low + 1
  return low if rest < 0.5 else low + 1


def labels(cxcywh, negative, num_stages, *, shrink='cascade', radius=RADIUS,
           offset_target='released'):
  """Heatmaps [s, 31, 31], offsets, size [31, 31, 2], two masks [31, 31]."""
  cx, cy, w, h = (float(v) for v in cxcywh)
  heatmaps = np.zeros((num_stages, 31, 31))
  offsets, size = np.zeros((31, 31, 2)), np.zeros((31, 31, 2))
  offsets_mask, size_mask = np.zeros((31, 31), bool), np.zeros((31, 31), bool)
  if negative:
    return heatmaps, offsets, size, offsets_mask, size_mask
  center_x, center_y = 15 + (cx - 127) / 8, 15 + (cy - 127) / 8
  for i in range(31):
    for j in range(31):
      d = math.hypot(j - center_x, i - center_y)
      is_center = (i, j) == (half_to_even(center_y), half_to_even(center_x))
      for s in range(num_stages):
        power = s if shrink == 'cascade' else num_stages - 1
        variance = (0.9**power * 31 / 16)**2
        if is_center:
          heatmaps[s, i, j] = 1
        elif radius is None or d < radius:
          heatmaps[s, i, j] = math.exp(-d**2 / (2 * variance))
      if d < RADIUS:
        size[i, j] = w, h
        size_mask[i, j] = True
      x, y = 127 + 8 * (j - 15), 127 + 8 * (i - 15)  # the cell's pixel
      if offset_target == 'released' and d < RADIUS:
        offsets[i, j] = (cx - x) / 64, (cy - y) / 64
        offsets_mask[i, j] = True
      if offset_target == 'paper' and is_center:
        offsets[i, j] = center_x - j, center_y - i
        offsets_mask[i, j] = True
  return heatmaps, offsets, size, offsets_mask, size_mask
