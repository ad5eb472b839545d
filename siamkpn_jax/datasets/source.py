"""What every source of training data looks like."""

from typing import Protocol

import numpy as np

from siamkpn_jax.datasets.tracks import Dropped


class Source(Protocol):
  """A set of tracks: one target each, seen in one or more frames.

  Attributes:
    name: for messages and logs.
    kind: the layout on disk, in a word.
    num_tracks: how many targets there are.
    total_frames: how many labeled frames they have together.
    dropped: what of the annotations is left out.
  """

  name: str
  kind: str
  num_tracks: int
  total_frames: int
  dropped: Dropped

  @property
  def groups(self) -> np.ndarray | None:
    """[num_tracks] int, equal for tracks that may show the same target.

    As those of one video: no certain negatives of each other. None: each track
    is a target of its own.
    """

  def num_frames(self, track: int) -> int:
    """Number of frames in which this target is labeled."""

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """The surroundings of a target.

    Args:
      track: 0 .. num_tracks - 1.
      position: 0 .. num_frames(track) - 1.
      patch: side of the result, odd, at most 511.

    Returns:
      [patch, patch, 3] uint8 BGR, the target's center in its center, at the
      scale at which the context square (geometry.context_side) is 127 pixels;
      and [2] float32 width and height of the target in it.
    """
