"""The VOT long-term measures: precision, recall and F of a tracker that knows.

A tracker reports its target in the frames whose confidence reaches a threshold.
Precision is the mean overlap over the frames in which it reports one (0 where
the target is absent), recall the sum of these overlaps over the number of
frames in which the target is visible. Both are means over the sequences, for
each threshold; F is that of the threshold where it is largest.

Sources: Lukezic et al., "Now you see me: evaluating performance in long-term
visual tracking", arXiv:1804.07056; vot-toolkit 0.9.0, vot/analysis/longterm.py.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESOLUTION = 100  # thresholds, infinite ones included


@dataclasses.dataclass(frozen=True, eq=False)
class Reported:
  """What a tracker said of a sequence.

  Attributes:
    overlaps: [t] of its boxes with the annotation, 0 where that is absent.
    visible: [t] whether the target is.
    confidence: [t] of its boxes; NaN: not reported, whatever the threshold.
  """
  overlaps: np.ndarray
  visible: np.ndarray
  confidence: np.ndarray

  def __post_init__(self) -> None:
    """Checks what can go wrong silently."""
    shape = np.shape(self.overlaps)
    if len(shape) != 1 or not (
        shape == np.shape(self.visible) == np.shape(self.confidence)):
      raise ValueError('expected [t] overlaps, visible and confidence, got '
                       f'{shape}, {np.shape(self.visible)}, '
                       f'{np.shape(self.confidence)}')
    if not np.any(self.visible):
      raise ValueError('expected a frame in which the target is visible')
    if np.any(np.asarray(self.overlaps)[~np.asarray(self.visible, bool)]):
      raise ValueError('expected overlaps of 0 where the target is absent')


class LongTermScore(NamedTuple):
  """The measures at the threshold where F is largest.

  Attributes:
    f: of precision and recall.
    precision: mean over the sequences.
    recall: mean over the sequences.
    threshold: of the confidence.
  """
  f: float
  precision: float
  recall: float
  threshold: float


def curves(reported: Reported, thresholds: np.ndarray
           ) -> tuple[np.ndarray, np.ndarray]:
  """[n] precision and [n] recall of a sequence at [n] thresholds.

  Where nothing is reported, precision is 1 and recall 0.
  """
  said = np.asarray(reported.confidence)[:, None] >= thresholds  # t x n
  total = np.asarray(reported.overlaps, np.float64) @ said
  count = said.sum(axis=0)
  return (np.where(count, total / np.maximum(count, 1), 1.0),
          total / np.sum(reported.visible))


def choose_thresholds(confidence: np.ndarray) -> np.ndarray:
  """From infinity down, those that divide [t] confidences evenly."""
  known = np.sort(confidence[~np.isnan(confidence)])[::-1]
  inner = RESOLUTION - 2
  if len(known) > inner:
    step = len(known) // inner
    known = known[np.round(np.linspace(
        step, len(known) - step, inner)).astype(int)]
  return np.concatenate([[np.inf], known, [-np.inf]])


def score(sequences: Sequence[Reported]) -> LongTermScore:
  """The measures of a tracker over sequences.

  Raises:
    ValueError: there are none.
  """
  if not sequences:
    raise ValueError('no sequences to score')
  thresholds = choose_thresholds(
      np.concatenate([one.confidence for one in sequences]))
  precision, recall = np.mean(
      [curves(one, thresholds) for one in sequences], axis=0)
  total = precision + recall  # 0: nothing is right
  f = 2 * precision * recall / np.where(total > 0, total, 1)
  best = int(np.argmax(f))
  return LongTermScore(float(f[best]), float(precision[best]),
                       float(recall[best]), float(thresholds[best]))
