"""Cut-outs as pixels.

A sprite is [h, w, 4] uint8 BGRA whose colors are already multiplied by alpha,
so that scaling and turning it mixes no color of transparent pixels in. Around
it are transparent pixels.
"""

import contextlib
from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic.sprites import solid_box

_CONTEXT = 1.5 * geometry.TEMPLATE_SIZE  # pixels, of a sprite at most
_BORDER = 2  # transparent pixels around it
_MIN_SIDE = 6  # pixels; of less no object can be seen
_Item = TypeVar('_Item')


def from_alpha(bgra: np.ndarray) -> np.ndarray | None:
  """The sprite of an image [h, w, 4] uint8; None if it is (nearly) empty."""
  alpha = cv2.extractChannel(bgra, 3)
  color = cv2.multiply(bgra[..., :3], cv2.merge([alpha] * 3), scale=1 / 255)
  return _trimmed(cv2.merge([*cv2.split(color), alpha]))


def from_mask(image: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
  """The sprite of an image [h, w, 3] and its mask [h, w], both uint8.

  The edge is made soft, and a little narrower: its pixels hold some of what
  was behind the object.
  """
  soft = cv2.GaussianBlur(mask, (3, 3), 0)
  soft = cv2.convertScaleAbs(np.maximum(soft, 50) - 50, alpha=255 / 205)
  return from_alpha(cv2.merge([*cv2.split(image), soft]))


def decode_frames(data: bytes, where: str, most: int) -> list[np.ndarray]:
  """At most so many frames of a PNG or WebP file with alpha, evenly chosen.

  Returns:
    [h, w, 4] uint8 BGRA each; a still image is one frame.

  Raises:
    UserError: not such a file; names where it is from.
  """
  frames: list[np.ndarray] = []
  with contextlib.suppress(cv2.error):
    _, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8)[None])
    frames = list(animation.frames)
  if not frames or frames[0].dtype != np.uint8 or frames[0].shape[2:] != (4,):
    raise UserError(f'{where}: this cut-out cannot be read; expected an intact '
                    'PNG or WebP file with alpha, 8 bits per channel: replace '
                    'or remove it')
  return thinned(frames, most)


def thinned(items: Sequence[_Item], most: int) -> list[_Item]:
  """As many of one or more items, evenly chosen, from the first on."""
  count = min(most, len(items))
  return [items[k * len(items) // count] for k in range(count)]


def _trimmed(sprite: np.ndarray) -> np.ndarray | None:
  """Without what is transparent around it, and not larger than needed."""
  alpha = cv2.extractChannel(sprite, 3)
  _, _, width, height = solid_box(alpha)
  if min(width, height) < _MIN_SIDE:
    return None
  x, y, w, h = cv2.boundingRect(alpha)
  sprite = sprite[y:y + h, x:x + w]
  shrink = _CONTEXT / geometry.context_side(width, height)
  if shrink < 1:
    sprite = cv2.resize(sprite, (max(1, round(w * shrink)),
                                 max(1, round(h * shrink))),
                        interpolation=cv2.INTER_AREA)
    if not solid_box(cv2.extractChannel(sprite, 3))[2]:
      return None  # lines so thin that they are half transparent now
  return np.pad(sprite, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)))
