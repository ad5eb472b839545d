"""One whole tracker step in float64 numpy and OpenCV, from SPEC 1 and 8.

Slow and literal: the whole frame is padded, cells are visited one by one.
"""

import math

import cv2
import numpy as np

SETTINGS = {'penalty_k': 0.10, 'window_influence': 0.54, 'size_lr': 0.59,
            'topk_max': 16, 'topk_min': 4, 'threshold': 0.15,
            'offset_unit': 64.0}


def crop_bounds(center, side):
  """Left, top and integer side of the square that the released program cuts."""
  side = max(1, int(np.rint(side)))  # rint: half to even
  left, top = (int(np.floor(c - (side + 1) / 2 + 0.5)) for c in center)
  return left, top, side


def crop(frame, center, side, output, fill):
  """[h, w, 3] -> [output, output, 3], outside of the frame `fill`."""
  left, top, side = crop_bounds(center, side)
  height, width = frame.shape[:2]
  before_x, before_y = max(0, -left), max(0, -top)
  padded = cv2.copyMakeBorder(
      frame, before_y, max(0, top + side - height),
      before_x, max(0, left + side - width),
      cv2.BORDER_CONSTANT, value=[int(v) for v in fill])
  x, y = left + before_x, top + before_y
  patch = padded[y:y + side, x:x + side]
  return cv2.resize(patch, (output, output), interpolation=cv2.INTER_LINEAR)


def bilinear(image, output):
  """[s, s, c] -> [output, output, c] float64, aligned at pixel centers."""
  size = len(image)
  position = np.clip(
      (np.arange(output) + 0.5) * size / output - 0.5, 0, size - 1)
  low = np.floor(position).astype(int)
  high, part = np.minimum(low + 1, size - 1), position - low
  for _ in range(2):  # rows, then columns
    image = np.swapaxes(image, 0, 1).astype(np.float64)
    image = (image[:, low] * (1 - part)[:, None] +
             image[:, high] * part[:, None])
  return image


def mean_color(frame):
  """The mean of each channel, truncated."""
  count = frame.shape[0] * frame.shape[1]
  return frame.reshape(-1, 3).astype(np.int64).sum(axis=0) // count


def context_side(w, h):
  p = (w + h) / 2
  return math.sqrt((w + p) * (h + p))


def window():
  """[31, 31] Hanning."""
  hanning = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(31) / 30)
  return hanning[:, None] * hanning[None, :]


def sigmoid(x):
  small = np.exp(-np.abs(x))
  return np.where(x < 0, small, 1) / (1 + small)


def penalty(w, h, last_w, last_h, k):
  """Of a change of size; sizes may be negative, as the network is not bound."""
  p = (w + h) / 2
  if (w + p) * (h + p) <= 0 or w * h == 0:  # a root or a ratio that is none
    return 0.0
  s = context_side(w, h) / context_side(last_w, last_h)
  r = (w / h) / (last_w / last_h)
  change = max(s, 1 / s) * max(r, 1 / r)
  exponent = -k * (change - 1)
  return math.exp(exponent) if exponent < 88 else 0.0  # float32 overflows


def final_scores(heatmap, size, last_crop, settings):
  """Scores that decide, and penalties; {cell: value} of the candidates.

  Args:
    heatmap: [31, 31] logits.
    size: [31, 31, 2] predicted sizes, crop pixels.
    last_crop: [2] the last size, crop pixels.
    settings: as SETTINGS.
  """
  score = sigmoid(heatmap.astype(np.float64))
  cells = sorted(np.ndindex(31, 31), key=lambda cell: -score[cell])
  best = cells[:settings['topk_max']]
  chosen = [cell for place, cell in enumerate(best)
            if place < settings['topk_min'] or
            score[cell] > settings['threshold']]
  hanning, share = window(), settings['window_influence']
  finals, penalties = {}, {}
  for cell in chosen:
    penalties[cell] = penalty(
        *size[cell].astype(np.float64), *last_crop, settings['penalty_k'])
    finals[cell] = (score[cell] * penalties[cell] * (1 - share) +
                    hanning[cell] * share)
  return score, finals, penalties


def decode(heatmap, offsets, size, last, scale, settings):
  """Shift [2], new size [2] (frame pixels), score, and the chosen cell.

  Args:
    heatmap: [31, 31] logits.
    offsets: [31, 31, 2] x, y.
    size: [31, 31, 2] crop pixels.
    last: [2] the target's last size, frame pixels.
    scale: crop pixels per frame pixel.
    settings: as SETTINGS.
  """
  last = np.asarray(last, np.float64)
  score, finals, penalties = final_scores(
      heatmap, size, last * scale, settings)
  cell = max(finals, key=finals.get)
  i, j = cell
  shift = (settings['offset_unit'] * offsets[cell].astype(np.float64) +
           8.0 * np.array([j - 15, i - 15])) / scale
  predicted = size[cell].astype(np.float64) / scale
  rate = penalties[cell] * score[cell] * settings['size_lr']
  return {'shift': shift, 'size': (1 - rate) * last + rate * predicted,
          'score': score[cell], 'cell': cell}


class Tracker:
  """The loop of SPEC 8 around a function that predicts maps.

  Attributes:
    score: of the last update.
    search_crop: [255, 255, 3] of the last update.
  """

  def __init__(self, predict, settings):
    """`predict` maps template and search crop to heatmap, offsets, size."""
    self._predict, self._settings = predict, settings

  def init(self, frame, xywh):
    x, y, w, h = map(float, xywh)
    self.center = np.array([x + (w - 1) / 2, y + (h - 1) / 2])
    self.size = np.array([w, h])
    self.fill = mean_color(frame)
    self.template_crop = crop(
        frame, self.center, context_side(w, h), 127, self.fill)

  def update(self, frame):
    """The box, xywh [4]."""
    s_z = context_side(*self.size)
    self.search_crop = crop(
        frame, self.center, s_z * 255 / 127, 255, self.fill)
    heatmap, offsets, size = self._predict(
        self.template_crop, self.search_crop)
    found = decode(
        heatmap, offsets, size, self.size, 127 / s_z, self._settings)
    self.score = found['score']
    limit = np.array(frame.shape[1::-1], np.float64)
    self.center = np.minimum(np.maximum(self.center + found['shift'], 0), limit)
    self.size = np.minimum(np.maximum(found['size'], 10), limit)
    return np.concatenate([self.center - self.size / 2, self.size])
