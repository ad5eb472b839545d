"""The supervised experiment of VOT: a tracker is restarted when it fails.

Results are kept as the vot-toolkit does:

  <output>/baseline/<sequence>/<sequence>_001.txt         markers and boxes
  <output>/baseline/<sequence>/<sequence>_001_time.value  seconds per frame
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.errors import UserError, few
from siamkpn_jax.evaluation.formats import regions, vot_results
from siamkpn_jax.evaluation.formats.regions import Regions
from siamkpn_jax.evaluation.formats.vot_sequences import (
  VotSequence,
  frame_size,
  starting_box,
)
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.metrics.vot import Protocol
from siamkpn_jax.evaluation.run.experiments import (
  Action,
  Experiment,
  Start,
  Task,
  checked_box,
)
from siamkpn_jax.evaluation.run.jobs import Job, check_length


def supervised_jobs(sequences: Collection[VotSequence], output_dir: Path,
                    protocol: Protocol) -> list[Job]:
  """The sequences to run, each once."""
  return [_job(sequence, output_dir, protocol) for sequence in sequences]


def _job(sequence: VotSequence, output_dir: Path, protocol: Protocol) -> Job:
  path = vot_results.result_file(output_dir / vot_results.EXPERIMENT,
                                 sequence.name)
  return Job(
      supervised_task(sequence, protocol), path,
      path.with_name(f'{path.stem}_time.value'),
      lambda trajectory: regions.write_trajectory(path, trajectory),
      lambda: vot_results.read_run(path, sequence))


def supervised_task(sequence: VotSequence, protocol: Protocol) -> Task:
  """`supervised` of a sequence."""
  return Task(sequence.name, sequence.frames,
              lambda: supervised(sequence, protocol))


def supervised(sequence: VotSequence, protocol: Protocol) -> Experiment:
  """Started on the first frame, and again some frames after each failure.

  Where the annotation of that frame is nothing to start from, the next serves.

  Returns:
    The trajectory, t boxes and markers.
  """
  rows: list[list[float]] = []
  size = frame_size(sequence)
  start = 0  # the frame of the newest start, or of the next
  for i, truth in enumerate(sequence.truth.rows()):
    if i < start:
      yield Action.SKIP
      rows.append([regions.UNKNOWN])
    elif i == start:
      box_xywh = _starting_box(truth, size)
      if box_xywh is None and i:
        start += 1
        yield Action.SKIP
        rows.append([regions.UNKNOWN])
        continue
      if box_xywh is None:
        raise UserError(f'sequence {sequence.name}: the first region has no '
                        'area or lies outside the image; expected a visible '
                        'target: correct the annotation')
      yield Start(box_xywh)
      rows.append([regions.STARTED])
    else:
      found = yield Action.UPDATE
      row = checked_box(found, sequence.frames[i]).tolist()
      if _failed(row, sequence.truth[i:i + 1], size, protocol):
        row = [regions.FAILED]
        start = i + protocol.skip
      rows.append(row)
  return regions.from_rows(rows)


def _starting_box(truth: list[float],
                  size: tuple[int, int]) -> np.ndarray | None:
  """[4] the box to start from, None where there is none in the frame."""
  try:
    return check_box(starting_box(truth), *size)
  except (ValueError, UserError):  # no area, or outside
    return None


def _failed(row: list[float], truth: Regions, size: tuple[int, int],
            protocol: Protocol) -> bool:
  if protocol.rule == 'pysot':
    # Its runner, unlike its scores, ends an annotated rectangle at x + w - 1.
    truth = regions.from_rows(
        regions.corners(truth, inclusive=True).reshape(-1, 8).tolist())
  overlap = vot.region_overlaps(regions.from_rows([row]), truth,
                                size, protocol.rule)
  return not overlap[0] > 0  # NaN: nothing could be drawn


def check_sequence(sequence: VotSequence) -> None:
  """Checks that one sequence can be run.

  Raises:
    UserError: it has no images, or nothing to follow.
  """
  if not sequence.frames:
    raise UserError(f'sequence {sequence.name}: no images; expected them next '
                    'to the annotation: check the download')
  check_length(sequence.name, len(sequence))


def check_images(sequences: Collection[VotSequence]) -> None:
  """Checks that sequences have images.

  Raises:
    UserError: one has none.
  """
  bare = [s.name for s in sequences if not s.frames]
  if bare:
    raise UserError(f'no images for {len(bare)} sequences: {few(bare)}; '
                    'expected them next to the annotation: check the download')
