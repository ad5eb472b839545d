"""The frames of a video file, each at its own number.

OpenCV delivers the frames that it can decode, one after the other. Of a damaged
file it says that a read failed, which is also its only sign of the end, or it
skips a frame without a word; frame_numbers.py finds out which ones are missing.
"""

import contextlib
import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.frame_numbers import FrameNumbers
from siamkpn_jax.tracking.opened_video import opened
from siamkpn_jax.tracking.quiet import quiet


class VideoFile:
  """An open video file.

  Attributes:
    fps: frames per second, as the file says.
    count: announced number of frames, None if the file does not say.
  """

  def __init__(self, name: str) -> None:
    """Opens a file.

    Raises:
      UserError: it is no video.
    """
    self._name, self._stack = name, contextlib.ExitStack()
    self._capture = self._stack.enter_context(opened(name))
    if not self._capture.isOpened():
      self._stack.close()
      raise UserError(
          f'{name}: cannot be opened as a video; expected a format that OpenCV '
          'reads (mp4, avi, mkv, ...): check that it plays, or use a folder of '
          'images')
    # Phones store what the sensor sees, and how to turn it: frames are upright.
    self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    self.fps = self._capture.get(cv2.CAP_PROP_FPS)
    count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
    self.count = int(count) if 0 < count < 2**31 else None

  def frames(self) -> Iterator[np.ndarray | None]:
    """Yields [h, w, 3] uint8 BGR frames, None for what cannot be decoded."""
    numbers = FrameNumbers(self._name, self.fps, self.count)
    failures = 0  # since the last frame
    with self._stack:
      while not numbers.ended(failures):
        with quiet():
          decoded, frame = self._capture.read()
        if not decoded:
          failures += 1
          continue
        lost = numbers.lost_before(
            self._capture.get(cv2.CAP_PROP_POS_MSEC), failures)
        failures = 0
        if lost is not None:
          yield from itertools.repeat(None, lost)
          yield frame
      yield from itertools.repeat(None, numbers.lost_at_the_end())
