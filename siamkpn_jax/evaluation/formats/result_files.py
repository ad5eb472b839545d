"""Other people's result files: found by the sequence's name, read with care.

Layouts, for a sequence called <name>:
  <name>.txt                        OTB, LaSOT, pysot
  <name>/<name>_001.txt             GOT-10k, _002 and so on: repetitions
  baseline/<name>/<name>_001.txt    pysot's VOT layout
  <name>.json                       OTB's Python toolkit: [{"res": [[x, ...]]}]

A file of exactly the sequence's name comes first. Otherwise names are compared
without case and without ".", "-" and "_": Jogging-1 is found as jogging_1.txt
or Jogging.1.txt. Between two digits one of them must be there: UAV123 has
car1_1 and car11. Human4, OTB's second target of that video, is also found as
Human4-2.

A line is a box: four numbers x,y,w,h with a comma, semicolon, tab or space
between. NaN, infinite numbers and sides <= 0 are read as they are, and scored
by the protocol's rule; anything else is refused.
"""

import collections
import json
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import file_name
from siamkpn_jax.core.stored_json import check_plain
from siamkpn_jax.datasets.formats import json_file, scan, text

_LAYOUT = '<name>.txt or <name>/<name>_001.txt'
_SUFFIXES = ('.txt', '.json')
_ALIASES = {'human4-2': 'human4'}


def name_key(name: str) -> str:
  """What all spellings of a sequence's name have in common."""
  key = re.sub(r'(?<=\d)[-._]+(?=\d)', '-', name.casefold())
  key = re.sub(r'(?<!\d)[-._]+|[-._]+(?!\d)', '', key)
  return _ALIASES.get(key, key)


def find_spellings(names: Collection[str], spellings: Collection[str],
                   among: Collection[str] = ()) -> dict[str, list[str]]:
  """How some text or folder spells the names of sequences.

  Args:
    names: of sequences.
    spellings: the names to choose from.
    among: the names of all sequences of the benchmark, if `names` are some.

  Returns:
    For each name: itself, or what its files are called (see `file_name`), if
    it is there; otherwise all of the same key that are not the very name of
    another sequence; none if that other sequence could be meant as well.
  """
  everyone = {*names, *among}
  own = {name: [s for s in dict.fromkeys((name, file_name(name)))
                if s in spellings] for name in everyone}
  exact = everyone | {file_name(name) for name in everyone}
  by_key: dict[str, list[str]] = {}
  for spelling in spellings:
    if spelling not in exact:
      by_key.setdefault(name_key(spelling), []).append(spelling)
  seeking = collections.Counter(
      name_key(name) for name in everyone if not own[name])
  found = {}
  for name in names:
    key = name_key(name)
    loose = by_key.get(key, []) if seeking[key] == 1 else []
    found[name] = own[name] or loose
  return found


def find_results(folder: Path, names: Collection[str],
                 among: Collection[str] = ()) -> dict[str, list[Path]]:
  """The result files of each sequence, its repetitions in order.

  Names are found in the folder as by `find_spellings`.

  Raises:
    UserError: the folder or a sequence's file is missing, or there are two.
  """
  if not folder.is_dir():
    raise UserError(f'{folder}: not a folder; expected result files '
                    f'{_LAYOUT}: check --results')
  files = _by_name(folder)
  spellings = find_spellings(names, files, among)
  for found in spellings.values():
    if len(found) > 1:
      raise _double(files[found[0]][0], files[found[1]][0])
  missing = [name for name, found in spellings.items() if not found]
  if missing:
    raise UserError(
        f'{folder}: no result file for {", ".join(missing[:5])}' +
        (f' and {len(missing) - 5} more' if len(missing) > 5 else '') +
        f' of {len(names)} sequences; expected {_LAYOUT}: run the tracker on '
        'them, or exclude them with --sequences')
  return {name: files[found[0]] for name, found in spellings.items()}


def read_result(path: Path) -> np.ndarray:
  """[t, 4] boxes in the pixel convention of the file, t >= 1.

  They may hold NaN, infinite numbers and sides <= 0.

  Raises:
    UserError: missing, empty, not text, or a line that is not four numbers.
  """
  if path.suffix == '.json':
    return _read_json(path)
  return text.read_boxes(
      path, advice='convert the file, or run the tracker again')


def _by_name(folder: Path) -> dict[str, list[Path]]:
  """A sequence's name as the folder spells it -> its files, for all layouts."""
  files: dict[str, list[Path]] = {}
  for path in sorted(folder.iterdir()):
    if (path.is_file() and path.suffix in _SUFFIXES and
        not scan.hidden(path.name)):
      _add(files, path.stem, [path])
  for home in (folder, folder / 'baseline'):
    for sub in scan.sequences(home):
      runs = [p for p in scan.files(sub, '.txt') if re.fullmatch(
          re.escape(sub.name) + r'_\d+', p.stem)]
      if runs:
        _add(files, sub.name, runs)
  return files


def _add(files: dict[str, list[Path]], name: str, paths: list[Path]) -> None:
  if name in files:
    raise _double(files[name][0], paths[0])
  files[name] = paths


def _double(first: Path, second: Path) -> UserError:
  return UserError(f'{first} and {second}: results of the same sequence; '
                   'expected only one: remove the other')


def _read_json(path: Path) -> np.ndarray:
  """The boxes of OTB's Python toolkit."""
  try:
    content = json.loads(text.read_text(path))
    check_plain(content, finite=False)
    (run,) = content
    if run.get('resType', 'rect') != 'rect':
      raise ValueError('no rectangles')
    boxes_xywh = np.array([json_file.numbers(box, 4) for box in run['res']])
    if not len(boxes_xywh):
      raise ValueError('no boxes')
  except (ValueError, TypeError, KeyError, AttributeError, RecursionError,
          OverflowError) as error:
    raise UserError(
        f'{path}: not a result file ({type(error).__name__}: '
        f'{" ".join(str(error).split())[:60]}); expected [{{"resType": "rect", '
        '"res": [[x, y, w, h], ...]}]: convert the file') from error
  return boxes_xywh
