"""Tracks through a source and writes what is found, frame by frame."""

import contextlib
import dataclasses
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from siamkpn_jax.core.announce import announced
from siamkpn_jax.core.atomic_io import atomic_paths
from siamkpn_jax.core.progress import progress_bar
from siamkpn_jax.core.signals import on_main_thread
from siamkpn_jax.tracking.box_formats import boxes_format
from siamkpn_jax.tracking.boxes_files import Write, boxes_writer
from siamkpn_jax.tracking.drawing import draw_result
from siamkpn_jax.tracking.follow import FrameResult, follow
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.targets import TargetTracker
from siamkpn_jax.tracking.video import FrameSource
from siamkpn_jax.tracking.video_writer import VideoWriter

_COMPILING_FRAMES = 2  # the first start and the first update compile

Show = Callable[[np.ndarray], bool]


@dataclasses.dataclass(frozen=True)
class Outputs:
  """What is wanted of a run.

  Attributes:
    video: .mp4 or .avi to write, with everything drawn in.
    boxes: file of boxes to write.
    format: of `boxes`; None: by its suffix.
    fps: of the video; None: as the source, whose time stamps an mp4 keeps.
    heatmaps: inset them in the video.
    confidence: write it at the boxes of the video where it is known, in place
      of the score.
    show: shows a frame, and returns whether the run is to end.
  """
  video: Path | None = None
  boxes: Path | None = None
  format: str | None = None
  fps: float | None = None
  heatmaps: bool = False
  confidence: bool = False
  show: Show | None = None

  @property
  def paths(self) -> list[Path]:
    """Of the files."""
    return [path for path in (self.video, self.boxes) if path is not None]


@dataclasses.dataclass
class TrackSummary:
  """How a run went.

  Attributes:
    frames: number of frames, the first one included.
    undecoded: how many of them could not be decoded.
    lost: in how many decoded ones a target was lost.
    fps: frames per second, reading and writing included, the first two frames
      and their compilation not; None for fewer than three frames.
    last: number of the last frame.
    stopped: whether the user ended it.
  """
  frames: int = 0
  undecoded: int = 0
  lost: int = 0
  fps: float | None = None
  last: int = 0
  stopped: bool = False

  def add(self, result: FrameResult) -> None:
    """Counts a frame."""
    self.frames += 1
    self.last = result.number
    self.undecoded += not result.decoded
    self.lost += result.decoded and any(
        not target.found for target in result.targets.values())


def track_to_files(tracker: TargetTracker, source: FrameSource,
                   boxes: Sequence[GivenBox], outputs: Outputs, *,
                   progress: bool = True) -> TrackSummary:
  """Tracks from the first frame of a source to its last.

  The files appear together at the end, or not at all. Whatever the length of
  the source, only a frame is kept in memory, and the boxes of labels.
  Ctrl-C ends a camera like the end of a video; elsewhere it is an interruption.

  Args:
    tracker: without targets.
    source: the frames.
    boxes: one for each target.
    outputs: what to write.
    progress: show it on stderr.

  Returns:
    Number of frames and speed.

  Raises:
    UserError: a frame that cannot be read, a file that cannot be written.
  """
  summary = TrackSummary()
  with atomic_paths(outputs.paths) as partial, contextlib.ExitStack() as stack:
    write = list(_writers(stack, partial, source, len(boxes), outputs))
    stop = stack.enter_context(_ctrl_c_ends(source))
    results = _until(stop, follow(tracker, source, boxes,
                                  sights=outputs.heatmaps))
    for result in _with_progress(results, source, summary, shown=progress):
      summary.add(result)
      for one in write:
        if one(result):
          stop.set()
    summary.stopped = stop.is_set()
  return summary


def _writers(stack: contextlib.ExitStack, partial: dict[Path, Path],
             source: FrameSource, targets: int, outputs: Outputs
             ) -> Iterator[Callable[[FrameResult], object]]:
  """What is done with each frame; what is true of it ends the run."""
  if outputs.boxes is not None:
    kind = boxes_format(outputs.boxes, outputs.format, targets)
    write: Write = stack.enter_context(
        boxes_writer(partial[outputs.boxes], kind, Path(source.name).name,
                     source.files, shown=outputs.boxes))
    yield write
  if outputs.video is None and outputs.show is None:
    return
  video = None
  if outputs.video is not None:
    video = stack.enter_context(VideoWriter(
        partial[outputs.video], source.size, outputs.fps or source.fps,
        shown=outputs.video))

  def draw(result: FrameResult) -> bool:
    shown = draw_result(result, confidence=outputs.confidence)
    if video is not None:
      video.write(shown, None if outputs.fps else result.time)
    return outputs.show is not None and outputs.show(shown)

  yield draw


def _until(stop: threading.Event, results: Iterator[FrameResult]
           ) -> Iterator[FrameResult]:
  for result in results:
    yield result
    if stop.is_set():
      return


def _with_progress(results: Iterator[FrameResult], source: FrameSource,
                   summary: TrackSummary, *, shown: bool
                   ) -> Iterator[FrameResult]:
  """Passes the results on, with news on stderr.

  The frames that wait for the compiler are kept apart: they would spoil the
  speed and the time left that the progress bar shows.
  """
  task = 'preparing for {}x{} frames'.format(*source.size)
  with announced(task, after=0) if shown else contextlib.nullcontext():
    compiled = list(itertools.islice(results, _COMPILING_FRAMES))
  yield from compiled
  started, before = time.perf_counter(), summary.frames
  total = None if source.count is None else source.count - source.start + 1
  with progress_bar(total=total, initial=len(compiled), unit='frame',
                    disable=not shown) as bar:
    for result in results:
      yield result
      bar.update()
  if summary.frames > before:
    summary.fps = (summary.frames - before) / max(
        time.perf_counter() - started, 1e-9)


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
