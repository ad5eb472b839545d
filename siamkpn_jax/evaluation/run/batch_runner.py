"""Runs a tracker through many sequences at once, frame by frame.

Images are read ahead by threads, a bounded number for each sequence under way,
so the memory needed does not depend on how many sequences there are or how
long they are.
"""

import collections
import contextlib
import dataclasses
import time
from collections.abc import (
  Callable,
  Collection,
  Generator,
  Iterable,
  Iterator,
  Sequence,
)
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.run.experiments import (
  Action,
  Experiment,
  Start,
  Task,
)
from siamkpn_jax.evaluation.run.protocol import MultiTargetTracker

_AHEAD = 8  # images read ahead where one sequence runs
_AHEAD_EACH = 2  # where several run


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
  """A sequence that came to its end.

  Attributes:
    task: what it was.
    result: what its experiment returned; None where there was error.
    error: why it could not be run: an image that cannot be read, a box that
      the tracker refuses or that is none of its own.
    seconds: [t] time for each frame, NaN where the tracker was not called; a
      time that was spent on several sequences is divided among them.
  """
  task: Task
  result: Any
  error: UserError | None
  seconds: np.ndarray


def drive(tracker: MultiTargetTracker, tasks: Collection[Task],
          bar: tqdm | None = None,
          stop: Callable[[], bool] = lambda: False) -> Iterator[Finished]:
  """Runs all tasks, as many at once as the tracker has slots.

  Long sequences begin first, so that no long one is left over at the end.

  Args:
    tracker: see `MultiTargetTracker`.
    tasks: what to run.
    bar: moved on by one per frame.
    stop: whether to give up, asked at every frame.

  Yields:
    Each task when it has ended; error with one does not end the others.
  """
  waiting = collections.deque(sorted(
      tasks, key=lambda task: len(task.frames), reverse=True))
  runs: list[_Run] = []
  ahead = _AHEAD if tracker.slots == 1 else _AHEAD_EACH
  with (futures.ThreadPoolExecutor(min(tracker.slots, cores()), 'frames'
                                   ) as pool, contextlib.ExitStack() as stack):
    stack.callback(lambda: _close(runs))
    while (waiting or runs) and not stop():
      shared: dict[int, _Frames] = {}  # those of one video go side by side
      while waiting and len(runs) < tracker.slots:
        task = waiting.popleft()
        frames = shared.setdefault(
            id(task.frames), _Frames(task.frames, ahead, pool))
        runs.append(_Run(task, frames))
      _step(tracker, runs, bar)
      ended = [run for run in runs if run.finished]
      runs[:] = [run for run in runs if not run.finished]
      for run in ended:
        run.leave(tracker)
      _close(ended, but=runs)
      yield from (run.finished for run in ended if run.finished)


def _close(runs: Collection['_Run'], but: Collection['_Run'] = ()) -> None:
  """Lets go of images read ahead, but those that other runs will take."""
  kept = {run.frames for run in but}
  for run in runs:
    if run.frames not in kept:
      run.frames.close()


def read_frames(paths: Iterable[Path], ahead: int, pool: futures.Executor
                ) -> Generator[np.ndarray, None, None]:
  """Yields [h, w, 3] uint8 BGR images in order, read by a pool ahead.

  Raises:
    UserError: an image cannot be read.
  """
  pending: collections.deque[futures.Future[np.ndarray]] = collections.deque()
  try:
    for path in paths:
      pending.append(pool.submit(read_image, path))
      if len(pending) > ahead:
        yield pending.popleft().result()
    while pending:
      yield pending.popleft().result()
  finally:
    for future in pending:
      future.cancel()


class _Frames:
  """The images of a video, read once for all runs that go side by side."""

  def __init__(self, paths: Iterable[Path], ahead: int,
               pool: futures.Executor):
    self._frames = read_frames(paths, ahead, pool)
    self._position = -1
    self._frame: np.ndarray | None = None
    self._error: UserError | None = None

  def at(self, position: int) -> np.ndarray | None:
    """The image at this position, which is the last one asked for or the next.

    None after the end.

    Raises:
      UserError: it cannot be read.
    """
    if position > self._position:
      self._position += 1
      try:
        self._frame = next(self._frames, None)
      except UserError as error:
        self._error = error
    if self._error:
      raise self._error
    return self._frame

  def close(self) -> None:
    """Lets go of the images that were read ahead."""
    self._frames.close()


class _Run:
  """A task under way.

  Attributes:
    task: what it is.
    frames: of its video.
    action: of the next frame.
    target: the tracker's, None before the first start.
    finished: the task's end, None before.
  """

  def __init__(self, task: Task, frames: _Frames):
    self.task, self.frames = task, frames
    self.action: Start | Action = Action.SKIP
    self.target: int | None = None
    self.finished: Finished | None = None
    self._experiment: Experiment = task.experiment()
    self._seconds: list[float] = []
    self._advance(None)

  def frame(self) -> np.ndarray | None:
    """The next image, None once the task has ended."""
    with self._guard():
      if self.finished:
        return None
      frame = self.frames.at(len(self._seconds))
      if frame is None:
        raise UserError(
            f'sequence {self.task.name}: has {len(self.task.frames)} images; '
            f'expected at least {len(self._seconds) + 1}')
      return frame
    return None

  def start(self, tracker: MultiTargetTracker, frame: np.ndarray) -> None:
    """Starts the tracker from the box that the experiment asks for."""
    assert isinstance(self.action, Start)
    begin = time.perf_counter()
    with self._guard():
      self.leave(tracker)
      try:
        # Whatever the tracker itself makes of such a box.
        check_box(self.action.box_xywh, frame.shape[1], frame.shape[0])
        self.target = tracker.add(
            frame, self.action.box_xywh, self.task.hyperparameters)
      except UserError as error:  # a box outside the image
        raise UserError(
            f'sequence {self.task.name}, frame {len(self._seconds) + 1}: '
            f'cannot start the tracker: {error}') from error
      self.take(None, time.perf_counter() - begin)

  def leave(self, tracker: MultiTargetTracker) -> None:
    """Gives the tracker's target up."""
    if self.target is not None:
      tracker.remove(self.target)
      self.target = None

  def take(self, box_xywh: np.ndarray | None, seconds: float) -> None:
    """Tells the experiment what came out of the frame."""
    self._seconds.append(seconds)
    self._advance(box_xywh)

  def _advance(self, box_xywh: np.ndarray | None) -> None:
    with self._guard():
      try:
        self.action = self._experiment.send(box_xywh)
      except StopIteration as end:
        self._end(end.value, None)

  @contextlib.contextmanager
  def _guard(self) -> Iterator[None]:
    try:
      yield
    except UserError as error:
      self._end(None, error)

  def _end(self, result: Any, error: UserError | None) -> None:
    self.finished = Finished(self.task, result, error, np.array(self._seconds))


def _step(tracker: MultiTargetTracker, runs: Sequence[_Run],
          bar: tqdm | None) -> None:
  """One frame of every run."""
  searches: dict[int, np.ndarray] = {}
  asked: list[tuple[int, _Run]] = []
  for run in runs:
    frame = run.frame()
    if frame is None:
      continue
    if isinstance(run.action, Start):
      run.start(tracker, frame)
    elif run.action is Action.SKIP:
      run.take(None, np.nan)
    elif run.target is not None:
      searches[run.target] = frame
      asked.append((run.target, run))
  if asked:
    begin = time.perf_counter()
    found = tracker.update(searches)
    each = (time.perf_counter() - begin) / len(asked)
    for target, run in asked:
      run.take(found[target].box_xywh, each)
  if bar is not None:
    names = [run.task.name for run in runs]
    bar.set_description_str(', '.join(names[:2]) + ' ...' * (len(names) > 2))
    bar.update(len(runs))
