"""The plain engine: one setting after the other, as `evaluate` tracks.

It compiles the tracker anew for every setting: right, but slow.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from siamkpn_jax.benchmarks import runner, supervised, vot
from siamkpn_jax.benchmarks.sequences import Sequence as Video
from siamkpn_jax.benchmarks.vot_sequences import VotSequence
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.models.weights import load_model
from siamkpn_jax.tracking.tracker import Tracker, decode_config
from siamkpn_jax.tuning.engine import SequenceResult, Setting


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
    self._model = build_model(config['model'])
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
    with contextlib.closing(runner.read_frames(video.frames)) as frames:
      if isinstance(video, Video):
        return runner.run_sequence(tracker, video, frames).boxes_xywh
      assert self._protocol is not None
      return supervised.run_sequence(
          tracker, video, frames, self._protocol).trajectory
