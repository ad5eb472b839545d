"""Crops of a frame as the released tracker makes them (SPEC 1).

On the host, by OpenCV: only a 255-pixel crop travels to the device, not the
frame, and frames of any size share one compiled program (perf/crop.py).
"""

import math

import cv2
import numpy as np


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


def mean_color(frame: np.ndarray) -> np.ndarray:
  """[h, w, 3] -> [3] uint8, the mean truncated to integers."""
  # Exact: cv2.mean multiplies by 1 / n, which may end below an integer.
  pixels = frame.shape[0] * frame.shape[1]
  return (np.asarray(cv2.sumElems(frame)[:3]) // pixels).astype(np.uint8)
