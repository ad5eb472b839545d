"""Silences OpenCV and the libraries inside it.

They write their own complaints to stderr. What fails becomes one `UserError`
instead, so they are silenced: OpenCV's logger around every call (`quiet`);
ffmpeg by OPENCV_FFMPEG_LOGLEVEL, which OpenCV reads once, when the process
opens its first video (set it yourself, 32 is "info", to see what ffmpeg has to
say); libpng and libjpeg, which have no such setting, by closing stderr to them
while they decode an image (`mute_stderr`).
"""

import contextlib
import os
import threading
from collections.abc import Iterator

import cv2

os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # AV_LOG_QUIET


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Keeps OpenCV from logging: its failures are reported by UserError.

  Blocks may overlap in any way, in several threads: the last one that ends
  restores the level.
  """
  logging = cv2.utils.logging
  with _quiet_lock:
    _levels.append(_levels[0] if _levels else logging.getLogLevel())
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
  try:
    yield
  finally:
    with _quiet_lock:
      level = _levels.pop()
      if not _levels:
        logging.setLogLevel(level)


_quiet_lock = threading.Lock()
_levels: list[int] = []  # that of the user, for each block that is under way


_stderr_lock = threading.Lock()  # two overlapping swaps would restore wrongly


@contextlib.contextmanager
def mute_stderr() -> Iterator[None]:
  """Sends what C libraries write to file descriptor 2 nowhere."""
  with _stderr_lock, contextlib.ExitStack() as stack:
    with contextlib.suppress(OSError):  # no stderr at all: nothing to mute
      saved = os.dup(2)
      stack.callback(os.close, saved)
      nowhere = os.open(os.devnull, os.O_WRONLY)
      stack.callback(os.close, nowhere)
      stack.callback(os.dup2, saved, 2)
      os.dup2(nowhere, 2)
    yield
