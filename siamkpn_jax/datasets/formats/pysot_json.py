"""One JSON file for a whole benchmark, as pysot and others ship it.

  {"<name>": {"img_names": ["<name>/img/0001.jpg", ...],   under the file's
              "gt_rect": [[x, y, w, h], ...],              folder
              "attr": ["IV", ...],                         may be missing
              "absent": [1, ...]}, ...}                    1: can be seen (!)

counts pixels from 0. The variant with "name" and "image_files" (names alone,
in <root>/<name>/img/) counts OTB's from 1, and calls the sequences of two
targets jogging_1 and jogging_2; here they are Jogging-1 and Jogging-2.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import check_name
from siamkpn_jax.datasets.formats import json_file, scan, text
from siamkpn_jax.datasets.formats.annotations import (
  Annotation,
  Found,
  Unreadable,
  check_any,
  check_first,
)
from siamkpn_jax.datasets.formats.otb_ranges import FRAME_RANGES


def find(path: Path) -> Path | None:
  """The JSON file that `path` is, or the only file of a folder of files.

  A folder of folders has a layout of its own, whatever lies beside them.

  Raises:
    UserError: the folder has several.
  """
  if path.suffix.lower() == '.json' and not path.is_dir():
    return path
  if not path.is_dir() or scan.folders(path):
    return None
  files = scan.files(path, '.json')
  if len(files) > 1:
    raise UserError(f'{path}: several JSON files ({files[0].name}, '
                    f'{files[1].name} ...); expected one: use the path of the '
                    'annotation file')
  return files[0] if files else None


def load(path: Path) -> list[Found]:
  """All sequences of a file, sorted by name.

  Raises:
    UserError: not such a file, or a damaged sequence.
  """
  try:
    content = json_file.parse_unique(text.read_text(path))
  except (ValueError, RecursionError) as error:
    raise UserError(f'{path}: not JSON ({error}); expected the annotations of '
                    'a benchmark: restore the file') from error
  if not isinstance(content, dict):
    raise UserError(f'{path}: wrong content; expected an object that maps '
                    'names to sequences: restore the file')
  found: list[Found] = []
  for key, value in content.items():
    check_name(key, str(path))
    try:
      found.append(_read(path, key, value))
    except UserError as error:
      found.append(Unreadable(key, error))
    except RecursionError:  # what is wrong has no words
      found.append(Unreadable(key, UserError(
          f'{path}: sequence {key[:60]}: nested too deeply; expected img_names '
          'and gt_rect: restore the file')))
  check_any(found, path, 'an object with a sequence under each name')
  return sorted(found, key=lambda a: a.name)


def _read(path: Path, key: str, value: Any) -> Annotation:
  where = f'{path}: sequence {key[:60]}'
  if not isinstance(value, dict) or 'gt_rect' not in value:
    raise UserError(f'{where}: no gt_rect; expected img_names and gt_rect: '
                    'restore the file')
  boxes_xywh = _boxes(where, value['gt_rect'])
  visible = None
  if 'absent' in value:
    visible = _numbers(value['absent']) == 1
    if visible.shape != (len(boxes_xywh),):
      raise UserError(f'{where}: wrong number of flags in "absent"; expected '
                      f'one for each of the {len(boxes_xywh)} boxes: restore '
                      'the file')
  attributes = _strings(where, value.get('attr') or [])
  if 'name' in value:
    check_name(str(value['name']), str(path))
    name = _name(key, str(value['name']))
    home = path.parent / str(value['name']) / 'img'
    files = _strings(where, value.get('image_files') or [])
    origin = 1
  else:
    name, home, origin = key, path.parent, 0
    files = _strings(where, value.get('img_names') or [])
  return Annotation(
      name, boxes_xywh, origin, visible, attributes=attributes,
      images=tuple(home / scan.spelled(home, file) for file in files) or None,
      frame_range=FRAME_RANGES.get(name.lower()))


def _name(key: str, name: str) -> str:
  """jogging_2, Jogging -> Jogging-2; carDark, CarDark -> CarDark."""
  target = re.fullmatch(r'.*_(\d+)', key)
  return f'{name}-{target[1]}' if target else name


def _boxes(where: str, rows: Any) -> np.ndarray:
  boxes_xywh = _numbers(rows)
  if boxes_xywh.ndim != 2 or boxes_xywh.shape[1] != 4 or not len(boxes_xywh):
    polygons = boxes_xywh.ndim == 2 and boxes_xywh.shape[1] == 8
    raise UserError(
        f'{where}: gt_rect is not a list of boxes [x, y, w, h]' +
        (' but of polygons, as VOT has; expected a one-pass benchmark: choose '
         'another --benchmark' if polygons else ': restore the file'))
  check_first(boxes_xywh, where)
  boxes_xywh.flags.writeable = False
  return boxes_xywh


_each_number = np.vectorize(json_file.number, otypes=[np.float64])


def _numbers(rows: Any) -> np.ndarray:
  """As an array; empty if something in it is no finite number or NaN."""
  try:
    found = _each_number(np.array(rows, object))
  except (TypeError, ValueError, OverflowError):
    # Text, rows of unequal length, or numbers of hundreds of digits.
    return np.empty(0)
  return np.empty(0) if np.isinf(found).any() else found


def _strings(where: str, values: Any) -> tuple[str, ...]:
  if not isinstance(values, list):
    raise UserError(f'{where}: {str(values)[:40]!r}; expected a list of names: '
                    'restore the file')
  return tuple(str(v) for v in values)
