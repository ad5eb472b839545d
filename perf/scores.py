"""Boxes against an annotation, by the protocol `otb`."""

import numpy as np

from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.metrics.protocols import OTB


def otb_score(boxes_xywh: np.ndarray, truth_xywh: np.ndarray,
              origin: int) -> ope.Score:
  """The score of one sequence.

  Args:
    boxes_xywh: [t, 4] of a tracker, pixels counted from 0.
    truth_xywh: [t, 4] of a `Video`, counted alike.
    origin: what the files count from, as the protocol compares with 0.
  """
  shift = np.array([1, 1, 0, 0]) * origin
  return ope.score_sequence(boxes_xywh + shift, truth_xywh + shift,
                            protocol=OTB)
