"""VOT measures frame by frame and pixel by pixel, in plain loops.

Written from the description of each toolkit's rule
(docs/reference/protocols.md), not from the package: regions are lists of 1, 4
or 8 numbers, masks are sets of pixels.
"""

import itertools
import math

import numpy as np


def _single(value):
  return float(np.float32(value))


def _away(value):
  return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def _ratio(a, b):
  """a / b as C has it: infinite or NaN where b is 0."""
  if b == 0:
    return math.nan if a == 0 else math.copysign(math.inf, a)
  return a / b


def _polygon_pixels(points, width, height, draw_points):
  """Pixels (x, y) of a polygon of integer points in a window."""
  pixels = set()
  for y in range(height):
    nodes = []
    for i in range(len(points)):
      (xi, yi), (xj, yj) = points[i], points[i - 1]
      if yi == yj:
        if draw_points and yi == y:
          nodes.append(xi)
      elif min(yi, yj) <= y <= max(yi, yj):
        nodes.append(int(xi + (y - yi) / (yj - yi) * (xj - xi)))
    nodes.sort()
    i = 0
    while i < len(nodes) - 1:
      last_two = i == len(nodes) - 2
      if nodes[i] == nodes[i + 1] and not (draw_points and last_two):
        i += 1
        continue
      for x in range(max(nodes[i], 0), min(nodes[i + 1], width - 1) + 1):
        pixels.add((x, y))
      i += 2
  return pixels


def pysot_overlap(a, b, right, bottom):
  if len(a) == 1 or len(b) == 1:
    return math.nan
  polygons = []
  for row in (a, b):
    if len(row) == 4:
      x, y, w, h = row
      points = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    else:
      points = [(row[i], row[i + 1]) for i in range(0, 8, 2)]
    polygons.append([(_single(x), _single(y)) for x, y in points])
  boxes = []
  for points in polygons:
    xs, ys = zip(*points, strict=True)
    boxes.append((max(math.floor(min(xs)), 0), max(math.floor(min(ys)), 0),
                  min(math.ceil(max(xs)), right),
                  min(math.ceil(max(ys)), bottom)))
  (l1, t1, r1, b1), (l2, t2, r2, b2) = boxes
  left, top = min(l1, l2), min(t1, t2)
  width, height = max(r1, r2) - left + 1, max(b1, b2) - top + 1
  # Boxes beyond the image have negative sides; the rule goes on regardless.
  area1, area2 = (r1 - l1) * (b1 - t1), (r2 - l2) * (b2 - t2)
  if width < 1 or height < 1:
    return 0.0
  if _ratio(area1, area2) < 1e-10 or _ratio(area2, area1) < 1e-10:
    return 0.0
  shared = ((min(r1, r2) - max(l1, l2)) * (min(b1, b2) - max(t1, t2)))
  if _ratio(shared, area1 + area2 - shared) <= 0:
    return 0.0
  masks = [_polygon_pixels([(_away(_single(x - left)), _away(_single(y - top)))
                            for x, y in points], width, height, False)
           for points in polygons]
  union = len(masks[0] | masks[1])
  return _single(len(masks[0] & masks[1]) / union) if union else math.nan


def toolkit_overlap(a, b, width, height):
  if len(a) == 1 or len(b) == 1:
    return math.nan
  shapes = []
  for given in (a, b):
    row = [round(_single(v)) for v in given]  # half to even
    if len(row) == 4:
      x, y, w, h = row
      shapes.append(('box', (x, y, x + w - 1, y + h - 1)))
    else:
      shapes.append(('polygon', [(row[i], row[i + 1]) for i in range(0, 8, 2)]))
  bounds = []
  for kind, shape in shapes:
    if kind == 'box':
      bounds.append(shape)
    else:
      xs, ys = zip(*shape, strict=True)
      bounds.append((min(xs), min(ys), max(xs), max(ys)))
  left, top = (min(q[k] for q in bounds) for k in (0, 1))
  right, bottom = (max(q[k] for q in bounds) for k in (2, 3))
  if left >= right or top >= bottom:
    return 1.0
  left, top = max(left, 0), max(top, 0)
  right, bottom = min(right, width - 1), min(bottom, height - 1)
  if left >= right or top >= bottom:
    return 0.0
  masks = []
  for kind, shape in shapes:
    if kind == 'box':
      columns = range(max(shape[0], left), min(shape[2], right) + 1)
      rows = range(max(shape[1], top), min(shape[3], bottom) + 1)
      masks.append({(x - left, y - top) for x in columns for y in rows})
    else:
      masks.append(_polygon_pixels([(x - left, y - top) for x, y in shape],
                                   right - left + 1, bottom - top + 1, True))
  union = len(masks[0] | masks[1])
  return len(masks[0] & masks[1]) / union if union else 0.0


def _burnt(run, burn_in):
  """Frames that do not count for accuracy."""
  out = set()
  for i, row in enumerate(run):
    if row == [1]:
      out.update(range(i, i + burn_in))
  return out


def pysot(sequences, runs, low, high):
  """Scores by pysot's rule.

  Args:
    sequences: (truth, (w, h)) each; truth is a list of rows.
    runs: for each sequence one list of rows.
    low: window of EAO.
    high: its other end.
  """
  pooled, failures, frames = [], 0, 0
  all_overlaps, all_failures = [], []
  for (truth, (w, h)), run in zip(sequences, runs, strict=True):
    burnt = _burnt(run, 10)
    for i, (row, true) in enumerate(zip(run, truth, strict=True)):
      value = pysot_overlap(row, true, w, h)
      if i not in burnt and not math.isnan(value):
        pooled.append(value)
    all_overlaps.append([pysot_overlap(row, true, w - 1, h - 1)
                         for row, true in zip(run, truth, strict=True)])
    all_failures.append([i for i, row in enumerate(run) if row == [2]])
    failures += len(all_failures[-1])
    frames += len(truth)
  longest = max(len(o) for o in all_overlaps)
  fragments, weights = [], []
  for values, failed in zip(all_overlaps, all_failures, strict=True):
    if not failed:
      fragments.append(values + [math.nan] * (longest - len(values)))
      weights.append(1.0)
      continue
    overlaps = [0.0 if math.isnan(v) else v for v in values]
    cuts = [0] + [f + 5 for f in failed if f + 5 <= len(overlaps)]
    for start, stop in itertools.pairwise(cuts):
      part = overlaps[start:stop + 1]
      weights.append(len(part) / (stop - start + 1))
      fragments.append(part + [0.0] * (longest - len(part)))
    part = overlaps[cuts[-1]:]
    weights.append(1.0 if part else 0.0)
    fragments.append(part + [math.nan] * (longest - len(part)))
  curve = [1.0]
  for k in range(1, longest):
    top = bottom = reached = 0.0
    for fragment, weight in zip(fragments, weights, strict=True):
      if not math.isnan(fragment[k]):
        top += weight * sum(fragment[1:k + 1]) / k
        bottom += weight
        reached += 1
    if bottom:
      curve.append(top / bottom)
    else:  # pysot begins with zeros, and divides only where there is something
      curve.append(math.nan if reached else 0.0)
  inside = [v for v in curve[low - 1:high] if not math.isnan(v)]
  return {'accuracy': sum(pooled) / len(pooled) if pooled else None,
          'robustness': 100 * failures / frames, 'failures': failures,
          'eao': sum(inside) / len(inside) if inside else None}


def toolkit(sequences, runs, low, high):
  """Scores by the vot-toolkit's rule, arguments as of `pysot`."""
  accuracy = robustness = failures = frames = 0
  fragments = []  # overlaps, failed
  for (truth, size), run in zip(sequences, runs, strict=True):
    overlaps = [toolkit_overlap(row, true, *size)
                for row, true in zip(run, truth, strict=True)]
    burnt = _burnt(run, 10)
    counted = [v for i, v in enumerate(overlaps)
               if i not in burnt and not math.isnan(v)]
    failed = sum(row == [2] for row in run)
    accuracy += len(truth) * (sum(counted) / len(counted) if counted else 0)
    robustness += len(truth) * failed
    failures += failed
    frames += len(truth)
    current = None
    zeros = [0.0 if math.isnan(v) else v for v in overlaps]
    for row, value in zip(run, zeros, strict=True):
      if row == [1]:
        current = [value]
      elif row == [2]:
        fragments.append((current, True))
        current = None
      elif current is not None:
        current.append(value)
    if current is not None:
      fragments.append((current, False))
  longest = max(len(part) for part, _ in fragments)
  curve = []
  for k in range(longest):
    values = []
    for part, failed in fragments:
      if failed or k < len(part):
        values.append(sum(part[1:k + 1]) / max(k, 1))
    curve.append(sum(values) / len(values))
  inside = curve[low:high + 1]
  return {'accuracy': accuracy / frames, 'robustness': robustness / frames,
          'failures': failures,
          'eao': sum(inside) / len(inside) if inside else None}
