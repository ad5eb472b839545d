"""Regions of the VOT challenges: rectangles, four-sided polygons, markers.

A line of a VOT file is one frame: `x,y,w,h`, or the corners
`x1,y1,x2,y2,x3,y3,x4,y4`, or, in results, a single number: 1 the tracker was
started here, 2 it failed here, 0 nothing is known (it waits to be started
again). Commas are written; semicolons, tabs and spaces are read as well, and so
are the vot-toolkit's binary results (`.bin`).
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.numbers import real
from siamkpn_jax.evaluation.formats import binary_results, results

UNKNOWN, STARTED, FAILED = 0, 1, 2  # markers
# Beyond this nothing is a pixel, and the toolkits' integers overflow.
LARGEST = 1e9
_SEPARATOR = re.compile(r'\s*[,;]\s*|\s+')


@dataclasses.dataclass(frozen=True, eq=False)
class Regions:
  """One region or marker per frame.

  Attributes:
    numbers: [t, 8] float64 pixels as in the file, zeros after the last.
    counts: [t] how many of them are meant: 1 marker, 4 rectangle, 8 polygon.
  """
  numbers: np.ndarray
  counts: np.ndarray

  def __len__(self) -> int:
    return len(self.counts)

  def __getitem__(self, frames: slice | np.ndarray) -> 'Regions':
    return Regions(self.numbers[frames], self.counts[frames])

  @property
  def present(self) -> np.ndarray:
    """[t] bool: a rectangle or a polygon, no marker."""
    return self.counts > 1

  def marked(self, marker: int) -> np.ndarray:
    """[t] bool: the frame carries this marker."""
    return (self.counts == 1) & (self.numbers[:, 0] == marker)

  def rows(self) -> list[list[float]]:
    """The numbers of every frame."""
    return [row[:count].tolist()
            for row, count in zip(self.numbers, self.counts, strict=True)]


def from_rows(rows: Sequence[Sequence[float]]) -> Regions:
  """Regions of rows of 1, 4 or 8 numbers."""
  numbers = np.zeros((len(rows), 8))
  for frame, row in zip(numbers, rows, strict=True):
    frame[:len(row)] = row
  return Regions(numbers, np.array([len(row) for row in rows], np.int64))


def read_truth(path: str | Path) -> Regions:
  """Reads an annotation: a rectangle or polygon in every line.

  Raises:
    UserError: the file is missing, empty or no text, or a line is no region.
  """
  found = _read(path)
  if not found.present.all():
    i = int(found.present.argmin())
    raise UserError(f'{path} line {i + 1}: {found.numbers[i, 0]:g} is a marker;'
                    ' expected a region in every frame: correct it')
  return found


def read_trajectory(path: str | Path) -> Regions:
  """Reads a result: markers and regions in an order that can have happened.

  A tracker is started, gives regions (or 0: unknown), may fail, waits at least
  one frame (0) and is started again. The last frame may be any of these.

  Raises:
    UserError: the file is missing, empty or no text, or a line is no region and
      no marker, or a marker stands where it cannot.
  """
  trajectory = _read(path)
  tracking = False
  failed = -2  # the frame of the last failure
  for i, row in enumerate(trajectory.rows()):
    marker = row[0] if len(row) == 1 else None
    if marker == STARTED:
      wrong = tracking or i == failed + 1
      tracking = True
    elif marker == FAILED:
      wrong = not tracking
      tracking, failed = False, i
    else:
      wrong = not tracking and (i == 0 or marker != UNKNOWN)
    if wrong:
      text = ','.join(f'{v:g}' for v in row)
      raise UserError(
          f'{path} line {i + 1}: unexpected {text!r}; expected 1 in the first '
          'line, regions until 2 (failure), then 0 until the next 1: run the '
          'tracker again on this sequence')
  return trajectory


def write_trajectory(path: str | Path, trajectory: Regions) -> None:
  """Writes one line per frame, four decimals; whole or not at all.

  Raises:
    UserError: the file cannot be written.
  """
  write_file(path, ''.join(
      (f'{row[0]:.0f}' if len(row) == 1 else
       ','.join(f'{v:.4f}' for v in row)) + '\n'
      for row in trajectory.rows()))


def corners(regions: Regions, *, inclusive: bool) -> np.ndarray:
  """[t, 4, 2] corners (x, y), in pixels; of markers without meaning.

  The far corner of a rectangle is its last pixel, x + w - 1, if that is
  `inclusive`, or the one beyond, x + w. Polygons are taken as they are.
  """
  x, y, w, h = regions.numbers[:, :4].T
  right, bottom = x + w - inclusive, y + h - inclusive
  boxes = np.stack([x, y, right, y, right, bottom, x, bottom], axis=1)
  polygon = (regions.counts == 8)[:, None]
  return np.where(polygon, regions.numbers, boxes).reshape(-1, 4, 2)


def _read(path: str | Path) -> Regions:
  if Path(path).suffix == '.bin':
    rows = binary_results.read_rows(Path(path))
    lines = [','.join(map(str, row)) for row in rows]
  else:
    lines = results.read_text(path).rstrip().split('\n')
    if lines == ['']:
      raise UserError(f'{path}: empty; expected one region per frame: restore '
                      'the file')
    rows = list(map(_numbers, lines))
  for number, (row, line) in enumerate(zip(rows, lines, strict=True), start=1):
    if not _is_region(row):
      raise UserError(
          f'{path} line {number}: {line.strip()[:60]!r} is not a region; '
          'expected "x,y,w,h", 8 corner coordinates, or 0, 1 or 2: correct it')
  return from_rows(rows)


def _numbers(line: str) -> list[float]:
  """What a line holds; nothing if that is not numbers."""
  try:
    return [real(word) for word in _SEPARATOR.split(line.strip())]
  except ValueError:
    return []


def _is_region(row: Sequence[float]) -> bool:
  # Not finite, or so large that nothing can be meant.
  fine = all(abs(value) <= LARGEST for value in row)
  if len(row) == 1:
    fine &= row[0] in {UNKNOWN, STARTED, FAILED}
  return fine and len(row) in {1, 4, 8}
