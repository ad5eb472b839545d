"""Files of boxes and of scores: read strictly, written atomically.

A result file `<sequence>.txt` has one line `x,y,w,h` per frame, with four
decimals. It counts pixels as the sequence's annotation does (`origin`, see
sequences.py), so that it can be laid beside the annotation and be read by the
field's toolkits; in the program all boxes are 0-based.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core import atomic_io
from siamkpn_jax.core.errors import UserError


def write_boxes(path: str | Path, boxes_xywh: np.ndarray, *,
                origin: int = 0) -> None:
  """Writes one box per line; the file appears whole or not at all.

  Args:
    path: the text file; its folder is made if it is missing.
    boxes_xywh: [t, 4] 0-based boxes in pixels.
    origin: number that the file gives to the first pixel, 0 or 1.

  Raises:
    UserError: the file cannot be written.
  """
  rows = _shifted(np.asarray(boxes_xywh, np.float64), origin)
  text = ''.join(','.join(f'{v:.4f}' for v in row) + '\n' for row in rows)
  write_text(path, text)


def read_boxes(path: str | Path, *, origin: int = 0,
               allow_nan: bool = False) -> np.ndarray:
  """Reads one box per line; commas, semicolons, tabs or spaces separate.

  Args:
    path: the text file.
    origin: number that the file gives to the first pixel, 0 or 1.
    allow_nan: accept `nan`, which some annotations write for "no target".

  Returns:
    [t, 4] float64 0-based boxes, t >= 1.

  Raises:
    UserError: the file is missing, empty or not text, or a line is not a box.
  """
  lines = read_text(path).rstrip().split('\n')
  if lines == ['']:
    raise UserError(f'{path} is empty; expected one "x,y,w,h" line per frame; '
                    'restore the file')
  rows = [_parse_row(path, number, line, allow_nan)
          for number, line in enumerate(lines, start=1)]
  return _shifted(np.array(rows, np.float64), -origin)


def write_summary(path: str | Path, summary: Mapping[str, Any]) -> None:
  """Writes the scores of a run as JSON, whole or not at all.

  Raises:
    UserError: the file cannot be written.
  """
  write_text(path, json.dumps(summary, indent=2, allow_nan=False) + '\n')


def make_folder(path: str | Path) -> Path:
  """Makes an output folder; one that is there already is fine.

  Raises:
    UserError: it cannot be made.
  """
  try:
    Path(path).mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f'cannot make the folder {path}: {error.strerror}; '
                    'expected a place for the results') from error
  return Path(path)


def write_text(path: str | Path, text: str) -> None:
  """Writes a text file, whole or not at all.

  Raises:
    UserError: the file cannot be written.
  """
  path = Path(path)
  with atomic_io.atomic_paths([path]) as partial, atomic_io.file_errors(path):
    partial[path].write_text(text, encoding='utf-8')


def read_text(path: str | Path) -> str:
  """The text of a small file; a missing or binary one is a `UserError`."""
  try:
    return Path(path).read_text(encoding='utf-8-sig')
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}; expected a text '
                    'file') from error
  except UnicodeDecodeError as error:
    raise UserError(f'{path} is not a text file (byte {error.start}); '
                    'restore the file') from error


def _parse_row(path: str | Path, number: int, line: str,
               allow_nan: bool) -> list[float]:
  try:
    row = [float(word) for word in
           line.replace(',', ' ').replace(';', ' ').split()]
  except ValueError:
    row = []
  fine = all(math.isfinite(v) or (allow_nan and math.isnan(v)) for v in row)
  if len(row) != 4 or not fine:
    raise UserError(
        f'{path} line {number}: {line.strip()[:60]!r} is not a box; expected '
        'four numbers "x,y,w,h" (comma, tab or space between); correct it')
  return row


def _shifted(boxes_xywh: np.ndarray, by: int) -> np.ndarray:
  return boxes_xywh + np.array([by, by, 0, 0])
