"""Runs a tracker over sequences in one pass and scores it."""

import collections
import contextlib
import dataclasses
import itertools
import sys
import time
from collections.abc import Collection, Generator, Iterable, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from siamkpn_jax.benchmarks import ope, results
from siamkpn_jax.benchmarks.sequences import Sequence
from siamkpn_jax.errors import UserError
from siamkpn_jax.images import read_image

_PREFETCH = 8  # frames read ahead, across the ends of sequences


class BoxError(UserError):
  """A tracker gave a box that is not four finite numbers."""


class Tracker(Protocol):
  """What can be evaluated."""

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> Any:
    """Starts on a [h, w, 3] uint8 BGR frame with a [4] 0-based box."""

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """The next frame -> (found, [4] 0-based box)."""


class FirstBoxTracker:
  """Never moves: the score that any tracker must beat."""

  def __init__(self) -> None:
    self._box_xywh = np.zeros(4)

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> None:
    """Keeps the box."""
    del frame
    self._box_xywh = np.array(box_xywh, np.float64)

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Gives the first box back."""
    del frame
    return True, self._box_xywh.copy()


@dataclasses.dataclass(frozen=True, eq=False)
class Track:
  """What a tracker did on one sequence.

  Attributes:
    boxes_xywh: [t, 4] 0-based; the first is the box that was given.
    update_seconds: [t - 1] time of each `update`.
  """
  boxes_xywh: np.ndarray
  update_seconds: np.ndarray

  @property
  def steady_seconds(self) -> np.ndarray:
    """Times without the first, in which a tracker may compile its program."""
    return self.update_seconds[1:]


def run_ope(tracker: Tracker, sequences: Collection[Sequence],
            output_dir: str | Path, *, progress: bool = True,
            details: Mapping[str, Any] | None = None) -> dict[str, Any]:
  """Runs and scores a tracker; one result file per sequence, one summary.

  `<output_dir>/<sequence>.txt` appears as soon as the sequence is finished,
  `summary.json` at the end; existing files are overwritten.

  Args:
    tracker: see `Tracker`; `init` is called once per sequence.
    sequences: at least one, with different names.
    output_dir: folder for the files; made if it is missing.
    progress: show a progress bar on stderr.
    details: more entries for the summary (benchmark, weights).

  Returns:
    The summary as in summary.json. `frames_per_second` is the speed of
    `update` alone, without the first of each sequence, and None if there are
    no others; `frames_per_second_end_to_end` counts everything.

  Raises:
    UserError: no sequences, two of the same name, an image that cannot be
      read, a first box that the tracker refuses, a box of its own that is not
      four finite numbers, a file that cannot be written.
  """
  _check_sequences(sequences)
  output_dir = results.make_folder(output_dir)  # not after an hour's work
  start = time.perf_counter()
  tracks, scores = {}, {}
  total = sum(len(s) for s in sequences)
  paths = itertools.chain.from_iterable(s.frames for s in sequences)
  with (contextlib.closing(read_frames(paths)) as frames,
        tqdm(total=total, unit=' frames', file=sys.stderr, dynamic_ncols=True,
             disable=not progress) as bar):
    for sequence in sequences:
      bar.set_description_str(sequence.name)
      track = run_sequence(tracker, sequence, frames, bar)
      results.write_boxes(output_dir / f'{sequence.name}.txt',
                          track.boxes_xywh, origin=sequence.origin)
      tracks[sequence.name] = track
      scores[sequence.name] = ope.score_sequence(track.boxes_xywh,
                                                 sequence.boxes_xywh)
  summary = {**(details or {}),
             **_summary(scores, tracks, time.perf_counter() - start)}
  results.write_summary(output_dir / 'summary.json', summary)
  return summary


def run_sequence(tracker: Tracker, sequence: Sequence,
                 frames: Iterable[np.ndarray],
                 bar: tqdm | None = None) -> Track:
  """Runs a tracker over one sequence.

  Args:
    tracker: see `Tracker`.
    sequence: gives the first box and the number of frames.
    frames: [h, w, 3] uint8 BGR images; as many as the sequence has are taken.
    bar: moved on by one per frame.

  Raises:
    UserError: the tracker refused the first box.
    BoxError: it gave one that is not four finite numbers.
  """
  boxes_xywh = [sequence.boxes_xywh[0]]
  seconds = []
  for i, frame in enumerate(itertools.islice(frames, len(sequence))):
    if i == 0:
      _start(tracker, frame, sequence)
    else:
      start = time.perf_counter()
      _, box_xywh = tracker.update(frame)
      seconds.append(time.perf_counter() - start)
      boxes_xywh.append(checked_box(box_xywh, sequence.frames[i]))
    if bar is not None:
      bar.update()
  return Track(np.array(boxes_xywh), np.array(seconds))


def read_frames(paths: Iterable[Path],
                ahead: int = _PREFETCH) -> Generator[np.ndarray, None, None]:
  """Yields images in order, read by a thread a bounded number ahead.

  Args:
    paths: image files.
    ahead: how many images may wait in memory.

  Yields:
    [h, w, 3] uint8 BGR images.

  Raises:
    UserError: an image cannot be read.
  """
  pending: collections.deque[futures.Future[np.ndarray]] = collections.deque()
  with futures.ThreadPoolExecutor(1, 'frames') as pool:
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


def _start(tracker: Tracker, frame: np.ndarray, sequence: Sequence) -> None:
  try:
    tracker.init(frame, sequence.boxes_xywh[0].copy())
  except UserError as error:  # a box outside the image
    raise UserError(f'sequence {sequence.name}: {error}') from error


def checked_box(box_xywh: np.ndarray, frame: Path) -> np.ndarray:
  """The box [4] that a tracker gave for an image file, as float64.

  Raises:
    BoxError: it is not four finite numbers.
  """
  box_xywh = np.asarray(box_xywh, np.float64)
  if box_xywh.shape != (4,) or not np.isfinite(box_xywh).all():
    raise BoxError(f'the tracker gave the box {box_xywh.tolist()} for {frame};'
                    ' expected four finite numbers; check the weights')
  return box_xywh


def _check_sequences(sequences: Collection[Sequence]) -> None:
  names = [s.name for s in sequences]
  if not names:
    raise UserError('no sequences to evaluate; expected at least one')
  twice = [n for n, k in collections.Counter(names).items() if k > 1]
  if twice:
    raise UserError(f'several sequences are called {", ".join(twice)}; their '
                    'results would overwrite each other; rename them')


def _summary(scores: Mapping[str, ope.Score], tracks: Mapping[str, Track],
             seconds: float) -> dict[str, Any]:
  mean = ope.mean_score(scores)
  steady = np.concatenate([t.steady_seconds for t in tracks.values()])
  frames = sum(len(t.boxes_xywh) for t in tracks.values())
  return {
      'protocol': ope.PROTOCOL,
      'num_sequences': len(scores),
      'num_frames': frames,
      'success_auc': mean.success_auc,
      'precision_20': mean.precision_20,
      'frames_per_second': _rate(steady),
      'frames_per_second_end_to_end': frames / seconds,
      'sequences': {
          name: {
              'success_auc': score.success_auc,
              'precision_20': score.precision_20,
              'frames': len(tracks[name].boxes_xywh),
              'frames_per_second': _rate(tracks[name].steady_seconds),
          } for name, score in scores.items()
      },
      'success_curve': mean.success_curve.tolist(),
      'precision_curve': mean.precision_curve.tolist(),
  }


def _rate(seconds: np.ndarray) -> float | None:
  total = float(seconds.sum())
  return len(seconds) / total if total > 0 else None
