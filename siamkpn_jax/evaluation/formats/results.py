"""Files of boxes and of scores: read strictly, written atomically.

A result file `<sequence>.txt` has one line `x,y,w,h` per frame, with four
decimals. It counts pixels as the sequence's annotation does (`origin`, see
sequences.py), so that it can be laid beside the annotation and be read by the
field's toolkits; in the program all boxes are 0-based.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import text

read_text = text.read_text


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
  lines = ''.join(','.join(f'{v:.4f}' for v in row) + '\n' for row in rows)
  write_file(path, lines)


def read_boxes(path: str | Path, *, origin: int = 0) -> np.ndarray:
  """[t, 4] float64 0-based boxes, t >= 1, of a file that `write_boxes` wrote.

  Raises:
    UserError: missing, empty or not text, or a line is not a box.
  """
  return _shifted(text.read_boxes(path, nan=False, infinite=False), -origin)


def write_summary(path: str | Path, summary: Mapping[str, Any]) -> None:
  """Writes the scores of a run as JSON, whole or not at all.

  Raises:
    UserError: the file cannot be written.
  """
  write_file(path, json.dumps(summary, indent=2, allow_nan=False) + '\n')


def make_folder(path: str | Path) -> Path:
  """Makes an output folder; one that is there already is fine.

  Raises:
    UserError: it cannot be made.
  """
  try:
    Path(path).mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f'{path}: folder cannot be created ({error.strerror}); '
                    'expected a writable path: choose another') from error
  return Path(path)


def _shifted(boxes_xywh: np.ndarray, by: int) -> np.ndarray:
  return boxes_xywh + np.array([by, by, 0, 0])
