"""The losses in plain Python loops, float64 (SPEC 6)."""

import math


def log_sigmoid(x):
  """log(1 / (1 + exp(-x))), safe at both ends."""
  return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


def focal(logits, labels, *, alpha=2, beta=4, gamma=0.05, positive_weight=1):
  """[b, h, w] twice -> scalar."""
  total, positives = 0.0, 0
  for x, label in zip(logits.ravel().tolist(), labels.ravel().tolist(),
                      strict=True):
    log_p, log_q = log_sigmoid(x), log_sigmoid(-x)
    if label == 1:
      positives += 1
      total -= positive_weight * math.exp(log_q)**alpha * log_p
    else:
      total -= gamma * (1 - label)**beta * math.exp(log_p)**alpha * log_q
  return total / max(positives, 1)


def smooth_l1(error):
  error = abs(error)
  return error**2 / 2 if error < 1 else error - 0.5


def regression(prediction, target, labels, *, weighted):
  """[b, h, w, 2] twice, labels [b, h, w]: mean over cells and channels.

  Weights enter the smooth-l1 (the released program's numbers say so).
  """
  total, count = 0.0, 0
  for b, i, j in zip(*labels.nonzero(), strict=True):
    for c in range(2):
      weight = float(labels[b, i, j]) if weighted else 1
      total += smooth_l1(weight * (float(prediction[b, i, j, c]) -
                                   float(target[b, i, j, c])))
      count += 1
  return total / max(count, 1)


def total(maps, heatmaps, offsets, size):
  """Per stage (logits, offsets, size) and the labels -> the four losses."""
  stages = []
  for (logits, predicted_offsets, predicted_size), label in zip(
      maps, heatmaps, strict=True):
    stages.append((
        focal(logits[..., 0], label),
        regression(predicted_offsets, offsets, label, weighted=True),
        regression(predicted_size, size, label, weighted=False)))
  heatmap, offset, sizes = (sum(v) / len(v) for v in zip(*stages, strict=True))
  return {'heatmap': heatmap, 'offsets': offset, 'size': sizes,
          'loss': heatmap + offset + 0.05 * sizes}
