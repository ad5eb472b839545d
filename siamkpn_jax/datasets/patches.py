"""The context patch of a target, cut out of an image file.

A JPEG can be decoded at a half, a quarter or an eighth of its size by leaving
out high frequencies, which is much less work. That is done where the patch is
at least as much smaller than the image region; pixels would have to be averaged
there anyway.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import decode_image, image_size

_FLAGS = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2,
          4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


@dataclasses.dataclass(frozen=True)
class EncodedFrame:
  """An image file's content, and a target in the image.

  Attributes:
    data: the content.
    where: it is from, for messages.
    box_xywh: [4] left, top, width, height in pixels.
    relative: the box is in fractions of the image instead.
    side: what width and height of the image must be; None: anything.
  """

  data: bytes
  where: str
  box_xywh: np.ndarray
  relative: bool = False
  side: int | None = None


class Square(NamedTuple):
  """A part of an image: from low to high, [2] x and y in pixels each."""

  low: np.ndarray
  high: np.ndarray


def check_patch(patch: int) -> None:
  """Checks the side of a patch that is to be rendered.

  Raises:
    ValueError: it is even or too large.
  """
  if patch % 2 == 0 or not 0 < patch <= geometry.CONTEXT_SIZE:
    raise ValueError(f'patch is {patch}, must be odd and at most '
                     f'{geometry.CONTEXT_SIZE}')


def decode_frame(frame: EncodedFrame, factor: int,
                 unused_square: Square | None = None) -> np.ndarray:
  """[h, w, 3] uint8 BGR image at 1 / factor of its size.

  Raises:
    UserError: not an image.
  """
  return decode_image(frame.data, frame.where, _FLAGS[factor])


def decode_patch(frame: EncodedFrame, patch: int, *, reduce: bool = True,
                 decode: Callable[[EncodedFrame, int, Square | None],
                                  np.ndarray] = decode_frame
                 ) -> tuple[np.ndarray, np.ndarray]:
  """The surroundings of a target at the template's scale.

  Args:
    frame: the image and where the target is.
    patch: side of the result, pixels, odd.
    reduce: decode large JPEGs at a smaller scale.
    decode: how: `decode_frame`, or what gives the same image but for pixels
      outside of the square that is its third argument. That square is None, or
      partly outside of the image, if all pixels are needed.

  Returns:
    [patch, patch, 3] uint8 BGR with the target's center in its center, the
    image's mean color outside of the image; [2] float32 width and height of
    the target in it.

  Raises:
    UserError: the image cannot be decoded, or the box is outside of it.
  """
  box = box_in_pixels(frame)
  is_jpeg = frame.data.startswith(b'\xff\xd8')
  factor = reduction(box) if reduce and is_jpeg else 1
  image = decode(frame, factor, _needed(box, patch, factor))
  size = factor * np.array(image.shape[1::-1])
  if frame.side is not None and (size != frame.side).any():
    raise UserError(f'{frame.where}: {size[0]}x{size[1]} pixels; expected a '
                    f'{frame.side}x{frame.side} crop')
  if not ((box[:2] < size) & (box[:2] + box[2:] > 0)).all():
    raise UserError(f'{frame.where}: the box {np.round(box, 1).tolist()} is '
                    f'outside of the image of about {size[0]}x{size[1]} '
                    'pixels; expected the annotation of this image')
  return context_patch(image, box, patch, reduced=factor)


def box_in_pixels(frame: EncodedFrame) -> np.ndarray:
  """[4] float64 box xywh of a frame.

  Raises:
    UserError: the box is relative and the image cannot be decoded.
  """
  box = np.asarray(frame.box_xywh, np.float64)
  if frame.relative:
    width, height = image_size(frame.data, frame.where)
    box = box * [width, height, width, height]
  return box


def reduction(xywh: np.ndarray) -> int:
  """The largest of 1, 2, 4, 8 by which the patch is smaller than the region."""
  shrink = geometry.context_side(xywh[2], xywh[3]) / geometry.TEMPLATE_SIZE
  return 2**min(3, max(0, math.floor(math.log2(shrink))))


def context_patch(frame: np.ndarray, xywh: np.ndarray, patch: int, *,
                  reduced: int = 1) -> tuple[np.ndarray, np.ndarray]:
  """Cuts the patch of `decode_patch` out of [h, w, 3] uint8.

  The box is in pixels of the frame in its full size, of which this one is
  `reduced` times smaller.
  """
  scale = _scale(xywh)
  wh = (xywh[2:] * scale).astype(np.float32)
  xywh, zoom = xywh / reduced, np.full(2, scale * reduced)
  if zoom[0] < 0.5:  # bilinear sampling would skip pixels
    full = np.array(frame.shape[1::-1])
    small = np.maximum(np.floor(full * zoom * 1.999).astype(int), 1)
    frame = cv2.resize(frame, small.tolist(), interpolation=cv2.INTER_AREA)
    zoom, xywh = zoom * full / small, xywh * np.tile(small / full, 2)
  # Pixel i has its center at i + 0.5 of the box's continuous coordinates.
  center = xywh[:2] + xywh[2:] / 2 - 0.5
  corner = center - (patch - 1) / 2 / zoom
  low = np.round(corner).astype(int)
  if (np.abs(zoom - 1).max() < 1e-6 and np.abs(corner - low).max() < 1e-3 and
      low.min() >= 0 and (low + patch <= frame.shape[1::-1]).all()):
    return frame[low[1]:low[1] + patch, low[0]:low[0] + patch], wh
  warp = np.column_stack([np.diag(zoom), (patch - 1) / 2 - zoom * center])
  image = cv2.warpAffine(frame, warp, (patch, patch), flags=cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_CONSTANT,
                         borderValue=_fill(frame, center, patch / zoom))
  return image, wh


def central(image: np.ndarray, patch: int) -> np.ndarray:
  """The middle of a patch, a view; both sides are odd."""
  low = (len(image) - patch) // 2
  return image[low:low + patch, low:low + patch]


def _scale(xywh: np.ndarray) -> float:
  """Pixels of the patch per pixel of the image."""
  return geometry.TEMPLATE_SIZE / geometry.context_side(xywh[2], xywh[3])


def _needed(xywh: np.ndarray, patch: int, reduced: int) -> Square | None:
  """What `context_patch` samples; None: the frame is averaged before."""
  zoom = _scale(xywh) * reduced
  if zoom < 0.5:
    return None
  center = (xywh[:2] + xywh[2:] / 2) / reduced - 0.5
  return Square(center - patch / 2 / zoom, center + patch / 2 / zoom)


def _fill(frame: np.ndarray, center: np.ndarray, side: np.ndarray
          ) -> list[int]:
  """The mean color, or any if the square of a side [2] is inside."""
  low, high = center - side / 2, center + side / 2
  if low.min() > 0 and (high < np.array(frame.shape[1::-1]) - 1).all():
    return [0, 0, 0]
  return [math.floor(value) for value in cv2.mean(frame)[:3]]
