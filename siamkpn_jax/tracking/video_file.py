"""The frames of a video file, each at its own number.

OpenCV delivers the frames that it can decode, one after the other. Of a damaged
file it says that a read failed, which is also its only sign of the end, or it
skips a frame without a word; frame_numbers.py finds out which ones are missing.
"""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.foreign_files import foreign_kind
from siamkpn_jax.tracking.avi_repair import is_avi
from siamkpn_jax.tracking.container import check_beginning
from siamkpn_jax.tracking.frame_numbers import FrameNumbers
from siamkpn_jax.tracking.mp4_times import shown_times
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
      kind = foreign_kind(Path(name))
      reason = f', as it is {kind}' if kind else ''
      raise UserError(
          f'{name}: cannot be opened as a video{reason}; expected a format '
          'that OpenCV reads (mp4, avi, mkv, ...): check that it plays, or use '
          'a folder of images')
    try:
      check_beginning(name)
    except UserError:
      self._stack.close()
      raise
    # Phones store what the sensor sees, and how to turn it: frames are upright.
    self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    self.fps = self._capture.get(cv2.CAP_PROP_FPS)
    self._avi = is_avi(name)  # its time stamps are numbers of packets
    self._last = 0, 0.0  # number of the last frame, and its seconds
    count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
    self.count = int(count) if 0 < count < 2**31 else None
    shown = shown_times(name)
    if shown is not None:  # OpenCV counts what a trimmed file has
      self.count = len(shown)

  def frames(self) -> Iterator[np.ndarray | None]:
    """Yields [h, w, 3] uint8 BGR frames, None for what cannot be decoded."""
    self._numbers = numbers = FrameNumbers(self._name, self.fps, self.count)
    number = 0  # of the last frame, from 1
    failures = 0  # since the last frame
    with self._stack:
      while not numbers.ended(failures):
        with quiet():
          decoded, frame = self._capture.read()
        if not decoded:
          failures += 1
          continue
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        lost = numbers.lost_before(stamp, failures)
        failures = 0
        if lost is not None:
          number += lost + 1
          self._last = number, stamp / 1000
          yield from itertools.repeat(None, lost)
          yield frame
      yield from itertools.repeat(None, numbers.lost_at_the_end())

  def time_of(self, number: int) -> float:
    """Seconds of a frame, by its number from 1, not behind the last one read.

    Where the file has no time stamps, by its rate.
    """
    last, time = self._last
    by_rate = (number - 1) / self.fps if self.fps > 0 else 0.0
    if self._avi or (last > 1 and time <= 0):
      return by_rate
    return time if number == last else self._numbers.time_of(number)
