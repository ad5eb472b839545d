"""Overlap of rectangles and polygons, exactly as the VOT toolkits count it.

Both toolkits draw the two regions as pixels and divide the number of pixels in
both by the number in either. They draw differently:

`pysot` (its region library is TraX's): a rectangle is the polygon of its
  corners x, y, x + w, y + h, so it covers w + 1 pixels. A window is made of
  the outward rounded bounding boxes, cut to the image; corners are rounded
  half away from zero, relative to the window. In every row the sides are
  crossed with the row's center line, the crossings truncated to integers, and
  the pixels between the first and second, third and fourth, both ends included,
  are set. A row in which the polygon is one point stays empty (TraX has since
  been changed to draw it). Regions whose bounding boxes share no area (a common
  border is none) have overlap 0.
`vot-toolkit` (0.7.4): x, y, w, h and corners are rounded half to even, a
  rectangle covers w pixels, from x to x + w - 1. Polygons are drawn as above,
  but a row in which the polygon is one point, or its horizontal side, is drawn
  as well. Only pixels of the image count. Two regions that lie together in one
  row or one column have overlap 1, one-pixel windows in the image 0.

Coordinates are single precision in both. Nothing is drawn here: for each row
the interval of pixels is computed, for all frames at once.

Sources: pysot toolkit/utils/src/region.c and region.pyx; TraX src/region.c;
vot-toolkit vot/region/raster.py.
"""

from collections.abc import Iterator

import numpy as np

from siamkpn_jax.evaluation.formats.regions import Regions, corners

_ROWS = 1 << 14  # pixel rows handled at once, which fit a processor's cache


def pysot(a: Regions, b: Regions, right: int, bottom: int, *,
          points: bool = False) -> np.ndarray:
  """[t], [t] regions -> [t] overlap by pysot's rule, NaN at markers.

  Args:
    a: regions of t frames.
    b: those to compare with.
    right: pixels with x > right do not count. pysot gives the width of the
      image here for accuracy, and the width - 1 for EAO.
    bottom: the same for y.
    points: draw horizontal sides and single points too, as TraX 4 does.
  """
  overlaps = np.full(len(a), np.nan)
  both = a.present & b.present
  at = corners(a[both], inclusive=False).astype(np.float32)
  bt = corners(b[both], inclusive=False).astype(np.float32)
  limit = np.array([right, bottom], np.float32)
  (low_a, high_a), (low_b, high_b) = (
      (np.maximum(np.floor(c.min(axis=1)), 0),
       np.minimum(np.ceil(c.max(axis=1)), limit)) for c in (at, bt))
  origin = np.minimum(low_a, low_b)
  size = (np.maximum(high_a, high_b) - origin).astype(np.int64) + 1
  drawn = _boxes_meet(low_a, high_a, low_b, high_b) & (size > 0).all(axis=1)
  at, bt = (_round_away(c - origin[:, None])[drawn] for c in (at, bt))
  found = np.zeros(len(drawn))
  inter, union = _count(at, bt, size[drawn], points=points)
  with np.errstate(invalid='ignore'):  # nothing was drawn: NaN, as there
    found[drawn] = inter.astype(np.float32) / union.astype(np.float32)
  overlaps[both] = found
  return overlaps


def vot_toolkit(a: Regions, b: Regions, width: int, height: int) -> np.ndarray:
  """[t], [t] regions -> [t] overlap by vot-toolkit's rule, NaN at markers.

  Width and height are those of the image, in pixels.
  """
  overlaps = np.full(len(a), np.nan)
  both = a.present & b.present
  a, b = _rounded(a[both]), _rounded(b[both])
  at, bt = corners(a, inclusive=True), corners(b, inclusive=True)
  (low_a, high_a), (low_b, high_b) = _bounds(a, at), _bounds(b, bt)
  low, high = np.minimum(low_a, low_b), np.maximum(high_a, high_b)
  same = (low >= high).any(axis=1)
  low = np.maximum(low, 0)
  high = np.minimum(high, [width - 1, height - 1])
  drawn = ~same & (low < high).all(axis=1)
  size = (high - low).astype(np.int64) + 1
  at, bt = at - low[:, None], bt - low[:, None]
  at[_empty(a)] = bt[_empty(b)] = np.nan
  inter, union = _count(at[drawn], bt[drawn], size[drawn], points=True)
  found = np.where(same, 1.0, 0.0)
  found[drawn] = inter / np.maximum(union, 1)
  overlaps[both] = found
  return overlaps


def _boxes_meet(low_a: np.ndarray, high_a: np.ndarray, low_b: np.ndarray,
                high_b: np.ndarray) -> np.ndarray:
  """[t, 2] bounding boxes -> [t] bool: pysot draws them."""
  area_a = np.prod(high_a - low_a, axis=1)  # negative outside the image
  area_b = np.prod(high_b - low_b, axis=1)
  inter = np.prod(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), axis=1)
  with np.errstate(divide='ignore', invalid='ignore'):
    ratio = area_a.astype(np.float64) / area_b
    senseless = (ratio < 1e-10) | (area_b / area_a.astype(np.float64) < 1e-10)
    apart = inter / (area_a + area_b - inter) <= 0  # not where NaN
  return ~senseless & ~apart


def _round_away(values: np.ndarray) -> np.ndarray:
  """Rounds as C does, half away from zero."""
  values = values.astype(np.float64)
  return np.trunc(values + np.copysign(0.5, values))


def _rounded(regions: Regions) -> Regions:
  numbers = np.round(regions.numbers.astype(np.float32)).astype(np.float64)
  return Regions(numbers, regions.counts)


def _empty(regions: Regions) -> np.ndarray:
  """[t] bool: rectangles that have no pixel."""
  return (regions.counts == 4) & (regions.numbers[:, 2:4] < 1).any(axis=1)


def _bounds(regions: Regions,
            points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """First and last pixel, [t, 2] each; of an empty rectangle last < first."""
  box = (regions.counts == 4)[:, None]
  return (np.where(box, points[:, 0], points.min(axis=1)),
          np.where(box, points[:, 2], points.max(axis=1)))


def _count(a: np.ndarray, b: np.ndarray, size: np.ndarray, *,
           points: bool) -> tuple[np.ndarray, np.ndarray]:
  """Pixels in both polygons and in either, [t] each.

  Corners [t, 4, 2] are rounded and in the window, whose size [t, 2] is at least
  1; NaN: nothing to draw. For points see `_spans`.
  """
  inter, union = np.zeros(len(a)), np.zeros(len(a))
  a, b = (np.moveaxis(polygons, 0, -1) for polygons in (a, b))  # 4 x 2 x t
  for part in _parts(size[:, 1]):
    heights = size[part, 1]
    pair = np.repeat(np.arange(len(heights)), heights)
    y = np.arange(len(pair)) - np.repeat(np.cumsum(heights) - heights, heights)
    last = size[part, 0][pair] - 1
    spans_a = _spans(a[..., part][..., pair], y, last, points=points)
    spans_b = _spans(b[..., part][..., pair], y, last, points=points)
    shared = sum(
        _length(np.maximum(start_a, start_b), np.minimum(stop_a, stop_b))
        for start_a, stop_a in spans_a for start_b, stop_b in spans_b)
    area = sum(_length(*span) for span in spans_a + spans_b)
    inter[part] = np.bincount(pair, shared, len(heights))
    union[part] = np.bincount(pair, area - shared, len(heights))
  return inter, union


def _parts(heights: np.ndarray) -> Iterator[slice]:
  """Cuts t windows into runs of at most `_ROWS` rows, or of one window."""
  start = rows = 0
  for i, height in enumerate(heights):
    if i > start and rows + height > _ROWS:
      yield slice(start, i)
      start, rows = i, 0
    rows += height
  if start < len(heights):
    yield slice(start, len(heights))


def _length(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
  """Number of pixels from the first to the last."""
  return np.maximum(stop - start + 1, 0)


def _spans(polygon: np.ndarray, y: np.ndarray, last: np.ndarray, *,
           points: bool) -> list[tuple[np.ndarray, np.ndarray]]:
  """The pixels of a polygon in one row each.

  Args:
    polygon: [4, 2, r] integer corners.
    y: [r] the row.
    last: [r] its last pixel; the first is 0.
    points: whether horizontal sides, and rows that are one point, are drawn.

  Returns:
    First and last pixels, [r] each, of two disjoint intervals; an interval is
    empty if last < first.
  """
  n0, n1, n2, n3 = _crossings(polygon, y, points=points)  # infinite: none
  # Two sides that meet in the row give one crossing twice: the first is left
  # out. If nothing follows, it is an interval of one pixel, or nothing.
  twice_first = (n0 == n1) & (np.isfinite(n2) | (not points))
  twice_second = twice_first & (n1 == n2) & (np.isfinite(n3) | (not points))
  start, stop = np.where(twice_first, n1, n0), np.where(twice_first, n2, n1)
  one = np.isfinite(stop) & ~twice_second
  two = np.isfinite(n3) & (~twice_first | twice_second)
  if not points:
    two &= n2 != n3
  one_start, one_stop = np.maximum(start, 0), np.minimum(stop, last)
  one_stop = np.where(one, one_stop, -1)
  # Both may hold the pixel at which they meet.
  two_start = np.maximum(np.maximum(n2, 0), one_stop + 1)
  two_stop = np.where(two, np.minimum(n3, last), -1)
  return [(one_start, one_stop), (two_start, two_stop)]


def _crossings(polygon: np.ndarray, y: np.ndarray, *,
               points: bool) -> list[np.ndarray]:
  """[4, 2, r] corners, [r] rows -> 4 sorted crossings [r], infinite if none."""
  nodes = []
  for i in range(4):
    (from_x, from_y), (to_x, to_y) = polygon[i], polygon[i - 1]
    rise = to_y - from_y
    crossed = (np.minimum(from_y, to_y) <= y) & (y <= np.maximum(from_y, to_y))
    if not points:
      crossed &= rise != 0
    # The order of the operations is the toolkits', whose result is truncated.
    x = from_x + (y - from_y) / np.where(rise == 0, 1, rise) * (to_x - from_x)
    nodes.append(np.where(crossed, np.trunc(x), np.inf))
  for i, j in ((0, 1), (2, 3), (0, 2), (1, 3), (1, 2)):  # sorts any four
    nodes[i], nodes[j] = (np.minimum(nodes[i], nodes[j]),
                          np.maximum(nodes[i], nodes[j]))
  return nodes
