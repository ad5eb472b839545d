"""Whether confidences are as often right as they say.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, for
the expected calibration error.
"""

from typing import NamedTuple

import numpy as np

BINS = 10
_ROUNDS = 100  # of Newton's method; it needs about ten
_RIDGE = 1e-6  # keeps a curve finite where scores separate right from wrong


class Reliability(NamedTuple):
  """Confidences in bins of equal width.

  Attributes:
    frames: [n] how many lie in each.
    said: [n] their mean, NaN in an empty bin.
    right: [n] share of them that were right, NaN in an empty bin.
  """
  frames: np.ndarray
  said: np.ndarray
  right: np.ndarray

  @property
  def error(self) -> float:
    """The expected calibration error: mean of |said - right| over all."""
    apart = np.nan_to_num(np.abs(self.said - self.right))
    return float(apart @ self.frames / self.frames.sum())


def reliability(confidence: np.ndarray, right: np.ndarray) -> Reliability:
  """[t] confidences, 0..1, against [t] whether each was right.

  Raises:
    ValueError: there is none, or one is outside 0..1.
  """
  if not len(confidence) or not (
      (confidence >= 0) & (confidence <= 1)).all():
    raise ValueError('expected confidences, each from 0 to 1')
  index = np.minimum((confidence * BINS).astype(int), BINS - 1)
  count = np.bincount(index, minlength=BINS)
  mean = lambda values: np.bincount(index, values, BINS) / np.where(
      count, count, np.nan)
  return Reliability(count, mean(confidence), mean(right.astype(float)))


def fit_logistic(scores: np.ndarray, right: np.ndarray) -> tuple[float, float]:
  """The most likely logistic curve, by Newton's method.

  Returns:
    Its slope, and the score where it is 0.5.

  Raises:
    ValueError: none was right, none was wrong, or a higher score is no better.
  """
  if right.all() or not right.any():
    raise ValueError('expected some that are right and some that are wrong')
  x = np.stack([scores, np.ones_like(scores)], axis=1)
  w = np.zeros(2)
  ridge = _RIDGE * np.eye(2)
  for _ in range(_ROUNDS):
    p = 1 / (1 + np.exp(-x @ w))
    gradient = x.T @ (p - right) + ridge @ w
    change = np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, gradient)
    w = w - change
    if np.abs(change).max() < 1e-9 * max(1, np.abs(w).max()):
      break
  slope, bias = w.tolist()
  if slope <= 0:
    raise ValueError(f'slope {slope:.3g}: expected a score that is higher for '
                     'what is right')
  return slope, -bias / slope
