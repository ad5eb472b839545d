"""Frames from files, images, a camera or a stream."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_kinds import other_kind
from siamkpn_jax.core.images import SUFFIXES as IMAGE_SUFFIXES
from siamkpn_jax.tracking.image_frames import find_images, read_frame
from siamkpn_jax.tracking.live import (
  TIMEOUT,
  LiveReader,
  is_url,
  without_password,
)
from siamkpn_jax.tracking.video_file import VideoFile
from siamkpn_jax.tracking.video_writer import is_valid_fps

DEFAULT_FPS = 25.0


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
  if isinstance(start, bool) or not isinstance(start, int | np.integer) or (
      start < 1):
    raise UserError(f'first frame {start!r}: expected a whole number, 1 or '
                    'more')
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
  raise UserError(f'input {without_password(name)!r}: {what}; expected a video '
                  'file, a folder or pattern of images, a camera index or an '
                  f'rtsp or http(s) URL: {advice}')


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
  rate = video.fps if is_valid_fps(video.fps) else None
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
        fps=reader.fps if is_valid_fps(reader.fps) else DEFAULT_FPS)
  except UserError:
    reader.close()
    if reader.hung:
      raise UserError(f'{reader.name}: no frame within {timeout:g} s; expected '
                      'a source that sends frames: check it, or wait longer '
                      'with --timeout') from None
    raise
  source.reader = reader
  return source
