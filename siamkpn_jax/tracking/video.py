"""Frames in, from files, images, a camera or a stream; a video out."""

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_kinds import other_kind
from siamkpn_jax.core.images import SUFFIXES as IMAGE_SUFFIXES
from siamkpn_jax.tracking.h264 import H264Encoder
from siamkpn_jax.tracking.h264 import available as h264_available
from siamkpn_jax.tracking.image_frames import find_images, read_frame
from siamkpn_jax.tracking.live import TIMEOUT, LiveReader, is_url
from siamkpn_jax.tracking.native_paths import native_path
from siamkpn_jax.tracking.quiet import quiet
from siamkpn_jax.tracking.video_file import VideoFile

DEFAULT_FPS = 25.0

# mp4v stores the rate as a fraction of 16-bit numbers: `_encodable` rounds it
# so that any rate in this range fits.
FPS_RANGE = (0.1, 600.0)
_FOURCC = {'.mp4': 'mp4v', '.avi': 'XVID'}
VIDEO_SUFFIXES = tuple(_FOURCC)


class FrameSource:
  """A single pass over frames of one size; closes what it reads on exit.

  Attributes:
    name: where the frames come from, for messages.
    size: (width, height) in pixels of every frame.
    fps: frames per second; DEFAULT_FPS where the source does not say.
    rate: frames per second as a video file says, None if it does not.
    count: announced number of frames, None if unknown. A video's header may
      be wrong: what iteration yields is what counts.
    live: a camera, which ends only when it is told to.
    number: of the frame that iteration yielded last, from 1; frames that cannot
      be decoded have numbers, too. After the last one: of all frames.
    start: number of the first frame that is wanted.
    first: the first frame that can be decoded from there on.
    notes: what was unusual.
    reader: of a camera or a stream.
    files: names of the images, in order; empty for what is none.
  """

  files: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  rate: float | None = None
  reader: LiveReader | None = None

  def __init__(self, name: str, frames: Iterator[np.ndarray | None], *,
               fps: float = DEFAULT_FPS, count: int | None = None,
               live: bool = False, start: int = 1,
               time_of: Callable[[int], float] | None = None) -> None:
    """Reads up to the first frame.

    Args:
      name: where the frames come from, for messages.
      frames: yields uint8 [h, w, 3] BGR frames, None for one that cannot be
        decoded; a generator that frees what it holds when it is closed.
      fps: frames per second.
      count: announced number of frames, None if unknown.
      live: whether the source never ends by itself.
      start: number of the first frame that is wanted.
      time_of: seconds of a frame, by its number, up to the one just read; None
        where `fps` tells.

    Raises:
      UserError: not one frame can be read, from `start` on.
    """
    self.name, self.fps, self.count, self.live = name, fps, count, live
    self.number, self.start = 0, start
    self._frames, self._time_of = frames, time_of
    first = self._next()
    while first is not None and self.number < start:
      first = self._next()
    if first is None and self.number and start > 1:
      raise UserError(f'{name}: no frame from number {start} on, of '
                      f'{self.number}; expected --start-frame within the video')
    if first is None:
      raise UserError(
          f'{name}: no frame can be decoded; expected a video with at least '
          'one frame: check that it plays, or use a folder of images')
    self.first = first
    self.size = (first.shape[1], first.shape[0])

  @property
  def time(self) -> float:
    """Seconds of the frame that iteration yielded last."""
    return self.time_of(self.number)

  def time_of(self, number: int) -> float:
    """Seconds of a frame, not behind the one that was read last."""
    if self._time_of is not None:
      return self._time_of(number)
    return (number - 1) / self.fps

  def __iter__(self) -> Iterator[np.ndarray]:
    """Yields uint8 [h, w, 3] BGR frames, the first one included."""
    yield self.first
    while (frame := self._next()) is not None:
      if frame.shape != self.first.shape:
        height, width = frame.shape[:2]
        raise UserError(
            f'{self.name}: frame {self.number} is {width}x{height}, earlier '
            f'frames are {self.size[0]}x{self.size[1]}; expected frames of one '
            'size: resize or remove it')
      yield frame

  def _next(self) -> np.ndarray | None:
    """The next frame that can be decoded; None at the end."""
    for frame in self._frames:
      self.number += 1
      if frame is not None:
        return frame
    return None

  def __enter__(self) -> 'FrameSource':
    return self

  def __exit__(self, *exc_info: object) -> None:
    close = getattr(self._frames, 'close', None)
    if close is not None:
      close()


def open_frames(path: str | os.PathLike[str], *, start: int = 1,
                timeout: float = TIMEOUT) -> FrameSource:
  """Opens a video file, images, a camera or a stream.

  Args:
    path: a video file; a folder with jpg, jpeg, png or bmp images in it or in
      its `img` subfolder, read in natural order (2.jpg before 10.jpg); a
      pattern of such images, as 'frames/*.jpg'; a camera's index such as '0',
      or /dev/video0; or a URL.
    start: number of the first frame that is wanted, from 1.
    timeout: seconds to wait for a camera or a stream.

  Returns:
    The frames; the first one is read already. Use it in a `with` statement.

  Raises:
    UserError: there is nothing at `path`, or no frame can be read from it.
  """
  name = os.fspath(path)
  if os.path.isdir(name):
    return _open_images(name, start)
  if os.path.isfile(name):
    return _open_video(name, start)
  if is_url(name):
    return _open_live(name, timeout, start)
  camera = re.fullmatch(r'(?:/dev/video)?([0-9]{1,4})', name)
  if camera and (name.startswith('/dev/') or not os.path.lexists(name)):
    return _open_live(int(camera[1]), timeout, start)
  if re.search('[*?[]', name):
    return _open_images(name, start)
  what, advice = other_kind(name), 'save the video as a file'
  if not what:
    what, advice = 'no such file or folder', 'check the path'
  raise UserError(f'input {name!r}: {what}; expected a video file, a folder or '
                  'pattern of images, a camera index or an rtsp or http(s) '
                  f'URL: {advice}')


def _open_images(name: str, start: int) -> FrameSource:
  images = find_images(name)
  # What is skipped is not read.
  frames = (None if number < start <= len(images.paths) else read_frame(path)
            for number, path in enumerate(images.paths, start=1))
  source = FrameSource(name, frames, count=len(images.paths), start=start)
  source.notes = images.notes
  source.files = tuple(path.name for path in images.paths)
  return source


def _open_video(name: str, start: int) -> FrameSource:
  if Path(name).suffix.lower() in IMAGE_SUFFIXES:
    # OpenCV would take 0001.jpg for the pattern of an image sequence.
    raise UserError(f'{name}: this is a single image; expected a video file or '
                    'a folder of images: use the folder of the image')
  video = VideoFile(name)
  rate = video.fps if _valid_fps(video.fps) else None
  source = FrameSource(
      name, video.frames(), count=video.count, start=start,
      time_of=video.time_of, fps=rate or DEFAULT_FPS)
  source.rate = rate
  return source


def _open_live(place: str | int, timeout: float, start: int) -> FrameSource:
  reader = LiveReader(place, timeout)
  try:
    source = FrameSource(
        reader.name, reader.frames(), live=reader.live, count=reader.count,
        start=start, time_of=lambda number: reader.time,
        fps=reader.fps if _valid_fps(reader.fps) else DEFAULT_FPS)
  except UserError:
    reader.close()
    if reader.hung:
      raise UserError(f'{reader.name}: no frame within {timeout:g} s; expected '
                      'a source that sends frames: check it, or wait longer '
                      'with --timeout') from None
    raise
  source.reader = reader
  return source


class VideoWriter:
  """Writes BGR frames to an .mp4 or .avi file; a context manager.

  An mp4 is H.264 where PyAV is installed. Leaving the `with` block finishes the
  file and checks that every frame is in it: OpenCV itself reports neither a
  full disk nor a failed encoder.
  """

  def __init__(self, path: str | os.PathLike[str], size: tuple[int, int],
               fps: float) -> None:
    """Opens the file.

    Args:
      path: ends in .mp4 or .avi; its folder exists.
      size: (width, height) in pixels of every frame. An odd side is padded
        by one row or column, as the codec wants even ones.
      fps: frames per second, within FPS_RANGE.

    Raises:
      UserError: a file or rate that cannot be written.
    """
    self._name = os.path.abspath(path)
    self._pad = (size[1] % 2, size[0] % 2)  # bottom, right
    self._frames = 0
    check_fps(fps)
    padded = (size[0] + self._pad[1], size[1] + self._pad[0])
    self._encoder: H264Encoder | cv2.VideoWriter
    if browsers_play(path):
      with self._errors():
        self._encoder = H264Encoder(self._name, padded, _encodable(fps))
    else:
      self._encoder = _opencv_writer(self._name, padded, _encodable(fps))

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
      raise self._failed()

  @contextlib.contextmanager
  def _errors(self) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise self._failed(f' ({error.strerror})') from None

  def _failed(self, why: str = '') -> UserError:
    return UserError(
        f'{self._name}: writing the video failed at frame {self._frames}{why}; '
        'expected enough disk space: free some, or choose another --output')


def browsers_play(path: str | os.PathLike[str]) -> bool:
  """Whether `VideoWriter` makes a file of this name that browsers play."""
  return Path(path).suffix.lower() == '.mp4' and h264_available()


def _opencv_writer(name: str, size: tuple[int, int],
                   fps: float) -> cv2.VideoWriter:
  fourcc = cv2.VideoWriter.fourcc(*_FOURCC[Path(name).suffix.lower()])
  with quiet(), native_path(name) as path:
    writer = cv2.VideoWriter(path, fourcc, fps, size)
  if not writer.isOpened():
    raise UserError(
        f'{name}: OpenCV cannot write a {size[0]}x{size[1]} video '
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
  if not _valid_fps(fps):
    low, high = FPS_RANGE
    raise UserError(f'fps {fps}: expected frames per second between {low} '
                    f'and {high}: choose another --fps')


def _encodable(fps: float) -> float:
  return round(fps, 3 if fps < 65 else 2)  # 65.000 = 65000 / 1000 < 2**16


def _valid_fps(fps: float) -> bool:
  return math.isfinite(fps) and FPS_RANGE[0] <= fps <= FPS_RANGE[1]
