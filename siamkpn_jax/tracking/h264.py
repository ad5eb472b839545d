"""H.264 in mp4, which every browser plays, by PyAV (the extra `video`)."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from siamkpn_jax.tracking.native_paths import native_path

_CODEC = 'libx264'
_TICK = Fraction(1, 90000)  # seconds, of time stamps
# Nothing of a box's thin lines is lost, at the size of MPEG-4 part 2.
_OPTIONS = {'crf': '18', 'preset': 'veryfast'}


def available() -> bool:
  """Whether PyAV is installed, with an encoder."""
  try:
    import av
  except ImportError:  # not installed, or it does not find its libraries
    return False
  return _CODEC in av.codecs_available


class H264Encoder:
  """Writes a file, with what `VideoWriter` needs of an encoder."""

  def __init__(self, path: str, size: tuple[int, int], fps: float) -> None:
    """Opens a file.

    Args:
      path: of it; it is an mp4 whatever its name.
      size: (width, height), both even.
      fps: frames per second.

    Raises:
      OSError: it cannot be written.
    """
    import av
    self._stack = contextlib.ExitStack()
    self._ticks, self._first = -1, 0.0  # of the last frame; of the first one
    name = self._stack.enter_context(native_path(path))
    with _os_errors():
      self._file: Any = av.open(
          name, 'w', format='mp4', options={'movflags': '+faststart'})
    self._stream = _add_stream(self._file, size, fps)

  def write(self, frame: np.ndarray, time: float | None = None) -> None:
    """Appends a frame, uint8 [h, w, 3] BGR; an OSError if it cannot.

    Args:
      frame: to append.
      time: of it in seconds; None: by the rate. Either for all or for none.
    """
    import av
    picture = av.VideoFrame.from_ndarray(frame, format='bgr24')
    if time is not None:
      if self._ticks < 0:
        self._stream.codec_context.time_base, self._first = _TICK, time
      self._ticks = max(self._ticks + 1,
                        round((time - self._first) / _TICK))
      picture.pts, picture.time_base = self._ticks, _TICK
    with _os_errors():
      self._file.mux(self._stream.encode(picture))

  def release(self) -> None:
    """Finishes the file; an OSError if it cannot."""
    with self._stack, _os_errors():  # closing opens the file once more
      try:
        self._file.mux(self._stream.encode(None))
      finally:
        self._file.close()


def _add_stream(file: Any, size: tuple[int, int], fps: float) -> Any:
  rate = Fraction(fps).limit_denominator(1001)
  stream = file.add_stream(_CODEC, rate=rate, options=_OPTIONS)
  stream.width, stream.height = size
  stream.pix_fmt = 'yuv420p'  # the only one that browsers know
  return stream


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
  """Errors of FFmpeg as what they mean here: the file cannot be written."""
  import av
  try:
    yield
  except av.FFmpegError as error:
    raise OSError(error.errno, error.strerror) from error
