"""GOT-10k's validation and test sequences.

  <root>/val/list.txt                    one sequence name per line
  <root>/val/<sequence>/00000001.jpg ...
  <root>/val/<sequence>/groundtruth.txt  one "x,y,w,h" per frame; in test the
                                         first frame's alone
  <root>/val/<sequence>/cover.label      visible part in eighths; 0: nothing
  <root>/val/<sequence>/absence.label    1: absent; read where cover is missing
  <root>/val/<sequence>/meta_info.ini    resolution: (1920, 1080)

The folder may also be <root>/val or <root>/test itself. The classes of the
objects are not used: each frame counts the same.
"""

import re
from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.formats.annotations import (
  Annotation,
  missing,
  read_flags,
  read_names,
  read_truth,
)

_LAYOUT = 'val/list.txt and val/<sequence>/groundtruth.txt'


def load(folder: Path) -> list[Annotation]:
  """The sequences of list.txt, in its order.

  Raises:
    UserError: no list, a listed sequence that is missing, or a damaged file.
  """
  home = next((f for f in (folder, folder / 'val', folder / 'test')
               if (f / 'list.txt').is_file()), None)
  if home is None:
    raise UserError(f'no list.txt in {folder}; expected {_LAYOUT}; check the '
                    'path')
  names = read_names(home / 'list.txt')
  absent = [n for n in names if not (home / n / 'groundtruth.txt').is_file()]
  if absent:
    raise missing(home, absent, _LAYOUT)
  return [_read(home / name) for name in names]


def _read(home: Path) -> Annotation:
  boxes_xywh = read_truth(home / 'groundtruth.txt')
  return Annotation(home.name, boxes_xywh, 0, _visible(home, len(boxes_xywh)),
                    _resolution(home / 'meta_info.ini'), images=home)


def _visible(home: Path, count: int) -> np.ndarray | None:
  """[t] True where something of the target can be seen."""
  if (home / 'cover.label').is_file():
    return read_flags(home / 'cover.label', count) > 0
  if (home / 'absence.label').is_file():
    return read_flags(home / 'absence.label', count) == 0
  return None


def _resolution(path: Path) -> tuple[int, int] | None:
  """Width and height of the images, None where no file tells them."""
  if not path.is_file():
    return None
  found = re.search(r'^resolution\s*[:=]\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)',
                    results.read_text(path), re.MULTILINE)
  if not found:
    raise UserError(f'{path} has no resolution; expected a line "resolution: '
                    '(width, height)"; restore the file')
  return int(found[1]), int(found[2])
