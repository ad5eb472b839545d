"""Crops of a frame as the released tracker makes them (SPEC 1).

On the host, by OpenCV: only a 255-pixel crop travels to the device, not the
frame, and frames of any size share one compiled program (perf/crop.py).
"""

import dataclasses
import math
from typing import Any

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.tracking.frames import frame_size

_LARGE = 8  # times the output; beyond it only the pixels in use are read


def crop_square(frame: np.ndarray, center: np.ndarray, side: float,
                output: int, fill: np.ndarray) -> np.ndarray:
  """A square of the frame, resized.

  Args:
    frame: [h, w, 3] uint8.
    center: [2] x, y, pixels of the frame.
    side: of the square in the frame, pixels; rounded to an integer.
    output: side of the result.
    fill: [3] uint8 color outside the frame.

  Returns:
    [output, output, 3] uint8.
  """
  left, top, pixels = window(center, side)
  if pixels > _LARGE * output:
    return _sampled(frame, left, top, pixels, output, fill)
  patch = _padded(frame, left, top, pixels, fill)
  if pixels == output:
    return patch.copy()  # not a view of a frame that the caller may reuse
  return cv2.resize(patch, (output, output), interpolation=cv2.INTER_LINEAR)


def window(center: np.ndarray, side: float) -> tuple[int, int, int]:
  """The pixels of a square: its left and top, which may be outside, and side.

  Args:
    center: [2] x, y, pixels of the frame.
    side: in pixels; rounded to an integer.
  """
  # Reference: the released rounding; the left edge is
  # floor(c - (side + 1) / 2 + 0.5).
  side = max(1, round(side))
  left, top = (
      math.floor(float(c) - (side + 1) / 2 + 0.5) for c in center[:2])
  return left, top, side


def _padded(frame: np.ndarray, left: int, top: int, side: int,
            fill: np.ndarray) -> np.ndarray:
  height, width = frame.shape[:2]
  x0, x1 = max(left, 0), min(left + side, width)
  y0, y1 = max(top, 0), min(top + side, height)
  if (x0, y0, x1, y1) == (left, top, left + side, top + side):
    return frame[y0:y1, x0:x1]
  if x0 >= x1 or y0 >= y1:  # nothing of the frame
    return np.full((side, side, 3), fill, np.uint8)
  return cv2.copyMakeBorder(
      frame[y0:y1, x0:x1], y0 - top, top + side - y1, x0 - left,
      left + side - x1, cv2.BORDER_CONSTANT, value=fill.tolist())


def _sampled(frame: np.ndarray, left: int, top: int, side: int, output: int,
             fill: np.ndarray) -> np.ndarray:
  """What `cv2.resize` makes of a padded square, from the pixels it looks at.

  It weighs four pixels for each of the output, in fixed-point numbers.
  """
  height, width = frame.shape[:2]
  place, weight = _taps(side, output)
  rows, columns = place + top, place + left
  pixels = frame[np.ix_(np.clip(rows, 0, height - 1).ravel(),
                        np.clip(columns, 0, width - 1).ravel())]
  outside = ((rows < 0) | (rows >= height)).ravel()[:, None] | (
      (columns < 0) | (columns >= width)).ravel()
  pixels[outside] = fill
  pixels = pixels.reshape(2, output, 2, output, 3).astype(np.int32)
  lines = np.einsum('rycxk,cx->ryxk', pixels, weight)
  upper, lower = (lines >> 4) * weight[:, :, None, None] >> 16
  return ((upper + lower + 2) >> 2).astype(np.uint8)


def _taps(side: int, output: int) -> tuple[np.ndarray, np.ndarray]:
  """[2, output] pixels that a pixel is made of, and weights of sum 2048."""
  exact = (np.arange(output) + 0.5) * (side / output) - 0.5
  first = np.floor(exact.astype(np.float32)).astype(np.int64)
  part = exact.astype(np.float32) - first.astype(np.float32)
  weight = np.stack([1 - part, part])
  return (np.stack([first, first + 1]),
          np.rint(weight * np.float32(2048)).astype(np.int32))


def mean_color(frame: np.ndarray) -> np.ndarray:
  """[h, w, 3] -> [3] uint8, the mean truncated to integers."""
  # Exact: cv2.mean multiplies by 1 / n, which may end below an integer.
  pixels = frame.shape[0] * frame.shape[1]
  return (np.asarray(cv2.sumElems(frame)[:3]) // pixels).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class TemplateInput:
  """What is taken from the first frame.

  Attributes:
    crop: [127, 127, 3] uint8 template crop.
    center: [2] float32 of the box, frame pixels.
    size: [2] float32 width and height, frame pixels.
    fill: [3] uint8 color outside the frame.
  """

  crop: np.ndarray
  center: np.ndarray
  size: np.ndarray
  fill: np.ndarray


def template_input(frame: np.ndarray, box_xywh: Any) -> TemplateInput:
  """The target in the first frame.

  Args:
    frame: [h, w, 3] uint8 BGR.
    box_xywh: left, top, width, height; pixels.

  Raises:
    UserError: the box is outside the frame or has a side that is not positive.
    ValueError: another kind of frame.
  """
  width, height = frame_size(frame)
  x, y, w, h = check_box(box_xywh, width, height)
  # Reference: the released program takes x + (w - 1) / 2 as the center.
  center = np.asarray([x + (w - 1) / 2, y + (h - 1) / 2], np.float32)
  fill = mean_color(frame)
  crop = crop_square(frame, center, geometry.context_side(w, h),
                     geometry.TEMPLATE_SIZE, fill)
  return TemplateInput(crop, center, np.asarray([w, h], np.float32), fill)


def search_scale(size: np.ndarray) -> float:
  """Crop pixels per frame pixel, for a target of [2] width and height."""
  return geometry.TEMPLATE_SIZE / geometry.context_side(*map(float, size))


def search_crop(frame: np.ndarray, center: np.ndarray, scale: float,
                fill: np.ndarray, side: int = geometry.SEARCH_SIZE
                ) -> np.ndarray:
  """[side, side, 3] uint8 part of a frame around a center [2]."""
  return crop_square(frame, center, side / scale, side, fill)
