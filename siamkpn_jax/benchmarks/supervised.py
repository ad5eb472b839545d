"""Runs a tracker by the supervised protocol of VOT: restarted when it fails.

Results are kept as the vot-toolkit does:

  <output>/baseline/<sequence>/<sequence>_001.txt         markers and boxes
  <output>/baseline/<sequence>/<sequence>_001_time.value  seconds per frame
  <output>/settings.json, <output>/summary.json

An interrupted run goes on with the sequences that have no result yet.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.benchmarks import jobs, regions, results, vot
from siamkpn_jax.benchmarks.courses import (
  Ask,
  Course,
  Start,
  Task,
  checked_box,
)
from siamkpn_jax.benchmarks.jobs import Job
from siamkpn_jax.benchmarks.regions import Regions
from siamkpn_jax.benchmarks.trackers import ManyTracker
from siamkpn_jax.benchmarks.vot import Protocol
from siamkpn_jax.benchmarks.vot_sequences import (
  VotSequence,
  frame_size,
  starting_box,
)
from siamkpn_jax.errors import UserError


def run_supervised(tracker: ManyTracker, sequences: Collection[VotSequence],
                   output_dir: str | Path, protocol: Protocol, *,
                   repetitions: int = 1, progress: bool = True,
                   details: Mapping[str, Any] | None = None) -> dict[str, Any]:
  """Runs and scores a tracker; sequences that have a result are not run again.

  Args:
    tracker: see `ManyTracker`.
    sequences: at least one, with different names and with images.
    output_dir: folder for the files; made if it is missing.
    protocol: decides what a failure is, and the scores.
    repetitions: runs of each sequence; 1 for a tracker without randomness.
    progress: show a progress bar on stderr.
    details: what describes the run (benchmark, weights, settings), as JSON can
      hold it; a run goes on only with the details it was begun with.

  Returns:
    The summary as in summary.json: details, the scores of `vot.score`, and
    `frames_per_second` of the tracker alone, `frames_per_second_end_to_end`
    with reading images and everything else, None if nothing was left to run.

  Raises:
    UserError: no sequences, equal names, no images, an image that cannot be
      read, a box that the tracker refuses, one of its own that is not four
      finite numbers, results of another run or damaged ones in the folder, a
      file that cannot be written.
  """
  check_sequences(sequences)
  output_dir = results.make_folder(output_dir)
  jobs.check_settings(output_dir, {
      **(details or {}), 'protocol': protocol.name, 'repetitions': repetitions})
  planned = supervised_jobs(sequences, output_dir, protocol, repetitions)
  end_to_end = jobs.run_jobs(tracker, jobs.unfinished(planned), planned,
                             progress=progress)
  runs: dict[str, list[Regions]] = {s.name: [] for s in sequences}
  for job in planned:
    runs[job.task.name].append(job.check())
  summary = {**(details or {}), **vot.score(list(sequences), runs, protocol),
             'frames_per_second': jobs.update_speed(planned),
             'frames_per_second_end_to_end': end_to_end}
  results.write_summary(output_dir / 'summary.json', summary)
  return summary


def supervised_jobs(sequences: Collection[VotSequence], output_dir: Path,
                    protocol: Protocol, repetitions: int = 1) -> list[Job]:
  """The sequences to run, each as often as asked for."""
  return [_job(sequence, vot.result_file(output_dir / vot.EXPERIMENT,
                                         sequence.name, i + 1), protocol)
          for sequence in sequences for i in range(repetitions)]


def _job(sequence: VotSequence, path: Path, protocol: Protocol) -> Job:
  return Job(
      Task(sequence.name, sequence.frames,
           lambda: supervised(sequence, protocol)),
      path, path.with_name(f'{path.stem}_time.value'),
      lambda trajectory: regions.write_trajectory(path, trajectory),
      lambda: vot.read_run(path, sequence))


def supervised(sequence: VotSequence, protocol: Protocol) -> Course:
  """Started on the first frame, and again some frames after each failure.

  Args:
    sequence: gives the regions to start from and to compare with.
    protocol: decides what a failure is and how long to wait after it.

  Returns:
    The trajectory, t boxes and markers.
  """
  rows: list[list[float]] = []
  size = frame_size(sequence)
  start = 0  # the frame of the newest start, or of the next
  for i, truth in enumerate(sequence.truth.rows()):
    if i < start:
      yield Ask.WAIT
      rows.append([regions.UNKNOWN])
    elif i == start:
      yield Start(_first_box(truth, sequence, i))
      rows.append([regions.STARTED])
    else:
      box_xywh = yield Ask.UPDATE
      row = checked_box(box_xywh, sequence.frames[i]).tolist()
      if _failed(row, sequence.truth[i:i + 1], size, protocol):
        row = [regions.FAILED]
        start = i + protocol.skip
      rows.append(row)
  return regions.from_rows(rows)


def _first_box(truth: list[float], sequence: VotSequence, i: int) -> np.ndarray:
  try:
    return starting_box(truth)
  except ValueError as error:  # no area
    raise UserError(f'sequence {sequence.name}, frame {i + 1}: cannot start '
                    f'the tracker: {error}') from error


def _failed(row: list[float], truth: Regions, size: tuple[int, int],
            protocol: Protocol) -> bool:
  if protocol.rule == 'pysot':
    # Its runner, unlike its scores, ends an annotated rectangle at x + w - 1.
    truth = regions.from_rows(
        regions.corners(truth, inclusive=True).reshape(-1, 8).tolist())
  overlap = vot.region_overlaps(regions.from_rows([row]), truth,
                                size, protocol.rule)
  return not overlap[0] > 0  # NaN: nothing could be drawn


def check_sequences(sequences: Collection[VotSequence]) -> None:
  """Checks that sequences can be run.

  Raises:
    UserError: none, two of one name, or one without images.
  """
  jobs.check_names([s.name for s in sequences])
  bare = [s.name for s in sequences if not s.frames]
  if bare:
    raise UserError(f'no images of {len(bare)} sequences: '
                    f'{", ".join(bare[:5])}{" ..." if bare[5:] else ""}; '
                    'expected them beside the annotation; check the download')
