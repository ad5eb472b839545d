"""One-pass scores of the toolkits, frame by frame in plain Python.

Written from the definitions of the rules and sharing nothing with
siamkpn_jax.evaluation: every function takes lists of (x, y, w, h) and gives the
curves (success, precision, normalized precision).
"""

import math

STEPS = [0.05 * i for i in range(21)]
TWENTIETHS = [i / 20 for i in range(21)]
# MATLAB counts the second half of 0:0.05:1 down from its end.
MATLAB = [0.05 * i for i in range(10)] + [0.5] + [
    1 - 0.05 * (20 - i) for i in range(11, 21)]


def overlap(a, b):
  """Intersection over union, at most 1; NaN where that is not a number."""
  ax, ay, aw, ah = a
  bx, by, bw, bh = b
  w = min(ax + aw, bx + bw) - max(ax, bx)
  h = min(ay + ah, by + bh) - max(ay, by)
  if math.isnan(w) or math.isnan(h):
    return math.nan
  inter = max(0.0, w) * max(0.0, h)
  union = aw * ah + bw * bh - inter
  ratio = inter / union if union else math.nan
  return 1.0 if ratio > 1 else ratio


def center(box):
  x, y, w, h = box
  return x + (w - 1) / 2, y + (h - 1) / 2


def distance(a, b, units=(1.0, 1.0)):
  """The centers are divided by the units, and then subtracted."""
  (ax, ay), (bx, by) = center(a), center(b)
  x = ax / units[0] - bx / units[0]
  y = ay / units[1] - by / units[1]
  return math.sqrt(x * x + y * y)


def curves(overlaps, distances, norm_distances, thresholds, frames):
  """Counts of frames over each threshold, divided by `frames`."""
  return ([sum(o > t for o in overlaps) / frames for t in thresholds],
          [sum(d <= t for d in distances) / frames for t in range(51)],
          [sum(d <= t / 100 for d in norm_distances) / frames
           for t in range(51)])


def pysot(results, truths, present=None):
  """pysot: 'absent' frames are dropped, the number of frames is not."""
  frames = len(truths)
  kept = [i for i in range(frames) if present is None or present[i]]
  overlaps, distances, norm_distances = [], [], []
  for i in kept:
    r, t = results[i], truths[i]
    cx, cy = center(t)
    w, h = t[2] + 1e-16, t[3] + 1e-16
    overlaps.append(overlap(r, t) if t[2] > 0 and t[3] > 0 else -1)
    distances.append(distance(r, t) if cx > 0 and cy > 0 else -1)
    norm_distances.append(
        distance(r, t, (w, h)) if cx / w > 0 and cy / h > 0 else -1)
  return curves(overlaps, distances, norm_distances, STEPS, frames)


def otb(results, truths):
  """The OTB authors': a broken box repeats the one before it."""
  truths = truths[:len(results)]
  return _authors(results, truths, [True] * len(truths), TWENTIETHS, all)


def lasot(results, truths, present):
  """The LaSOT authors': the same, absent frames dropped from the hits."""
  return _authors(results[:len(truths)], truths, present, MATLAB, any)


def _authors(results, truths, present, thresholds, how_many_nan):
  results = [list(r) for r in results]
  for i in range(1, len(results)):
    r = results[i]
    broken = how_many_nan(map(math.isnan, r)) or r[2] <= 0 or r[3] <= 0
    if broken and not any(map(math.isnan, truths[i])):
      results[i] = results[i - 1]
  results[0] = truths[0]
  overlaps, distances, norm_distances = [], [], []
  for r, t, there in zip(results, truths, present, strict=True):
    if not there:
      continue
    known = all(v > 0 for v in t)
    overlaps.append(overlap(r, t) if known else -1)
    distances.append(distance(r, t) if known else -1)
    norm_distances.append(distance(r, t, t[2:]) if known else -1)
  return curves(overlaps, distances, norm_distances, thresholds, len(truths))
