"""Runs a tracker by the supervised protocol of VOT: restarted when it fails.

Results are kept as the vot-toolkit does:

  <output>/baseline/<sequence>/<sequence>_001.txt         markers and boxes
  <output>/baseline/<sequence>/<sequence>_001_time.value  seconds per frame
  <output>/settings.json, <output>/summary.json

An interrupted run goes on with the sequences that have no result yet.
"""

import contextlib
import dataclasses
import itertools
import json
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from siamkpn_jax.benchmarks import regions, results, vot
from siamkpn_jax.benchmarks.regions import Regions
from siamkpn_jax.benchmarks.runner import Tracker, checked_box, read_frames
from siamkpn_jax.benchmarks.vot import Protocol
from siamkpn_jax.benchmarks.vot_sequences import VotSequence, starting_box
from siamkpn_jax.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class SupervisedTrack:
  """What a tracker did on one sequence.

  Attributes:
    trajectory: t boxes and markers.
    seconds: [t] time of each `init` and `update`, NaN where neither was called.
  """
  trajectory: Regions
  seconds: np.ndarray


def run_supervised(tracker: Tracker, sequences: Collection[VotSequence],
                   output_dir: str | Path, protocol: Protocol, *,
                   repetitions: int = 1, progress: bool = True,
                   details: Mapping[str, Any] | None = None) -> dict[str, Any]:
  """Runs and scores a tracker; sequences that have a result are not run again.

  Args:
    tracker: see `Tracker`; `init` is called at every start.
    sequences: at least one, with different names and with images.
    output_dir: folder for the files; made if it is missing.
    protocol: decides what a failure is, and the scores.
    repetitions: runs of each sequence; 1 for a tracker without randomness.
    progress: show a progress bar on stderr.
    details: what describes the run (benchmark, weights, settings), as JSON can
      hold it; a run goes on only with the details it was begun with.

  Returns:
    The summary as in summary.json: details, the scores of `vot.score`, and
    `frames_per_second` of `update` alone, without the first of each sequence.

  Raises:
    UserError: no sequences, equal names, no images, an image that cannot be
      read, a box that the tracker refuses, one of its own that is not four
      finite numbers, results of another run or damaged ones in the folder, a
      file that cannot be written.
  """
  _check_sequences(sequences)
  output_dir = results.make_folder(output_dir)
  _check_settings(output_dir / 'settings.json', {
      **(details or {}), 'protocol': protocol.name, 'repetitions': repetitions})
  root = output_dir / vot.EXPERIMENT
  planned = {vot.result_file(root, s.name, i + 1): s
             for s in sequences for i in range(repetitions)}
  todo = {path: s for path, s in planned.items() if not _finished(path, s)}
  images = itertools.chain.from_iterable(s.frames for s in todo.values())
  with (contextlib.closing(read_frames(images)) as frames,
        tqdm(total=sum(map(len, planned.values())), unit=' frames',
             initial=sum(len(s) for p, s in planned.items() if p not in todo),
             file=sys.stderr, dynamic_ncols=True, disable=not progress) as bar):
    for path, sequence in todo.items():
      bar.set_description_str(sequence.name)
      track = run_sequence(tracker, sequence, frames, protocol, bar)
      _write_seconds(_time_file(path), track.seconds)
      regions.write_trajectory(path, track.trajectory)  # last: it is finished
  runs: dict[str, list[Regions]] = {s.name: [] for s in sequences}
  for path, sequence in planned.items():
    runs[sequence.name].append(vot.read_run(path, sequence))
  summary = {**(details or {}), **vot.score(list(sequences), runs, protocol),
             'frames_per_second': _speed(planned)}
  results.write_summary(output_dir / 'summary.json', summary)
  return summary


def run_sequence(tracker: Tracker, sequence: VotSequence,
                 frames: Iterable[np.ndarray], protocol: Protocol,
                 bar: tqdm | None = None) -> SupervisedTrack:
  """Runs a tracker over one sequence.

  Args:
    tracker: see `Tracker`.
    sequence: gives the regions to start from and to compare with.
    frames: [h, w, 3] uint8 BGR images; as many as the sequence has are taken.
    protocol: decides what a failure is and how long to wait after it.
    bar: moved on by one per frame.

  Raises:
    UserError: the tracker refused a box to start from.
    BoxError: it gave one that is not four finite numbers.
  """
  rows: list[list[float]] = []
  seconds = np.full(len(sequence), np.nan)
  start = 0  # the frame of the newest start, or of the next
  for i, frame in enumerate(itertools.islice(frames, len(sequence))):
    begin = time.perf_counter()
    if i < start:
      rows.append([regions.UNKNOWN])
    elif i == start:
      _start(tracker, frame, sequence, i)
      seconds[i] = time.perf_counter() - begin
      rows.append([regions.STARTED])
    else:
      _, box_xywh = tracker.update(frame)
      seconds[i] = time.perf_counter() - begin
      row = checked_box(box_xywh, sequence.frames[i]).tolist()
      if _failed(row, sequence.truth[i:i + 1], frame, protocol):
        row = [regions.FAILED]
        start = i + protocol.skip
      rows.append(row)
    if bar is not None:
      bar.update()
  return SupervisedTrack(regions.from_rows(rows), seconds)


def _start(tracker: Tracker, frame: np.ndarray, sequence: VotSequence,
           i: int) -> None:
  try:
    tracker.init(frame, starting_box(sequence.truth.rows()[i]))
  except (UserError, ValueError) as error:  # outside the image, or no area
    raise UserError(f'sequence {sequence.name}, frame {i + 1}: cannot start '
                    f'the tracker: {error}') from error


def _failed(row: list[float], truth: Regions, frame: np.ndarray,
            protocol: Protocol) -> bool:
  height, width = frame.shape[:2]
  if protocol.rule == 'pysot':
    # Its runner, unlike its scores, ends an annotated rectangle at x + w - 1.
    truth = regions.from_rows(
        regions.corners(truth, inclusive=True).reshape(-1, 8).tolist())
  overlap = vot.region_overlaps(regions.from_rows([row]), truth,
                                (width, height), protocol.rule)
  return not overlap[0] > 0  # NaN: nothing could be drawn


def _check_sequences(sequences: Collection[VotSequence]) -> None:
  if not sequences:
    raise UserError('no sequences to evaluate; expected at least one')
  names = [s.name for s in sequences]
  twice = sorted({name for name in names if names.count(name) > 1})
  if twice:
    raise UserError(f'several sequences are called {", ".join(twice)}; their '
                    'results would overwrite each other; rename them')
  bare = [s.name for s in sequences if not s.frames]
  if bare:
    raise UserError(f'no images of {len(bare)} sequences: '
                    f'{", ".join(bare[:5])}{" ..." if bare[5:] else ""}; '
                    'expected them beside the annotation; check the download')


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
  """Writes the settings of a new run, compares those of an older one."""
  settings = json.loads(json.dumps(settings))
  if not path.exists():
    results.write_summary(path, settings)
    return
  try:
    before = json.loads(results.read_text(path))
  except ValueError as error:
    raise UserError(f'{path} is damaged; expected the settings of a run; '
                    'delete the folder or give another one') from error
  changed = [key for key in {**before, **settings}
             if before.get(key) != settings.get(key)]
  if changed:
    key = changed[0]
    raise UserError(
        f'{path.parent} holds results of another run ({key} was '
        f'{before.get(key)}, now {settings.get(key)}); expected the same '
        'settings; give another folder')


def _finished(path: Path, sequence: VotSequence) -> bool:
  if not path.is_file():
    return False
  try:
    vot.read_run(path, sequence)
  except UserError as error:
    raise UserError(f'{error}: delete the file to do so') from error
  return True


def _time_file(path: Path) -> Path:
  return path.with_name(f'{path.stem}_time.value')


def _write_seconds(path: Path, seconds: np.ndarray) -> None:
  """One line per frame, empty where the tracker was not called."""
  results.write_text(path, ''.join(
      '\n' if np.isnan(value) else f'{value:.6f}\n' for value in seconds))


def _speed(planned: Mapping[Path, VotSequence]) -> float | None:
  """Updates per second, None where no time was kept."""
  times = []
  for path, sequence in planned.items():
    if _time_file(path).is_file():
      markers = vot.read_run(path, sequence).marked(regions.STARTED)
      lines = results.read_text(_time_file(path)).split('\n')[:len(sequence)]
      updates = [float(line) for line, started in
                 zip(lines, markers, strict=False) if line and not started]
      times += updates[1:]  # in the first a tracker may compile its program
  return len(times) / sum(times) if sum(times) > 0 else None
