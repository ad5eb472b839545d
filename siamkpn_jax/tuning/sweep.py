"""Many hyperparameters of the tracker on one sequence, as one batch.

They do not enter the network: they decide which of its predictions is taken,
and so where the next crop lies. Targets whose crops are the same pixels
share one pass through it (`BatchTracker`, share_crops). In the first frames
that is nearly all of them.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tuning.trial_runner import SequenceResult, TrialParams, task


class Sweep:
  """A `TrialRunner`.

  Attributes:
    crops_seen: crops that the network saw so far.
  """

  def __init__(self, checkpoint: Path,
               videos: Sequence[Video] | Sequence[VotSequence],
               protocol: vot.Protocol | None = None):
    """Loads a checkpoint.

    Args:
      checkpoint: see `load_model`.
      videos: to track in.
      protocol: of VOT, which restarts the tracker; None: one pass.

    Raises:
      UserError: the checkpoint is none, or damaged.
    """
    config, self._variables = load_model(checkpoint)
    self._model = build_model(config.model)
    self._decoding = decode_config(config)
    self._videos = videos
    self._protocol = protocol
    self._tracker: BatchTracker | None = None
    self.crops_seen = 0

  def __call__(self, params: Sequence[TrialParams],
               sequence_index: int) -> list[SequenceResult]:
    """See `TrialRunner`.

    Raises:
      UserError: an image that cannot be read, or a box that cannot be started
        from.
    """
    todo = task(self._videos[sequence_index], self._protocol)
    tasks = [dataclasses.replace(todo, hyperparameters=dataclasses.replace(
        self._decoding, **dataclasses.asdict(one)).hyperparameters)
             for one in params]
    tracker = self._room(len(tasks))
    before = tracker.crops_seen
    ended = {done.task: done for done in drive(tracker, tasks)}
    self.crops_seen += tracker.crops_seen - before
    for done in ended.values():
      if done.error:
        raise done.error
    return [ended[task].result for task in tasks]

  def _room(self, count: int) -> BatchTracker:
    """A tracker of so many targets or more: few programs to compile."""
    if self._tracker is None or self._tracker.slots < count:
      self._tracker = BatchTracker(
          self._model, self._variables, self._decoding,
          slots=1 << (count - 1).bit_length(), share_crops=True)
    return self._tracker
