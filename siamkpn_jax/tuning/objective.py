"""What is maximized: a benchmark's first figure, by a named protocol.

  one-pass benchmarks   success_auc  mean over sequences
  got10k                ao           mean over the frames of all sequences
  vot2016, 2018, 2019   eao          no mean at all; see vot_objective.py

A result is measured once, in a form that JSON can hold; everything after that
looks at measurements alone. So a search that goes on, whose first measurements
come from its journal, ends as one that was never interrupted. Boxes are rounded
to the four decimals of result files: the score is that of the files.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats.annotations import Annotation
from siamkpn_jax.evaluation.metrics import got10k, ope
from siamkpn_jax.evaluation.metrics.protocols import OnePass
from siamkpn_jax.tuning.engine import SequenceResult

# 'value': 0..1, what pruning compares; the rest is the objective's own.
Measurement = dict[str, Any]


class Objective(Protocol):
  """Measures results on n sequences, and scores n measurements.

  Attributes:
    metric: what the score is called.
    value: what the values are called, where they are not the metric's own.
    protocol: name of the rule.
    rule: whose it is.
    names: [n] of the sequences.
    frames: [n] how long they are.
    shares: [n] of the sequences in the score, which is the sum of shares *
      values; without `proof` in its place.
    proof: whether the score is that sum, so that it bounds what can come.
  """
  metric: str
  value: str
  protocol: str
  rule: str
  names: list[str]
  frames: list[int]
  shares: np.ndarray
  proof: bool

  def measure(self, index: int, result: SequenceResult) -> Measurement:
    """Measures a result on the sequence of an index.

    Raises:
      UserError: it does not belong to the sequence.
    """

  def score(self, measurements: Sequence[Measurement]) -> float:
    """The score, 0..1, of one measurement for each sequence, in order."""


class _Boxes:
  """What objectives of annotated boxes share."""

  proof = True

  def __init__(self, annotations: Sequence[Annotation]):
    """Checks that every box is known.

    Raises:
      UserError: a sequence has its first box alone.
    """
    hidden = [a.name for a in annotations if len(a) == 1]
    if hidden:
      raise UserError(
          f'sequence {hidden[0]} has its first box alone; expected one box per '
          'frame; only a set whose boxes are public can be searched on')
    self.names = [a.name for a in annotations]
    self.frames = [len(a) for a in annotations]
    self._annotations = annotations

  def _in_file(self, index: int, result: SequenceResult) -> np.ndarray:
    """[t, 4] as the result file has them."""
    assert isinstance(result, np.ndarray)
    origin = self._annotations[index].origin
    return np.round(result + np.array([origin, origin, 0, 0]), 4)

  def score(self, measurements: Sequence[Measurement]) -> float:
    """See `Objective`."""
    return float(self.shares @ [m['value'] for m in measurements])

  shares: np.ndarray


class SuccessObjective(_Boxes):
  """The area under the success curve of a one-pass benchmark."""

  metric = value = 'success_auc'

  def __init__(self, annotations: Sequence[Annotation], protocol: OnePass):
    """Takes the sequences; errors as of the base class."""
    super().__init__(annotations)
    self._protocol = protocol
    self.protocol, self.rule = protocol.name, protocol.source
    self.shares = np.full(len(annotations), 1 / len(annotations))

  def measure(self, index: int, result: SequenceResult) -> Measurement:
    """See `Objective`."""
    annotation = self._annotations[index]
    try:
      found = ope.score_sequence(
          self._in_file(index, result), annotation.boxes_xywh,
          protocol=self._protocol, visible=annotation.visible)
    except UserError as error:
      raise UserError(f'sequence {annotation.name}: {error}') from error
    return {'value': found.success_auc}


class AverageOverlapObjective(_Boxes):
  """GOT-10k's average overlap."""

  metric = value = 'ao'
  protocol, rule = got10k.PROTOCOL, 'the GOT-10k toolkit'

  def __init__(self, annotations: Sequence[Annotation]):
    """Takes the sequences.

    Raises:
      UserError: as of the base class, or no frame counts.
    """
    super().__init__(annotations)
    counted = np.array([self._overlaps(i, a.boxes_xywh).ious.size
                        for i, a in enumerate(annotations)])
    if not counted.any():
      raise UserError('no frame in which the target can be seen; expected the '
                      'validation set of GOT-10k; check --data')
    self.shares = counted / counted.sum()

  def measure(self, index: int, result: SequenceResult) -> Measurement:
    """See `Objective`."""
    overlaps = self._overlaps(index, self._in_file(index, result))
    return {'value': overlaps.ao or 0.0}

  def _overlaps(self, index: int, boxes_xywh: np.ndarray) -> got10k.Overlaps:
    annotation = self._annotations[index]
    return got10k.sequence_overlaps(
        [boxes_xywh], annotation.boxes_xywh, visible=annotation.visible,
        frame_size=annotation.frame_size)
