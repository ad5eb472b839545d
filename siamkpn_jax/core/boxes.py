"""Axis-aligned boxes: overlap, and the check of a user's box.

Formats, in the names of arguments and variables:
  xywh: left, top, width, height.
  cxcywh: center x, center y, width, height.
  xyxy: left, top, right, bottom.
All are floats in pixels, 0-based, continuous: width = right - left.
"""

import numpy as np
from numpy.typing import ArrayLike

from siamkpn_jax.core.errors import UserError

LARGEST = 2  # times a side of the frame may be that of a target's box


def xywh_around(center: np.ndarray, size: np.ndarray) -> np.ndarray:
  """[2] x, y and [2] width, height -> [4] left, top, width, height, float64."""
  box = np.array([*center, *size], np.float64)
  box[:2] -= box[2:] / 2
  return box


def iou_xywh(a_xywh: np.ndarray, b_xywh: np.ndarray) -> np.ndarray:
  """Intersection over union, broadcasting: [..., 4], [..., 4] -> [...].

  Two boxes of no area have overlap 0.
  """
  low = np.maximum(a_xywh[..., :2], b_xywh[..., :2])
  high = np.minimum(a_xywh[..., :2] + a_xywh[..., 2:],
                    b_xywh[..., :2] + b_xywh[..., 2:])
  inter = np.prod(np.maximum(high - low, 0), axis=-1)
  union = (np.prod(a_xywh[..., 2:], axis=-1) +
           np.prod(b_xywh[..., 2:], axis=-1) - inter)
  return np.where(union > 0, inter / np.maximum(union, 1e-12), 0.0)


def check_box(box_xywh: ArrayLike, frame_width: int,
              frame_height: int) -> np.ndarray:
  """Checks that a target box can be followed in a frame.

  A box that is partly outside is accepted, as objects at the border are
  annotated so; it is returned as given, not clipped. One without a whole pixel
  shows nothing; one much larger than the frame is no object in it.

  Args:
    box_xywh: [4] left, top, width, height in pixels.
    frame_width: width of the frame in pixels.
    frame_height: height of the frame in pixels.

  Returns:
    The box, float64 [4].

  Raises:
    UserError: not four finite numbers, fractions of the frame, a side of less
      than a pixel or more than `LARGEST` times the frame's, or no overlap with
      the frame.
  """
  try:
    box = _as_numbers(box_xywh)
  except (TypeError, ValueError, OverflowError):
    # Text, lists of unequal length, an integer of a thousand digits.
    box = np.empty(0)
  text = (','.join(f'{value:g}' for value in box[:8].ravel()[:8])
          if box.ndim else '') or ' '.join(repr(box_xywh).split())[:80]
  if box.shape != (4,) or not np.isfinite(box).all():
    raise UserError(f'box {text}: expected four finite '
                    'numbers left,top,width,height in pixels')
  left, top, width, height = box.tolist()
  if width <= 0 or height <= 0:
    raise UserError(f'box {text}: width and height must be positive; expected '
                    'left,top,width,height, not the corners x1,y1,x2,y2')
  if min(width, height) < 1 or max(box) <= 1:  # a pixel in the very corner
    raise UserError(f'box {text}: width and height must be 1 pixel or more; '
                    'expected left,top,width,height in pixels, not as '
                    'fractions of the frame')
  if width > LARGEST * frame_width or height > LARGEST * frame_height:
    raise UserError(f'box {text}: more than {LARGEST} times as large as the '
                    f'{frame_width}x{frame_height} frame; expected '
                    'left,top,width,height of an object in the first frame')
  if (left >= frame_width or top >= frame_height or
      left + width <= 0 or top + height <= 0):
    raise UserError(
        f'box {text}: lies outside the {frame_width}x{frame_height} frame; '
        'expected left,top,width,height in pixels of the first frame')
  return box


def _as_numbers(values: ArrayLike) -> np.ndarray:
  """As float64; TypeError for what NumPy would make numbers of.

  Those are dates, truth values, text, the real part of complex numbers, and
  what a mask hides.
  """
  array = np.asanyarray(values)
  elements = array.reshape(-1)[:8].tolist() if array.dtype == object else []
  if (array.dtype.kind in 'bcmMSU' or np.ma.is_masked(array) or
      any(isinstance(e, str | bytes | bool | np.generic) and
          np.asarray(e).dtype.kind not in 'iuf' for e in elements)):
    raise TypeError(f'{array.dtype} is no number')
  return np.array(array, np.float64)
