"""Sequences in OTB layout: the flags that name them, and a tracker's scores."""

import numpy as np

from siamkpn_jax.cli.parser import Parser, names
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.metrics.protocols import OTB


def add_sequence_flags(parser: Parser) -> None:
  """Declares --data and --zero_based, for `load_otb`."""
  parser.add_argument(
      '--data', required=True, help='Folder of sequences in OTB layout.')
  parser.add_argument(
      '--zero_based', type=names, default=(),
      help='Sequences that count pixels from 0, or patterns.')


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
