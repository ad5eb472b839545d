"""Pictures that scenes of cut-outs are made of, as large as scenes need them.

Cut-outs become WebP files of the size that they have in memory; animations
keep a few frames. Other pictures become JPEGs. Names stay, but for the ending.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.core.images import read_bytes, read_image
from siamkpn_jax.datasets.cutouts import sprites
from siamkpn_jax.datasets.cutouts.backdrop import ROOM
from siamkpn_jax.datasets.cutouts.library import (
  MIN_BACKDROP,
  list_pictures,
  without_padding,
)
from siamkpn_jax.datasets.shrinking.material import Frame, Material, encode_jpeg

# Of an animation. The frames of an object vary its looks; as many as of most
# tracks of a small copy.
_FRAMES = 4


def pictures(name: str, folder: Path, *, quality: int,
             share: float) -> Material:
  """The cut-outs and backdrops of a folder, each a track of one frame.

  Raises:
    UserError: there is no picture in it.
  """
  cutouts, backdrops = list_pictures(folder)
  paths = [Path(cutout.images[0]) for cutout in cutouts] + list(
      map(Path, backdrops))
  if not paths:
    raise UserError(f'{folder}: no images; expected images, or crops with '
                    'their train.json: correct config.data.cutouts')
  encoders: list[tuple[str, Callable[[Path], bytes]]] = [
      *[('.webp', functools.partial(cutout_file, quality=quality))
        ] * len(cutouts),
      *[('.jpg', functools.partial(backdrop_file, quality=quality))
        ] * len(backdrops)]

  def make(track: int, unused_frame: int) -> Frame | None:
    suffix, encode = encoders[track]
    path = paths[track]
    place = str(path.relative_to(folder))
    try:
      content = encode(path)
    except UnreachableError:
      raise
    except UserError:
      return None
    # An a.png may lie beside an a.jpg.
    return Frame({place if place.endswith(suffix) else place + suffix: content})

  return Material(name, 'pictures', [1] * len(paths), make,
                  lambda track, unused_frame: [paths[track]], lambda _: {},
                  share)


def cutout_file(path: Path, quality: int) -> bytes:
  """A cut-out as a WebP file, animated if the cut-out is.

  Raises:
    UserError: it cannot be read, or nothing is in it.
  """
  found = map(sprites.from_alpha, sprites.decode_frames(
      read_bytes(path), str(path), _FRAMES))
  frames = [_straight(sprite) for sprite in found if sprite is not None]
  if not frames:
    raise UserError(f'{path}: this cut-out is empty')
  animation = cv2.Animation()
  animation.frames = _of_one_size(frames)
  animation.durations = [100] * len(frames)
  parameters = [cv2.IMWRITE_WEBP_QUALITY, quality]
  if len(frames) == 1:
    return cv2.imencode('.webp', frames[0], parameters)[1].tobytes()
  return cv2.imencodeanimation('.webp', animation, parameters)[1].tobytes()


def backdrop_file(path: Path, quality: int) -> bytes:
  """A picture without its padding as a JPEG whose shorter side fills a scene.

  Raises:
    UserError: it cannot be read, or is smaller than what scenes take.
  """
  image = without_padding(read_image(path))
  if min(image.shape[:2]) < MIN_BACKDROP:
    raise UserError(f'{path}: this picture is too small')
  scale = ROOM / min(image.shape[:2])
  if scale < 1:
    image = cv2.resize(image, None, fx=scale, fy=scale,
                       interpolation=cv2.INTER_AREA)
  return encode_jpeg(image, quality)


def _straight(sprite: np.ndarray) -> np.ndarray:
  """[h, w, 4] BGRA whose colors are no longer multiplied by alpha."""
  alpha = np.maximum(sprite[..., 3:], 1).astype(np.float32)
  colors = np.minimum(np.round(sprite[..., :3] * (255 / alpha)), 255)
  return np.dstack([colors.astype(np.uint8), sprite[..., 3]])


def _of_one_size(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
  """[h, w, 4] each, transparent where they are smaller than the largest."""
  height, width = np.max([frame.shape[:2] for frame in frames], axis=0)
  return [cv2.copyMakeBorder(
      frame, 0, height - frame.shape[0], 0, width - frame.shape[1],
      cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)) for frame in frames]
