"""Follows one object through a source of frames and writes what it finds."""

import contextlib
import dataclasses
import itertools
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from siamkpn_jax.core.announce import announced
from siamkpn_jax.core.atomic_io import atomic_paths, file_errors
from siamkpn_jax.core.progress import progress_bar
from siamkpn_jax.core.signals import on_main_thread
from siamkpn_jax.tracking.drawing import draw_result
from siamkpn_jax.tracking.video import FrameSource, VideoWriter

_COMPILING_FRAMES = 2  # the first `init` and the first `update` compile


class SingleTracker(Protocol):
  """What `track_video` needs of a tracker; tracker.Tracker is one."""

  @property
  def score(self) -> float:
    """Score of the last update."""

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> Any:
    """Takes the object from a frame, uint8 [h, w, 3] BGR, and its box, [4]."""

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Returns whether the object is found in a frame, and its box, [4]."""


@dataclasses.dataclass(frozen=True)
class TrackSummary:
  """How a run went.

  Attributes:
    frames: number of frames, the first one included.
    lost: how many of them could not be decoded.
    fps: frames per second, reading and writing included, the first two frames
      and their compilation not; None for fewer than three frames.
  """
  frames: int
  fps: float | None
  lost: int = 0


@dataclasses.dataclass(frozen=True)
class _Result:
  frame: np.ndarray  # uint8 [h, w, 3], as read
  box_xywh: np.ndarray  # [4]
  caption: str
  found: bool
  decoded: bool = True


def track_video(tracker: SingleTracker, source: FrameSource,
                box_xywh: np.ndarray, *, video_path: Path | None = None,
                boxes_path: Path | None = None,
                fps: float | None = None,
                progress: bool = True) -> TrackSummary:
  """Tracks from the first frame of a source to its last.

  The files appear together at the end, or not at all.
  Ctrl-C ends a camera like the end of a video; elsewhere it is an interruption.

  Args:
    tracker: the tracker, loaded.
    source: the frames.
    box_xywh: [4] left, top, width, height in pixels of the first frame.
    video_path: .mp4 or .avi to write, with box, frame number and score.
    boxes_path: text file to write, a line x,y,w,h for each frame; "nan" for one
      that cannot be decoded. The video shows the frame before in its place.
    fps: frames per second of the written video; None: those of the source.
    progress: show it on stderr.

  Returns:
    Number of frames and speed.

  Raises:
    UserError: a frame that cannot be read, a file that cannot be written.
  """
  paths = [path for path in (video_path, boxes_path) if path is not None]
  lines: list[str] = []
  lost = 0
  speed = _Speed()
  with atomic_paths(paths) as partial:
    with contextlib.ExitStack() as stack:
      writer = None
      if video_path is not None:
        writer = stack.enter_context(VideoWriter(
            partial[video_path], source.size, fps or source.fps))
      stop = stack.enter_context(_ctrl_c_ends(source))
      results = _track(tracker, source, box_xywh, stop)
      for result in _with_progress(results, source, speed,
                                   shown=progress):
        lines.append(_line(result.box_xywh))
        lost += not result.decoded
        if writer is not None:
          writer.write(_drawn(result))
    if boxes_path is not None:
      with file_errors(boxes_path):
        partial[boxes_path].write_text(''.join(lines))
  return TrackSummary(len(lines), speed.fps, lost)


def _track(tracker: SingleTracker, source: FrameSource, box_xywh: np.ndarray,
           stop: threading.Event) -> Iterator[_Result]:
  """A result for each frame, those that cannot be decoded included."""
  done, last = 0, None
  for frame in source:
    yield from _lost(frame if last is None else last, done, source.number - 1)
    if last is None:
      tracker.init(frame, box_xywh)
      yield _Result(frame, box_xywh, f'{source.number} given', True)
    else:
      found, box = tracker.update(frame)
      caption = f'{source.number} score {tracker.score:.2f}'
      yield _Result(frame, np.asarray(box), caption, bool(found))
    if stop.is_set():
      return
    done, last = source.number, frame
  if last is not None:
    yield from _lost(last, done, source.number)


def _lost(frame: np.ndarray, after: int, until: int) -> Iterator[_Result]:
  """The results of frames that cannot be decoded, with another one to see."""
  for number in range(after + 1, until + 1):
    yield _Result(frame, np.full(4, np.nan), f'{number} not decoded', False,
                  decoded=False)


def _line(box_xywh: np.ndarray) -> str:
  return ','.join(f'{value:.4f}' for value in box_xywh) + '\n'


def _drawn(result: _Result) -> np.ndarray:
  return draw_result(result.frame, result.box_xywh, result.caption,
                     found=result.found)


class _Speed:
  """Speed of what comes between `start` and `stop`."""

  fps: float | None = None

  def start(self) -> None:
    self._started = time.perf_counter()

  def stop(self, frames: int) -> None:
    if frames:
      self.fps = frames / max(time.perf_counter() - self._started, 1e-9)


def _with_progress(results: Iterator[_Result], source: FrameSource,
                   speed: _Speed, *, shown: bool) -> Iterator[_Result]:
  """Passes the results on, with news on stderr.

  The frames that wait for the compiler are kept apart: they would spoil the
  speed and the time left that the progress bar shows.
  """
  task = 'preparing for {}x{} frames'.format(*source.size)
  with announced(task) if shown else contextlib.nullcontext():
    compiled = list(itertools.islice(results, _COMPILING_FRAMES))
  yield from compiled
  speed.start()
  frames = 0
  with progress_bar(total=source.count, initial=len(compiled), unit='frame',
                    disable=not shown) as bar:
    for result in results:
      yield result
      bar.update()
      frames += 1
  speed.stop(frames)


@contextlib.contextmanager
def _ctrl_c_ends(source: FrameSource) -> Iterator[threading.Event]:
  """Makes the first Ctrl-C set the event, for a camera; the next interrupts.

  A flag that is looked at between frames leaves no frame half written, which an
  exception in the middle of one would. Signals belong to the main thread:
  elsewhere, and for sources that end by themselves, nothing changes.
  """
  stop = threading.Event()
  if not source.live or not on_main_thread():
    yield stop
    return
  previous = signal.getsignal(signal.SIGINT) or signal.default_int_handler

  def end(signum: int, frame: object) -> None:
    del signum, frame
    stop.set()
    signal.signal(signal.SIGINT, previous)

  signal.signal(signal.SIGINT, end)
  try:
    yield stop
  finally:
    signal.signal(signal.SIGINT, previous)
