"""Need for Speed: 100 videos at 240 frames per second, or at 30.

  <root>/<sequence>/30/<sequence>/00001.jpg ...  every eighth frame of 240/
  <root>/<sequence>/30/<sequence>.txt            lines of 240 frames per second:
                                                 id x1 y1 x2 y2 frame ...

Pixels are counted from 0 and x2, y2 taken as the right and lower end.
"""

from pathlib import Path

import numpy as np

from siamkpn_jax.benchmarks import results
from siamkpn_jax.benchmarks.annotations import (
  Annotation,
  check_first,
  some,
  subfolders,
)
from siamkpn_jax.errors import UserError


def load(folder: Path, rate: int = 30) -> list[Annotation]:
  """All sequences, sorted by name.

  Args:
    folder: holds a folder for each sequence.
    rate: frames per second, 30 or 240.

  Raises:
    UserError: nothing to read, or a damaged file.
  """
  found = []
  for home in subfolders(folder):
    path = home / str(rate) / f'{home.name}.txt'
    if path.is_file():
      boxes_xywh = _read(path)[::8 if rate == 30 else 1]
      check_first(boxes_xywh, f'{path} line 1')
      found.append(Annotation(home.name, boxes_xywh,
                              images=path.with_suffix('')))
  return some(found, folder, f'<sequence>/{rate}/<sequence>.txt')


def load_240(folder: Path) -> list[Annotation]:
  """The same at 240 frames per second."""
  return load(folder, 240)


def _read(path: Path) -> np.ndarray:
  """[t, 4] boxes, one per line."""
  rows = []
  for number, line in enumerate(
      results.read_text(path).strip().split('\n'), start=1):
    try:
      left, top, right, bottom = (float(v) for v in line.split()[1:5])
    except ValueError as error:
      raise UserError(f'{path} line {number}: {line.strip()[:60]!r} is not a '
                      'box; expected "id x1 y1 x2 y2 frame ..."; correct it'
                      ) from error
    rows.append((left, top, right - left, bottom - top))
  return np.array(rows)
