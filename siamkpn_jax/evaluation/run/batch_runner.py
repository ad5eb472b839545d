"""Runs a tracker through many sequences at once, frame by frame.

Images are read ahead by threads, a bounded number for each sequence under way,
so the memory needed does not depend on how many sequences there are or how
long they are.
"""

import collections
import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.run.experiments import Ask, Course, Start, Task
from siamkpn_jax.evaluation.run.protocol import ManyTracker

_AHEAD = 8  # images read ahead where one sequence runs
_AHEAD_EACH = 2  # where several run


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
  """A sequence that came to its end.

  Attributes:
    task: what it was.
    result: what its course returned; None where there was trouble.
    trouble: why it could not be run: an image that cannot be read, a box that
      the tracker refuses or that is none of its own.
    seconds: [t] time for each frame, NaN where the tracker was not called; a
      time that was spent on several sequences is divided among them.
  """
  task: Task
  result: Any
  trouble: UserError | None
  seconds: np.ndarray


def drive(tracker: ManyTracker, tasks: Collection[Task],
          bar: tqdm | None = None,
          stop: Callable[[], bool] = lambda: False) -> Iterator[Finished]:
  """Runs all tasks, each place of the tracker one after the other.

  Long sequences begin first, so that no long one is left over at the end.

  Args:
    tracker: see `ManyTracker`.
    tasks: what to run.
    bar: moved on by one per frame.
    stop: whether to give up, asked at every frame.

  Yields:
    Each task when it has ended; trouble with one does not end the others.
  """
  waiting = collections.deque(sorted(
      tasks, key=lambda task: len(task.frames), reverse=True))
  free = list(range(tracker.places))
  runs: dict[int, _Run] = {}
  ahead = _AHEAD if tracker.places == 1 else _AHEAD_EACH
  with (futures.ThreadPoolExecutor(min(tracker.places, cores()), 'frames'
                                   ) as pool, contextlib.ExitStack() as stack):
    stack.callback(lambda: _close(runs))
    while (waiting or runs) and not stop():
      while waiting and free:
        runs[free.pop()] = _Run(waiting.popleft(), pool, ahead)
      _step(tracker, runs, bar)
      for place, run in list(runs.items()):
        if run.finished:
          yield run.finished
          runs.pop(place).close()
          free.append(place)


def _close(runs: dict[int, '_Run']) -> None:
  for run in runs.values():
    run.close()


def read_frames(paths: Iterable[Path], ahead: int = _AHEAD,
                pool: futures.Executor | None = None
                ) -> Generator[np.ndarray, None, None]:
  """Yields images in order, read by threads a bounded number ahead.

  Args:
    paths: image files.
    ahead: how many images may wait in memory.
    pool: reads them; None: a thread of its own.

  Yields:
    [h, w, 3] uint8 BGR images.

  Raises:
    UserError: an image cannot be read.
  """
  pending: collections.deque[futures.Future[np.ndarray]] = collections.deque()
  with contextlib.ExitStack() as stack:
    if pool is None:
      pool = stack.enter_context(futures.ThreadPoolExecutor(1, 'frames'))
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


class _Run:
  """A task under way.

  Attributes:
    task: what it is.
    ask: what the course wants in the next frame.
    finished: the task's end, None before.
  """

  def __init__(self, task: Task, pool: futures.Executor, ahead: int):
    self.task = task
    self.ask: Start | Ask = Ask.WAIT
    self.finished: Finished | None = None
    self._frames = read_frames(task.frames, ahead, pool)
    self._course: Course = task.course()
    self._seconds: list[float] = []
    self._advance(None)

  def frame(self) -> np.ndarray | None:
    """The next image, None where there is none."""
    with self._guard():
      return None if self.finished else next(self._frames)
    return None

  def start(self, tracker: ManyTracker, place: int, frame: np.ndarray) -> None:
    """Starts the tracker from the box that the course asks for."""
    assert isinstance(self.ask, Start)
    begin = time.perf_counter()
    with self._guard():
      try:
        tracker.start(place, frame, self.ask.box_xywh)
      except UserError as error:  # a box outside the image
        raise UserError(
            f'sequence {self.task.name}, frame {len(self._seconds) + 1}: '
            f'cannot start the tracker: {error}') from error
      self.take(None, time.perf_counter() - begin)

  def take(self, box_xywh: np.ndarray | None, seconds: float) -> None:
    """Tells the course what came out of the frame."""
    self._seconds.append(seconds)
    self._advance(box_xywh)

  def close(self) -> None:
    """Lets go of the images that were read ahead."""
    self._frames.close()

  def _advance(self, box_xywh: np.ndarray | None) -> None:
    with self._guard():
      try:
        self.ask = self._course.send(box_xywh)
      except StopIteration as end:
        self._end(end.value, None)

  @contextlib.contextmanager
  def _guard(self) -> Iterator[None]:
    try:
      yield
    except UserError as error:
      self._end(None, error)

  def _end(self, result: Any, trouble: UserError | None) -> None:
    self.finished = Finished(self.task, result, trouble,
                             np.array(self._seconds))


def _step(tracker: ManyTracker, runs: dict[int, _Run],
          bar: tqdm | None) -> None:
  """One frame of every run."""
  asked: dict[int, np.ndarray] = {}
  for place, run in runs.items():
    frame = run.frame()
    if frame is None:
      continue
    if isinstance(run.ask, Start):
      run.start(tracker, place, frame)
    elif run.ask is Ask.WAIT:
      run.take(None, np.nan)
    else:
      asked[place] = frame
  if asked:
    begin = time.perf_counter()
    boxes, _ = tracker.update(list(asked), list(asked.values()))
    each = (time.perf_counter() - begin) / len(asked)
    for place, box_xywh in zip(asked, boxes, strict=True):
      runs[place].take(box_xywh, each)
  if bar is not None:
    names = [run.task.name for run in runs.values()]
    bar.set_description_str(', '.join(names[:2]) + ' ...' * (len(names) > 2))
    bar.update(len(runs))
