"""The VOT long-term measures in plain loops, from the definitions."""

import math


def precision_recall(overlaps, visible, confidence, threshold):
  """Of one sequence, at one threshold."""
  said = [o for o, c in zip(overlaps, confidence, strict=True)
          if c >= threshold]
  precision = sum(said) / len(said) if said else 1.0
  return precision, sum(said) / sum(1 for v in visible if v)


def thresholds(confidence, resolution=100):
  """Of all sequences together."""
  known = sorted((c for c in confidence if not math.isnan(c)), reverse=True)
  if len(known) > resolution - 2:
    first = len(known) // (resolution - 2)
    last = len(known) - first
    known = [known[round(first + (last - first) * i / (resolution - 3))]
             for i in range(resolution - 2)]
  return [math.inf, *known, -math.inf]


def best_f(sequences):
  """(F, precision, recall) of (overlaps, visible, confidence) each."""
  best = (0.0, 0.0, 0.0)
  for threshold in thresholds([c for s in sequences for c in s[2]]):
    pairs = [precision_recall(*s, threshold) for s in sequences]
    precision = sum(p for p, _ in pairs) / len(pairs)
    recall = sum(r for _, r in pairs) / len(pairs)
    if precision + recall:
      best = max(best, (2 * precision * recall / (precision + recall),
                        precision, recall))
  return best
