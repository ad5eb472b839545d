"""The synthetic videos as a training source, and as an OTB folder."""

import functools
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.patches import check_patch, context_patch
from siamkpn_jax.datasets.synthetic.scene import Scene
from siamkpn_jax.datasets.tracks import Dropped

SPLITS = ('train', 'val', 'test')
_LENGTH = 60  # frames of a video
_MAX_SEED = 2**30


def split_seed(split: str, seed: int) -> int:
  """The seed of one split of a data set; no two splits share one.

  Everything in a video, textures included, comes from its seed, so nothing of
  one split is seen in another.

  Raises:
    UserError: an unknown split, or a seed outside 0..2**30 - 1.
  """
  if split not in SPLITS:
    raise UserError(f'unknown split {split!r} of the synthetic videos; '
                    f'expected one of {", ".join(SPLITS)}')
  if not 0 <= seed < _MAX_SEED:
    raise UserError(f'seed {seed} of the synthetic videos is out of range; '
                    f'expected 0 to {_MAX_SEED - 1}')
  return seed * len(SPLITS) + SPLITS.index(split)


@functools.lru_cache(maxsize=64)
def _scene(seed: int, index: int) -> Scene:
  """Keeps the last videos (about 0.8 MB each)."""
  return Scene(seed, index, length=_LENGTH)


class SyntheticSource:
  """Training source of endless videos, drawn when they are read."""

  name = 'synthetic'
  kind = 'rendered'
  groups = None
  num_tracks = 1_000_000
  total_frames = num_tracks * _LENGTH

  def __init__(self, seed: int):
    """Nothing is drawn yet; the seed is from `split_seed`."""
    self.dropped = Dropped()
    self._seed = seed

  def num_frames(self, track: int) -> int:
    """See `Source`."""
    del track
    return _LENGTH

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`; outside the frame is its mean color.

    Raises:
      ValueError: the patch is even or too large.
    """
    check_patch(patch)
    frame, xywh = _scene(self._seed, track).render(position)
    return context_patch(frame, xywh, patch)


def write_otb(root: str | Path, *, seed: int, count: int,
              length: int = _LENGTH) -> list[str]:
  """Writes videos the way OTB-100 lies on disk; returns their names.

  root/synthetic_000/img/0001.jpg, ... and groundtruth_rect.txt with one
  "x,y,w,h" per frame, 1-based as OTB has it; the seed is from `split_seed`.
  """
  names = [f'synthetic_{index:03d}' for index in range(count)]
  for index, name in enumerate(names):
    folder = Path(root) / name
    (folder / 'img').mkdir(parents=True, exist_ok=True)
    scene, lines = Scene(seed, index, length=length), []
    for t in range(length):
      frame, (x, y, w, h) = scene.render(t)
      # imwrite returns False where write_bytes says what is wrong.
      (folder / 'img' / f'{t + 1:04d}.jpg').write_bytes(
          cv2.imencode('.jpg', frame)[1].tobytes())
      lines.append(f'{x + 1:.2f},{y + 1:.2f},{w:.2f},{h:.2f}\n')
    (folder / 'groundtruth_rect.txt').write_text(''.join(lines), 'ascii')
  return names
