"""Tracks whose frames are image files: whole images or crops of them."""

from pathlib import Path

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.datasets.file_cache import FileCache
from siamkpn_jax.datasets.index import Index
from siamkpn_jax.datasets.patches import EncodedFrame, decode_patch
from siamkpn_jax.datasets.tracks import Dropped


class ImageSource:
  """The tracks of an index; see `Source`.

  Attributes:
    index: of the usable frames.
    groups: see `Source`.
  """

  def __init__(self, name: str, kind: str, folder: Path, index: Index,
               dropped: Dropped, cache: FileCache | None = None):
    """Reads nothing yet.

    Args:
      name: of the set.
      kind: of its layout.
      folder: of the set.
      index: of its usable frames.
      dropped: the frames that are not in the index.
      cache: what reads the files; None for one that keeps nothing.
    """
    self.name = name
    self.kind = kind
    self.num_tracks = index.num_tracks
    self.total_frames = len(index.names)
    self.dropped = dropped
    self._folder = folder
    self.index = index
    self._cache = cache or FileCache(0)
    is_crops = kind == 'crop511'
    self._side = geometry.CONTEXT_SIZE if is_crops else None
    # Crops of a video lie in its folder, whichever of its targets they show.
    self.groups = (index.folder_ids[index.starts[:-1]] if is_crops else
                   index.groups)

  def num_frames(self, track: int) -> int:
    """See `Source`."""
    starts = self.index.starts
    return int(starts[track + 1] - starts[track])

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`.

    Raises:
      UserError: the image is missing or damaged.
    """
    return decode_patch(self.load(track, position), patch)

  def load(self, track: int, position: int) -> EncodedFrame:
    """The file of a frame, not decoded; arguments as of `read`.

    Raises:
      UserError: the file is missing or cut.
    """
    index = self.index
    frame = int(index.starts[track]) + position
    path = self._folder / index.image(frame)
    return EncodedFrame(
        self._cache.read(path), str(path), index.boxes_xywh[frame],
        relative=bool(index.relative[track]), side=self._side)
