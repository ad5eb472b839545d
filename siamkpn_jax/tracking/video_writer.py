"""A video file, written frame by frame."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from siamkpn_jax.core.atomic_io import NO_ROOM
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.h264 import H264Encoder
from siamkpn_jax.tracking.h264 import available as h264_available
from siamkpn_jax.tracking.native_paths import native_path
from siamkpn_jax.tracking.quiet import quiet

# mp4v stores the rate as a fraction of 16-bit numbers: `_encodable` rounds it
# so that any rate in this range fits.
FPS_RANGE = (0.1, 600.0)
_FOURCC = {'.mp4': 'mp4v', '.avi': 'XVID'}
VIDEO_SUFFIXES = tuple(_FOURCC)


class VideoWriter:
  """Writes BGR frames to an .mp4 or .avi file; a context manager.

  An mp4 is H.264 where PyAV is installed. Leaving the `with` block finishes the
  file and checks that every frame is in it: OpenCV itself reports neither a
  full disk nor a failed encoder.
  """

  def __init__(self, path: str | os.PathLike[str], size: tuple[int, int],
               fps: float, *, shown: Path | None = None) -> None:
    """Opens the file.

    Args:
      path: ends in .mp4 or .avi; its folder exists.
      size: (width, height) in pixels of every frame. An odd side is padded
        by one row or column, as the codec wants even ones.
      fps: frames per second, within FPS_RANGE.
      shown: its name in messages; None: `path`.

    Raises:
      UserError: a file or rate that cannot be written.
    """
    self._name = os.path.abspath(path)
    self._shown = str(shown or self._name)
    self._pad = (size[1] % 2, size[0] % 2)  # bottom, right
    self._frames = 0
    check_fps(fps)
    padded = (size[0] + self._pad[1], size[1] + self._pad[0])
    self._encoder: H264Encoder | cv2.VideoWriter
    if browsers_play(path):
      with self._errors():
        self._encoder = H264Encoder(self._name, padded, _encodable(fps))
    else:
      self._encoder = _opencv_writer(
          self._name, padded, _encodable(fps), self._shown)

  def write(self, frame: np.ndarray, time: float | None = None) -> None:
    """Appends a frame, uint8 [h, w, 3] BGR of the size given at the start.

    Args:
      frame: to write.
      time: of it in seconds, ascending, kept in an H.264 mp4; None: by the
        rate.
    """
    if any(self._pad):
      frame = cv2.copyMakeBorder(frame, 0, self._pad[0], 0, self._pad[1],
                                 cv2.BORDER_REPLICATE)
    with quiet(), self._errors():
      if time is not None and isinstance(self._encoder, H264Encoder):
        self._encoder.write(frame, time)
      else:
        self._encoder.write(frame)
    self._frames += 1

  def __enter__(self) -> 'VideoWriter':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               traceback: TracebackType | None) -> None:
    if kind is not None:  # the file is given up: what it lacks is no news
      with quiet(), contextlib.suppress(OSError):
        self._encoder.release()
      return
    with quiet(), self._errors():
      self._encoder.release()
    if self._frames != _announced_frames(self._name):
      raise self._failed('it is too short', room=True)

  @contextlib.contextmanager
  def _errors(self) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise self._failed(str(error.strerror or error),
                         room=error.errno in NO_ROOM) from None

  def _failed(self, why: str, *, room: bool) -> UserError:
    expected = ('enough disk space: free some' if room else
                'a codec and a disk that take it: see to the cause')
    return UserError(
        f'{self._shown}: writing the video failed at frame {self._frames} '
        f'({why}); expected {expected}, or choose another --output')


def browsers_play(path: str | os.PathLike[str]) -> bool:
  """Whether `VideoWriter` makes a file of this name that browsers play."""
  return Path(path).suffix.lower() == '.mp4' and h264_available()


def _opencv_writer(name: str, size: tuple[int, int], fps: float,
                   shown: str) -> cv2.VideoWriter:
  fourcc = cv2.VideoWriter.fourcc(*_FOURCC[Path(name).suffix.lower()])
  with quiet(), native_path(name) as path:
    writer = cv2.VideoWriter(path, fourcc, fps, size)
  if not writer.isOpened():
    raise UserError(
        f'{shown}: OpenCV cannot write a {size[0]}x{size[1]} video '
        'here; expected a writable folder and OpenCV with FFmpeg: choose '
        'another --output, or write only --boxes')
  return writer


def _announced_frames(name: str) -> int:
  with quiet(), native_path(name) as path:
    capture = cv2.VideoCapture(path)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
  return count


def check_fps(fps: float) -> None:
  """Raises UserError for a rate that a video file cannot have."""
  if not is_valid_fps(fps):
    low, high = FPS_RANGE
    raise UserError(f'fps {fps}: expected frames per second between {low} '
                    f'and {high}: choose another --fps')


def _encodable(fps: float) -> float:
  return round(fps, 3 if fps < 65 else 2)  # 65.000 = 65000 / 1000 < 2**16


def is_valid_fps(fps: float) -> bool:
  """Whether a video file can have such a rate."""
  return math.isfinite(fps) and FPS_RANGE[0] <= fps <= FPS_RANGE[1]
