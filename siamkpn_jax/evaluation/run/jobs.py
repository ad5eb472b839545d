"""Running sequences so that an interrupted evaluation goes on where it was.

Each sequence has a result file, which appears when the sequence is finished,
and a file of times. A folder of results belongs to the settings in its
settings.json: those that decide about boxes.
"""

import collections
import dataclasses
import json
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.atomic_io import file_errors, write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import check_name, file_name
from siamkpn_jax.core.progress import progress_bar
from siamkpn_jax.core.stored_json import read_json
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.evaluation.run.experiments import Task
from siamkpn_jax.evaluation.run.protocol import MultiTargetTracker

_SHORT = 200  # characters of a setting that a message shows
_SHORTEST, _LONGEST = 1e-8, 1e6  # seconds of a frame that are believed
_OWN_FILES = frozenset({'settings', 'summary'})


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
  """A sequence to run, and the files that come of it.

  Attributes:
    task: what to run.
    path: the result file.
    time_path: the file of times: a line for each frame, seconds; empty where
      the tracker was not called.
    write: writes the result file from what the experiment returned.
    check: reads the result file; a UserError if it is damaged.
  """
  task: Task
  path: Path
  time_path: Path
  write: Callable[[Any], None]
  check: Callable[[], Any]


  @property
  def failure_path(self) -> Path:
    """The file that says why the sequence could not be run, if so."""
    return self.path.with_suffix('.failed')


def unfinished(jobs: Sequence[Job]) -> list[Job]:
  """The jobs that have no result yet.

  Raises:
    UserError: a result file is damaged.
  """
  todo = []
  for job in jobs:
    if not (job.path.is_file() and job.time_path.is_file()):
      todo.append(job)
      continue
    try:
      job.check()
    except UserError as error:
      raise UserError(f'{error}, or delete {job.path} to track the sequence '
                      'again') from error
  return todo


def failures(jobs: Sequence[Job]) -> dict[str, str]:
  """The sequences that the last attempt could not run, and why."""
  return {job.task.name: results.read_text(job.failure_path).strip()
          for job in jobs
          if job.failure_path.is_file() and not job.path.is_file()}


def run_jobs(tracker: MultiTargetTracker, todo: Sequence[Job],
             jobs: Sequence[Job] = (), *, progress: bool = True,
             keep_failures: bool = False) -> float | None:
  """Runs jobs, and writes each one's files as soon as it is finished.

  Args:
    tracker: see `MultiTargetTracker`.
    todo: what to run.
    jobs: all that belong together, finished ones too, for the progress bar.
    progress: show a progress bar on stderr.
    keep_failures: write down why a sequence cannot be run, see `failures`;
      it is no error then.

  Returns:
    Frames per second from end to end; None if nothing was to be done.

  Raises:
    UserError: a sequence that cannot be run, see `Finished`; the others are
      run before. Or a file cannot be written.
  """
  frames = _frames(todo)
  everything = max(frames, _frames(jobs))
  by_task = {job.task: job for job in todo}
  errors: list[UserError] = []
  start = time.perf_counter()
  with progress_bar(total=everything, initial=everything - frames,
                    unit=' frames', disable=not progress) as bar:
    for finished in drive(tracker, list(by_task), bar):
      job = by_task[finished.task]
      if finished.error:
        errors.append(finished.error)
        if keep_failures:
          write_file(job.failure_path, f'{finished.error}\n')
        continue
      if job.failure_path.exists():  # of an earlier attempt
        with file_errors(job.failure_path):
          job.failure_path.unlink()
      _write_seconds(job.time_path, finished.seconds)
      job.write(finished.result)  # last: it is finished
  if errors and not keep_failures:
    raise untracked([str(error) for error in errors])
  return frames / (time.perf_counter() - start) if frames else None


def untracked(reasons: Sequence[str]) -> UserError:
  """What is said of sequences that cannot be tracked, at least one."""
  more = len(reasons) - 1
  return UserError(reasons[0] + (
      f' (and {more} more sequences that cannot be tracked)' if more else ''))


def check_length(name: str, frames: int) -> None:
  """Checks that there is a frame in which a sequence can be tracked.

  Raises:
    UserError: there is none.
  """
  if frames == 1:
    raise UserError(f'sequence {name}: has one frame, in which the tracker is '
                    'given the box; expected two or more: check the download')


def update_speed(jobs: Sequence[Job]) -> float | None:
  """Frames per second of the tracker alone, by the files of times.

  The first two frames of each sequence do not count: the start, and the update
  in which a tracker may compile its program. None if no others are there.
  """
  seconds = [value for job in jobs for value in _steady_seconds(job)]
  return len(seconds) / sum(seconds) if sum(seconds) > 0 else None


def check_settings(output_dir: Path, settings: Mapping[str, Any],
                   jobs: Sequence[Job]) -> None:
  """Writes the settings of a new run, compares those of an older one.

  They are what decides about boxes.

  Raises:
    UserError: the folder holds results of other settings or of nobody knows
      which, or a damaged file.
  """
  path = output_dir / 'settings.json'
  settings = json.loads(json.dumps(settings))
  if not path.exists():
    found = [job.path for job in jobs if job.path.exists()]
    if found:
      raise UserError(
          f'{output_dir}: holds results ({found[0].name}) but no settings.json;'
          ' expected a new folder, or that of an earlier evaluation: choose '
          'another --output')
    results.write_summary(path, settings)
    return
  try:
    before = read_json(path, 'the settings of a run')
  except UserError as error:
    if isinstance(error.__cause__, OSError):
      raise
    raise UserError(f'{path}: damaged; expected the settings of a run: delete '
                    'the folder, or choose another') from error
  changed = [key for key in {**before, **settings}
             if before.get(key) != settings.get(key)]
  if changed:
    key = changed[0]
    raise UserError(
        f'{path.parent}: holds results of another run ({key[:60]} was '
        f'{_short(before.get(key))}, now {_short(settings.get(key))}); '
        'expected the same settings: choose another folder')


def _short(value: Any) -> str:
  text = ' '.join(str(value).split())
  return text if len(text) <= _SHORT else f'{text[:_SHORT]}...'


def check_names(names: Collection[str]) -> None:
  """Checks that there are sequences whose names can be those of files.

  Raises:
    UserError: there are none, two of one name, or one of a name that is taken
      or that no file can have.
  """
  if not names:
    raise UserError('no sequences to evaluate; expected at least one')
  twice = sorted(n for n, k in collections.Counter(names).items() if k > 1)
  if twice:
    raise UserError(f'duplicate sequence names {", ".join(twice)}; expected '
                    'unique names, as results are saved under them: rename the '
                    'sequences')
  taken = sorted(_OWN_FILES.intersection(names))
  if taken:
    raise UserError(f'sequence {taken[0]}: this name is used by a file of the '
                    'evaluation itself: rename the sequence')
  by_file: dict[str, str] = {}
  for name in names:
    check_name(name, 'sequences', from_disk=True)
    other = by_file.setdefault(os.path.normcase(file_name(name)), name)
    if other != name:
      raise UserError(f'sequences {other!r} and {name!r}: results of both '
                      f'would be saved as {file_name(name)}; expected names '
                      'that differ: rename one')


def _frames(jobs: Sequence[Job]) -> int:
  return sum(len(job.task.frames) for job in jobs)


def _steady_seconds(job: Job) -> list[float]:
  if not job.time_path.is_file():
    return []
  lines = results.read_text(job.time_path).split('\n')
  try:
    seconds = [float(line) for line in lines[2:] if line]
  except ValueError:  # damaged: no reason to lose the scores
    return []
  possible = all(_SHORTEST <= value < _LONGEST for value in seconds)
  return seconds if possible else []


def _write_seconds(path: Path, seconds: np.ndarray) -> None:
  write_file(path, ''.join(
      '\n' if np.isnan(value) else f'{value:.8f}\n' for value in seconds))
