"""The plain engine: one setting after the other, as `evaluate --batch 1`.

It compiles the tracker anew for every setting: right, but slow. The sweep is
tested against it.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.evaluation.formats.sequences import Sequence as Video
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.evaluation.run.protocol import OneAtATime as OnePlace
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.tracker import Tracker, decode_config
from siamkpn_jax.tuning.engine import SequenceResult, Setting, task


class OneAtATime:
  """An `Engine`."""

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

  def __call__(self, settings: Sequence[Setting],
               sequence_index: int) -> list[SequenceResult]:
    """See `Engine`."""
    return [self._track(setting, self._videos[sequence_index])
            for setting in settings]

  def _track(self, setting: Setting,
             video: Video | VotSequence) -> SequenceResult:
    tracker = Tracker(self._model, self._variables, dataclasses.replace(
        self._decoding, **dataclasses.asdict(setting)))
    (done,) = drive(OnePlace(tracker), [task(video, self._protocol)])
    if done.trouble:
      raise done.trouble
    return done.result
