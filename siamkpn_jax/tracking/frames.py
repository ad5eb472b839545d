"""Frames as programs have them: BGR or RGB, gray, bytes or floats.

The trackers work on [h, w, 3] uint8 BGR. Such a frame is used as it is, without
a copy; others are converted here, where a tracker takes them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError

COLORS = ('bgr', 'rgb')


def check_color(color: str) -> bool:
  """Whether frames are RGB.

  Raises:
    UserError: an order of channels that is not known.
  """
  if color not in COLORS:
    raise UserError(f"color {color!r}; expected 'bgr', as OpenCV has frames, "
                    "or 'rgb'")
  return color == 'rgb'


def as_bgr(frame: Any, *, rgb: bool = False) -> np.ndarray:
  """A frame as the trackers work on it, [h, w, 3] uint8 BGR.

  Args:
    frame: [h, w, 3], or gray: [h, w] or [h, w, 1]; uint8, or floats 0..1, which
      are multiplied by 255 and rounded.
    rgb: whether three channels are RGB.

  Raises:
    NoFrameError: no array.
    ValueError: an array of another shape, type or range.
  """
  if isinstance(frame, np.ndarray) and frame.size and (
      frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] in (1, 3))):
    if frame.dtype.kind == 'f':
      frame = _bytes(frame)
    if frame.dtype == np.uint8 and frame.shape[2:] != (3,):
      return cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_GRAY2BGR)
  frame_size(frame)
  if rgb:
    return cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2BGR)
  return frame


def frames_of(targets: Iterable[int], frames: Any, *, rgb: bool = False
              ) -> dict[int, np.ndarray]:
  """The frame of each target; one of several targets is converted once.

  Args:
    targets: whose frame `frames` is where it is no mapping.
    frames: one for all, or a mapping from target to frame.
    rgb: as of `as_bgr`.

  Raises:
    ValueError: as `as_bgr`.
  """
  if not isinstance(frames, Mapping):
    return dict.fromkeys(targets, as_bgr(frames, rgb=rgb))
  different = {id(frame): frame for frame in frames.values()}
  converted = {key: as_bgr(frame, rgb=rgb) for key, frame in different.items()}
  return {target: converted[id(frame)] for target, frame in frames.items()}


def _bytes(frame: np.ndarray) -> np.ndarray:
  """Floats 0..1 -> uint8."""
  low, high = float(frame.min()), float(frame.max())
  if not (low >= 0 and high <= 1):  # nan included
    raise ValueError(
        f'frame of {frame.dtype} with values from {low:g} to {high:g}; '
        'expected uint8 0..255, or floats 0..1: use '
        'frame.astype(numpy.uint8) if they are 0..255, or scale them')
  return np.rint(frame.astype(np.float32) * 255).astype(np.uint8)


class NoFrameError(TypeError, ValueError):
  """Something that is no array of pixels."""


def frame_size(frame: np.ndarray) -> tuple[int, int]:
  """Width and height of a [h, w, 3] uint8 frame.

  Raises:
    NoFrameError: None, an image of another library, a list, ...
    ValueError: an array of another shape or type.
  """
  if not isinstance(frame, np.ndarray):
    raise NoFrameError(_no_array(frame))
  if (frame.ndim != 3 or frame.shape[2] != 3 or not frame.size or
      frame.dtype != np.uint8):
    raise ValueError(f'frame of shape {frame.shape}, {frame.dtype}; expected '
                     f'[h, w, 3] uint8, or gray [h, w]{_advice(frame)}')
  return frame.shape[1], frame.shape[0]


def _no_array(frame: object) -> str:
  if frame is None:
    return ('frame is None; expected [h, w, 3] uint8 BGR: cv2.imread and '
            'VideoCapture.read return None when they fail, so check the path, '
            'or that the video has not ended')
  kind = type(frame)
  advice = (': use frame.get()' if isinstance(frame, cv2.UMat) else
            ": use numpy.asarray(frame.convert('RGB'))[..., ::-1]"
            if kind.__module__.startswith('PIL.') else '')
  return (f'frame is a {kind.__name__}; expected a NumPy array [h, w, 3] uint8 '
          f'BGR{advice}')


def _advice(frame: np.ndarray) -> str:
  """How to make a frame of an array, where that is clear."""
  if not frame.size:
    return ': it has no pixels; check that the video has not ended'
  if frame.dtype == np.uint8:
    if frame.shape[2:] == (4,):
      return (': drop alpha, as cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR) does, '
              'or frame[..., :3]')
    return ''
  if frame.dtype == np.uint16:
    return ': scale its values to 0..255 first, by the depth of the camera'
  return ': scale its values to 0..255 first, and convert them'
