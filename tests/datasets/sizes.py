"""Sizes of targets in crops."""

import numpy as np


def at_scale(wh):
  """Sizes of these shapes, [..., 2], whose context square is 127 pixels."""
  wh = np.asarray(wh)
  p = wh.sum(-1, keepdims=True) / 2
  return wh * 127 / np.sqrt((wh + p).prod(-1, keepdims=True))
