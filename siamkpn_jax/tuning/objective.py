"""What is maximized: a benchmark's first figure, by a named protocol.

  one-pass benchmarks   success_auc  mean over sequences
  got10k                ao           mean over the frames of all sequences
  vot2016, 2018, 2019   eao          no mean at all; see vot_objective.py

A result is measured once, in a form that JSON can hold; everything after that
looks at measurements alone. Boxes are rounded to the four decimals of result
files: the score is that of the files.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats.annotations import Annotation
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import got10k, ope
from siamkpn_jax.evaluation.metrics.protocols import OnePass
from siamkpn_jax.tuning.trial_runner import SequenceResult


@dataclasses.dataclass(frozen=True)
class Measurement:
  """What a result is worth on its sequence.

  Attributes:
    value: what pruning compares. Where the score is a mean it is that of the
      values: they are weighted already.
    details: what else the score needs.
  """
  value: float
  details: Any = None


class Objective:
  """Measures results on n sequences, and scores n measurements.

  Attributes:
    metric: what the score is called.
    protocol: name of the rule.
    rule: whose it is.
    names: [n] of the sequences.
    frames: [n] how long they are.
  """
  metric: str

  def __init__(self, sequences: Sequence[Annotation] | Sequence[VotSequence],
               protocol: str, rule: str):
    """Takes the sequences, and what the rule is called."""
    self.protocol, self.rule = protocol, rule
    self.names = [s.name for s in sequences]
    self.frames = [len(s) for s in sequences]

  def measure(self, index: int, result: SequenceResult) -> Measurement:
    """Measures a result on the sequence of an index.

    Raises:
      UserError: it does not belong to the sequence.
    """
    raise NotImplementedError

  def score(self, measurements: Sequence[Measurement]) -> float:
    """The score, 0..1, of one measurement for each sequence, in order."""
    return float(np.mean([m.value for m in measurements]))


class _Boxes(Objective):
  """What objectives of annotated boxes share."""

  def __init__(self, annotations: Sequence[Annotation], protocol: str,
               rule: str):
    """Checks that every box is known.

    Raises:
      UserError: a sequence has its first box alone.
    """
    hidden = [a.name for a in annotations if len(a) == 1]
    if hidden:
      raise UserError(
          f'sequence {hidden[0]} has only its first box; expected one box per '
          'frame: use a data set with public annotations')
    super().__init__(annotations, protocol, rule)
    self._annotations = annotations

  def _in_file(self, index: int, result: SequenceResult) -> np.ndarray:
    """[t, 4] as the result file has them."""
    assert isinstance(result, np.ndarray)
    origin = self._annotations[index].origin
    return np.round(result + np.array([origin, origin, 0, 0]), 4)


class SuccessObjective(_Boxes):
  """The area under the success curve of a one-pass benchmark."""

  metric = 'success_auc'

  def __init__(self, annotations: Sequence[Annotation], protocol: OnePass):
    """Takes the sequences; errors as of the base class."""
    super().__init__(annotations, protocol.name, protocol.source)
    self._protocol = protocol

  def measure(self, index: int, result: SequenceResult) -> Measurement:
    """See `Objective`."""
    annotation = self._annotations[index]
    try:
      found = ope.score_sequence(
          self._in_file(index, result), annotation.boxes_xywh,
          protocol=self._protocol, visible=annotation.visible)
    except UserError as error:
      raise UserError(f'sequence {annotation.name}: {error}') from error
    return Measurement(found.success_auc)


class AverageOverlapObjective(_Boxes):
  """GOT-10k's average overlap."""

  metric = 'ao'

  def __init__(self, annotations: Sequence[Annotation]):
    """Takes the sequences.

    Raises:
      UserError: as of the base class, or no frame counts.
    """
    super().__init__(annotations, got10k.PROTOCOL, 'the GOT-10k toolkit')
    counted = np.array([self._overlaps(i, a.boxes_xywh).size
                        for i, a in enumerate(annotations)])
    if not counted.any():
      raise UserError('no frame with a visible target; expected the validation '
                      'set of GOT-10k: check --data')
    self._weights = counted / counted.mean()

  def measure(self, index: int, result: SequenceResult) -> Measurement:
    """See `Objective`."""
    overlaps = self._overlaps(index, self._in_file(index, result))
    ao = got10k.figures(overlaps)['ao'] or 0.0
    return Measurement(float(self._weights[index] * ao))

  def _overlaps(self, index: int, boxes_xywh: np.ndarray) -> np.ndarray:
    annotation = self._annotations[index]
    return got10k.sequence_overlaps(
        [boxes_xywh], annotation.boxes_xywh, visible=annotation.visible,
        frame_size=annotation.frame_size)
