"""Cameras and streams, read by a thread of their own.

A tracker that is slower than a camera must not fall behind: of a live source
only the newest frame is kept, the others are counted. A stream with an end, as
a file behind a URL, waits for the tracker instead. Nobody waits for a source
that hangs longer than its timeout.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.quiet import quiet

TIMEOUT = 10.0  # seconds
_POLL = 0.1  # seconds between two looks at Ctrl-C
_HELD = 17  # frames that a decoder may still give after a silence, and one


class LiveReader:
  """Frames of a camera or a stream.

  Attributes:
    fps: frames per second, as the source says; 0 if it does not.
    count: announced number of frames of a stream with an end, else None.
    live: whether the source never ends by itself.
    dropped: frames that came while the tracker was busy.
    hung: whether the source went silent, which ended it.
    time: of the last frame in seconds since the first one.
  """

  def __init__(self, source: str | int, timeout: float = TIMEOUT) -> None:
    """Opens a source.

    Args:
      source: URL or the index of a camera.
      timeout: seconds to wait for the source to open, and for any frame.

    Raises:
      UserError: it cannot be opened, or hangs.
    """
    self.name = (f'camera {source}' if isinstance(source, int) else
                 without_password(source))
    self._source, self._timeout = source, timeout
    self.fps, self.live = 0.0, True
    self.count: int | None = None
    self.dropped, self.hung, self.time = 0, False, 0.0
    self._changed = threading.Condition()
    self._opened: bool | None = None
    self._ended = self._closed = False
    self._frame: tuple[np.ndarray, float] | None = None
    threading.Thread(target=self._read, name='frames', daemon=True).start()
    if not self._wait(lambda: self._opened is not None, timeout + 1):
      self.close()
      raise _hangs(self.name, timeout)
    if not self._opened:
      raise _no_source(source, time.monotonic() - self._began >= timeout,
                       timeout)

  def frames(self) -> Iterator[np.ndarray]:
    """Yields [h, w, 3] uint8 BGR frames."""
    first: float | None = None
    try:
      while True:
        if not self._wait(lambda: self._frame is not None or self._ended,
                          self._timeout):
          self.hung = True
          return
        with self._changed:
          taken, self._frame = self._frame, None
          self._changed.notify_all()
        if taken is None:
          return
        first = taken[1] if first is None else first
        self.time = taken[1] - first
        yield taken[0]
    finally:
      self.close()

  def close(self) -> None:
    """Lets the thread end, when the source answers it."""
    with self._changed:
      self._closed = True
      self._changed.notify_all()

  def _wait(self, done: Callable[[], bool], seconds: float) -> bool:
    """Waits in small pieces, so that Ctrl-C is noticed."""
    until = time.monotonic() + seconds
    with self._changed:
      while not done():
        if time.monotonic() > until:
          return False
        self._changed.wait(_POLL)
    return True

  def _read(self) -> None:
    """The thread."""
    self._began = time.monotonic()
    with quiet(), contextlib.suppress(cv2.error):
      capture = self._open()
      try:
        self._announce(capture)
        began = self._began  # opening waits for the first data
        held = 0
        while self._opened and not self._closed:
          decoded, frame = capture.read()
          late = time.monotonic() - began > 0.9 * self._timeout
          held = _HELD if late else held - 1
          if not decoded:  # OpenCV may give up before `frames` does
            self.hung = held > 0
            break
          stamp = (time.monotonic() if self.live else
                   capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
          self._put(frame, stamp)
          began = time.monotonic()
      finally:
        capture.release()
    with self._changed:
      self._opened = bool(self._opened)
      self._ended = True
      self._changed.notify_all()

  def _open(self) -> cv2.VideoCapture:
    if isinstance(self._source, int):
      return cv2.VideoCapture(self._source)
    wait = max(int(self._timeout * 1000), 1)
    return cv2.VideoCapture(self._source, cv2.CAP_FFMPEG, [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait])

  def _announce(self, capture: cv2.VideoCapture) -> None:
    if capture.isOpened():
      self.fps = capture.get(cv2.CAP_PROP_FPS)
      count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
      if not isinstance(self._source, int) and 0 < count < 2**31:
        self.count, self.live = int(count), False
    with self._changed:
      self._opened = capture.isOpened()
      self._changed.notify_all()

  def _put(self, frame: np.ndarray, stamp: float) -> None:
    with self._changed:
      while not (self.live or self._closed or self._frame is None):
        self._changed.wait()
      self.dropped += self._frame is not None and not self._closed
      self._frame = frame, stamp
      self._changed.notify_all()


def is_url(name: str) -> bool:
  """Whether a stream is meant."""
  return bool(re.match(r'(rtsps?|rtmps?|https?|udp|rtp|srt|tcp)://', name,
                       re.IGNORECASE))


def without_password(url: str) -> str:
  """The URL as messages and files may name it."""
  return re.sub('(?<=://)[^/?#]*@', '***@', url)


def _no_source(source: str | int, late: bool, timeout: float) -> UserError:
  if isinstance(source, int):
    return UserError(f'input {source}: no such file, folder or camera; '
                     'expected a video file, a folder of images or a camera '
                     'index: check that the camera is connected')
  if late:
    return _hangs(without_password(source), timeout)
  return UserError(f'{without_password(source)}: cannot be opened as a video '
                   'stream; expected the address of a video or camera that '
                   'answers: check it')


def _hangs(name: str, timeout: float) -> UserError:
  return UserError(f'{name}: no frame within {timeout:g} s; expected a source '
                   'that sends frames: check it, or wait longer with --timeout')
