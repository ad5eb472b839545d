"""Training crops in the layout that pysot's scripts write.

`<folder>/train.json` holds {video: {track: {frame: [x1, y1, x2, y2]}}} in
pixels of the original image; the crop of a frame, 511 pixels square, is
`<video>/<frame>.<track>.x.jpg` in `<folder>/crop511` or, without such a folder,
in `<folder>`.
"""

import json
import math
from pathlib import Path

import numpy as np

from siamkpn_jax import geometry
from siamkpn_jax.data.tracks import Dropped
from siamkpn_jax.errors import UserError
from siamkpn_jax.images import read_image

ANNOTATIONS = 'train.json'
_LOOKED_AT = 100  # tracks


class Crop511Source:
  """Tracks of a crop511 folder; boxes without a positive side are dropped."""

  kind = 'crop511'

  def __init__(self, name: str, folder: Path):
    """Reads the annotations.

    Args:
      name: of the set.
      folder: that holds train.json.

    Raises:
      UserError: the annotations are missing, damaged, or hold no usable box.
    """
    self.name = name
    self.dropped = Dropped()
    images = folder / 'crop511'
    self._images = images if images.is_dir() else folder
    # Per track: the files of its frames and [t, 2] sizes in original pixels.
    self._tracks: list[tuple[list[str], np.ndarray]] = []
    path = folder / ANNOTATIONS
    try:
      videos = json.loads(path.read_text())
      for video, tracks in videos.items():
        for track, frames in tracks.items():
          self._add(video, track, frames)
    except (OSError, ValueError, AttributeError, TypeError) as error:
      raise UserError(
          f'{path}: cannot be read as annotations ({error}); expected '
          '{video: {track: {frame: [x1, y1, x2, y2]}}}') from error
    if not self._tracks:
      raise UserError(f'{path}: holds no box with positive sides; expected at '
                      'least one track')
    some = [names[0] for names, _ in self._tracks[:_LOOKED_AT]]
    if not any((self._images / name).is_file() for name in some):
      raise UserError(f'{self._images}: holds none of the crops of {path.name},'
                      f' such as {some[0]}; expected the crops beside it')
    self.num_tracks = len(self._tracks)
    self.total_frames = sum(len(names) for names, _ in self._tracks)

  def _add(self, video: str, track: str, frames: dict) -> None:
    names, sizes = [], []
    for frame in sorted((f for f in frames if f.isdigit()), key=int):
      x1, y1, x2, y2 = map(float, frames[frame])
      w, h = x2 - x1, y2 - y1
      file = f'{video}/{int(frame):06d}.{track}.x.jpg'
      if w > 0 and h > 0 and math.isfinite(w * h):
        names.append(file)
        sizes.append((w, h))
      else:
        self.dropped.add('frames: box without an area', file)
    if not names:
      self.dropped.add('tracks: without a usable frame', f'{video}/{track}')
    else:
      self._tracks.append((names, np.asarray(sizes)))

  def num_frames(self, track: int) -> int:
    """See `Source`."""
    return len(self._tracks[track][0])

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`.

    Raises:
      UserError: the crop is missing, damaged or not 511 pixels square.
    """
    names, sizes = self._tracks[track]
    path = self._images / names[position]
    image = read_image(path)
    size = geometry.CONTEXT_SIZE
    if image.shape[:2] != (size, size):
      raise UserError(f'{path}: {image.shape[1]}x{image.shape[0]} pixels; '
                      f'expected a {size}x{size} crop')
    w, h = sizes[position]
    scale = geometry.TEMPLATE_SIZE / geometry.context_side(w, h)
    low = (size - patch) // 2
    image = image[low:low + patch, low:low + patch]
    return image, np.asarray([w * scale, h * scale], np.float32)
