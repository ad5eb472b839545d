"""Tracks whose frames are whole images, as their owners ship them."""

from pathlib import Path

import numpy as np

from siamkpn_jax.data.index import Index
from siamkpn_jax.data.patches import read_patch
from siamkpn_jax.data.tracks import Dropped


class ImageSource:
  """The tracks of an index; see `Source`."""

  def __init__(self, name: str, kind: str, folder: Path, index: Index,
               dropped: Dropped):
    """Reads nothing yet.

    Args:
      name: of the set.
      kind: of its layout.
      folder: of the set.
      index: of its usable frames.
      dropped: the frames that are not in the index.
    """
    self.name = name
    self.kind = kind
    self.num_tracks = index.num_tracks
    self.total_frames = len(index.names)
    self.dropped = dropped
    self._folder = folder
    self._index = index

  def num_frames(self, track: int) -> int:
    """See `Source`."""
    starts = self._index.starts
    return int(starts[track + 1] - starts[track])

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`.

    Raises:
      UserError: the image is missing or damaged.
    """
    index = self._index
    frame = int(index.starts[track]) + position
    return read_patch(
        self._folder / index.image(frame), index.boxes_xywh[frame], patch,
        relative=bool(index.relative[track]))
