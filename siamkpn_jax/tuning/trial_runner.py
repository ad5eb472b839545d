"""What runs trials: many hyperparameters on one sequence, as a batch.

The network's weights do not depend on hyperparameters, the trajectory does. So
the search, which knows a `TrialRunner`, does not see how trials are tracked.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from siamkpn_jax.evaluation.formats.regions import Regions
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run.experiments import Task, one_pass_task
from siamkpn_jax.evaluation.run.supervised import supervised_task

# [t, 4] 0-based boxes of a one-pass benchmark, or a trajectory of VOT.
SequenceResult = np.ndarray | Regions


@dataclasses.dataclass(frozen=True, order=True)
class TrialParams:
  """What is searched; see `tracking.decode.DecodeConfig`.

  Attributes:
    penalty_k: strength of the penalty on changes of scale and aspect ratio.
    window_influence: weight of the window that favors small displacements.
    size_lr: rate at which the size follows the prediction.
  """
  penalty_k: float
  window_influence: float
  size_lr: float


# Tracks with one checkpoint, on every device if it can. Takes at least one set
# of hyperparameters, all different, and an index into the sequences that are
# searched on. Gives a result for each, which does not depend on the others
# beyond rounding.
TrialRunner = Callable[[Sequence[TrialParams], int], list[SequenceResult]]


def rounded(numbers: Sequence[float]) -> TrialParams:
  """Of three numbers, so that equal ones are equal in every bit."""
  return TrialParams(*(round(float(number), 6) for number in numbers))


def task(video: Video | VotSequence, protocol: vot.Protocol | None) -> Task:
  """What a trial has to do on a sequence.

  Args:
    video: the sequence.
    protocol: of VOT, where the tracker is restarted; None: one pass.
  """
  if isinstance(video, VotSequence):
    assert protocol is not None
    return supervised_task(video, protocol)
  return one_pass_task(video)
