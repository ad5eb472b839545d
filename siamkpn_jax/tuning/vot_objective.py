"""The objective of the VOT challenges: expected average overlap (EAO).

EAO is a mean over the lengths of fragments of all sequences together, not over
sequences, so a part of the sequences bounds nothing and has no EAO that could
be compared with the whole. Pruning looks at a stand-in: the mean overlap of a
sequence's frames, those of a failure and after it up to the next start counted
as 0. The two mostly rank alike, since a failure costs both; they need not.
"""

import base64
import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.regions import Regions
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence, frame_size
from siamkpn_jax.evaluation.metrics import eao, vot
from siamkpn_jax.tuning.objective import Measurement, Objective
from siamkpn_jax.tuning.trial_runner import SequenceResult


class EaoObjective(Objective):
  """Expected average overlap."""

  metric = 'eao'

  def __init__(self, sequences: Sequence[VotSequence], protocol: vot.Protocol):
    """Takes the sequences.

    Raises:
      UserError: the size of a sequence's frames is not known, or none is as
        long as EAO asks for.
    """
    longest, needed = max(map(len, sequences)), protocol.window[0]
    if longest < needed:
      raise UserError(
          f'EAO by {protocol.name} needs sequences of {needed} frames or more, '
          f'but the longest has {longest}: choose another benchmark')
    # Found once: it may mean to read an image.
    self._sequences = [dataclasses.replace(s, size=frame_size(s))
                       for s in sequences]
    super().__init__(sequences, protocol.name, protocol.source)
    self._protocol = protocol

  def measure(self, index: int, result: SequenceResult) -> Measurement:
    """See `Objective`."""
    sequence = self._sequences[index]
    assert isinstance(result, Regions) and sequence.size
    if len(result) != len(sequence):
      raise UserError(
          f'sequence {sequence.name}: {len(result)} regions for '
          f'{len(sequence)} frames; expected one per frame')
    result = Regions(np.round(result.numbers, 4), result.counts)  # as in files
    overlaps = vot.eao_overlaps(result, sequence.truth, sequence.size,
                                self._protocol.rule)
    cut = vot.fragments(result, overlaps, np.ones(len(result), bool),
                        self._protocol)
    return Measurement(
        float(np.nan_to_num(overlaps).mean()),
        [[f.failed, float(f.weight), _packed(f.overlaps)] for f in cut])

  def score(self, measurements: Sequence[Measurement]) -> float:
    """See `Objective`; 0 where no fragment is as long as EAO asks for."""
    cut = [eao.Fragment(_unpacked(overlaps), failed, weight)
           for measurement in measurements
           for failed, weight, overlaps in measurement.details]
    curve = vot.expected_curve(cut, max(self.frames), self._protocol)
    return eao.mean_over(curve, self._protocol.lengths) or 0.0


def _packed(overlaps: np.ndarray) -> str:
  data = np.asarray(overlaps, '<f8').tobytes()
  return base64.b64encode(zlib.compress(data)).decode('ascii')


def _unpacked(text: str) -> np.ndarray:
  return np.frombuffer(zlib.decompress(base64.b64decode(text)), '<f8')
