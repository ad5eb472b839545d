"""Boxes that a file gives: which targets to track, and from which frame on.

What kind of file it is shows in its content. Every reader gives all boxes that
are in a file; `callers_boxes.starts` takes those at which targets begin.
"""

import csv
import functools
import io
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.core.numbers import real
from siamkpn_jax.core.stored_json import parse_json, read_bounded
from siamkpn_jax.datasets.interchange import coco_video, cvat, label_studio
from siamkpn_jax.datasets.interchange.labeled import Video

_EXPECTED = (
    'expected boxes as CSV with a header (x,y,w,h and, if wanted, frame and '
    'id), JSON with the same names, or MOT text (frame,id,x,y,w,h,...), or '
    'labels of CVAT, Label Studio or COCO-video')
# Other names of a column.
_ALIASES = {'left': 'x', 'top': 'y', 'width': 'w', 'height': 'h',
            'bb_left': 'x', 'bb_top': 'y', 'bb_width': 'w', 'bb_height': 'h',
            'frame_id': 'frame', 'frame_number': 'frame', 'track_id': 'id',
            'object_id': 'id'}
_LARGEST = 2**31  # frames and ids are below
_SET_RATE = ("set frameRate of Label Studio's <Video> to the video's, label "
             'again, or use the labeled video')
_RATES_DIFFER = 0.01  # more than 30 and 29.97 do
_FRAMES_DIFFER = 1  # as times are rounded
_Value = TypeVar('_Value')


class GivenBox(NamedTuple):
  """A box of a target in one frame.

  Attributes:
    frame: its number, from 1; None: the first that is tracked.
    id: of the target, the same in all of its frames.
    box_xywh: left, top, width, height in pixels, finite, not otherwise checked.
  """

  frame: int | None
  id: int
  box_xywh: tuple[float, float, float, float]
  # Not of what `read_boxes` gives: fractions of the frame, and how many frames
  # and seconds lie between the first and the last time in its labels.
  relative: bool = False
  span: tuple[int, float] | None = None


def read_boxes(path: Path, frames: int | None = None,
               size: tuple[int, int] | None = None,
               rate: float | None = None) -> list[GivenBox]:
  """All boxes in a file, by frame.

  Args:
    path: CSV, JSON, MOT text, a line x,y,w,h per frame (OTB), or labels of
      another program (datasets/interchange).
    frames: of the video, if known; tells whether lines x,y,w,h are the frames
      of one target.
    size: width and height of the video, pixels; for files that give boxes in
      percent of them.
    rate: of the video, frames per second, if known; labels that count by
      another one mean other frames.

  Raises:
    UserError: it cannot be read, or is none of these, or holds no box.
  """
  try:
    data = read_bounded(path)
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise UserError(f'{path}: cannot be read ({reason}); {_EXPECTED}: check '
                    'the path') from error
  start = data.removeprefix(b'\xef\xbb\xbf').lstrip()[:1]
  if start in (b'{', b'['):
    found = _read_json(data, path, frames)
  elif start == b'<':
    found = _known(_labeled(cvat.parse, data, path), path)
  else:
    found = _read_text(data, path, frames)
  if not found:
    raise UserError(f'{path}: no box in it; {_EXPECTED}')
  _check_rates(found, rate, path)
  return sorted(_in_pixels(found, size, path), key=lambda box: box.frame or 0)


def _check_rates(boxes: list[GivenBox], rate: float | None,
                 path: Path) -> None:
  for frames, seconds in {box.span for box in boxes if box.span}:
    if rate and seconds > 0 and (
        abs(seconds * rate - frames) > max(
            _FRAMES_DIFFER, _RATES_DIFFER * frames)):
      raise UserError(
          f'{path}: labels of {frames / seconds:.5g} frames per second, but '
          f'the video has {rate:.5g}; expected as many: {_SET_RATE}')


def _in_pixels(boxes: list[GivenBox], size: tuple[int, int] | None,
               path: Path) -> list[GivenBox]:
  if size is None and any(box.relative for box in boxes):
    raise UserError(f'{path}: its boxes are in percent of a frame whose size '
                    'is not known; expected boxes in pixels: convert them')
  width, height = size or (1, 1)
  scaled = lambda x, y, w, h: (x * width, y * height, w * width, h * height)
  return [box._replace(
      box_xywh=scaled(*box.box_xywh) if box.relative else box.box_xywh,
      relative=False, span=None) for box in boxes]


def _known(found: list[GivenBox] | None, path: Path) -> list[GivenBox]:
  """What the first reader has read that knows the file."""
  if found is None:
    raise UserError(f'{path}: of no known kind; {_EXPECTED}')
  return found


def _labeled(parse: Callable[[Any], Video | list[Video] | None], content: Any,
             path: Path, frames: int | None = None) -> list[GivenBox] | None:
  """The boxes of another program's labels, of one video and all readable.

  Args:
    parse: reads them.
    content: of the file.
    path: of it.
    frames: that the video must have, about; None: any number.
  """
  try:
    found = parse(content)
  except ValueError as error:
    raise UserError(f'{path}: {first_line(error)}; expected the labels of one '
                    'video: correct it') from error
  if found is None:
    return None
  videos = found if isinstance(found, list) else [found]
  bad = [text for video in videos for text in [*video.bad, video.unclear]
         if text]
  if bad:
    raise UserError(f'{path}: cannot be read ({bad[0]:.120}); expected labels '
                    'without errors: correct it, or export it again')
  named = [video for video in videos if video.targets]
  if len(named) > 1:
    names = ', '.join(ascii(video.name)[:40] for video in named[:3])
    raise UserError(f'{path}: the labels of {len(named)} videos ({names}); '
                    'expected those of one: export it alone')
  for video in named:
    if frames and video.length and (
        abs(video.length - frames) > max(2, frames // 100)):
      raise UserError(
          f'{path}: labels of {video.length} frames, but the video has {frames}'
          f'; expected as many: {_SET_RATE}')
  return [GivenBox(frame, target.id, box, video.relative, video.span())
          for video in named for target in video.targets
          for frame, box in target.boxes_xywh.items()]


def _read_json(data: bytes, path: Path, frames: int | None
               ) -> list[GivenBox]:
  kind = list if data.lstrip(b'\xef\xbb\xbf \t\r\n')[:1] == b'[' else dict
  content = parse_json(data.removeprefix(b'\xef\xbb\xbf'), path,
                       'boxes as JSON', kind=kind, finite=False,
                       advice='correct it')
  found = _labeled(functools.partial(label_studio.parse, predictions=True),
                   content, path, frames)
  if found is None:
    found = _labeled(coco_video.parse, content, path)
  if found is None:
    found = _own_json(content, path)
  return _known(found, path)


def _own_json(content: Any, path: Path) -> list[GivenBox] | None:
  """{"boxes": [...]} or a list, of objects or of [x, y, w, h]."""
  rows = content.get('boxes') if isinstance(content, dict) else content
  if not isinstance(rows, list):
    return None
  return _from_rows([_named(row, f'box {number}', path)
                     for number, row in enumerate(rows, start=1)],
                    path, 'box')


def _named(row: Any, where: str, path: Path) -> Mapping[str, Any]:
  """The object with its four numbers by name."""
  if isinstance(row, list):
    row = {'box': row}
  if not isinstance(row, dict):
    raise _bad(path, where, json.dumps(row))
  for key in ('box', 'bbox', 'box_xywh'):
    if isinstance(row.get(key), list) and len(row[key]) == 4:
      return row | dict(zip('xywh', row[key], strict=True))
  return row


def _read_text(data: bytes, path: Path, frames: int | None) -> list[GivenBox]:
  try:
    text = data.decode('utf-8-sig')
  except UnicodeDecodeError as error:
    raise UserError(f'{path}: not a text file (byte {error.start}); {_EXPECTED}'
                    ) from error
  lines = [line for line in text.splitlines() if line.strip()]
  if not lines:
    return []
  if any(part.strip().strip('"').isidentifier() and not _is_number(part)
         for part in lines[0].replace(';', ',').split(',')):
    return _read_csv(text, path)
  rows = [line.replace(',', ' ').replace(';', ' ').split() for line in lines]
  width = len(rows[0])
  for number, row in enumerate(rows, start=1):
    line = lines[number - 1]  # 10,5;20,5 are decimal commas, or no numbers
    if len(row) != width or not all(map(_is_number, row)) or (
        ',' in line and ';' in line):
      raise _bad(path, f'line {number}', line)
  if width == 4:
    return _one_target(rows, path, frames)
  if width < 6 or width == 8:  # 8: the corners of a polygon, as VOT has them
    raise UserError(f'{path}: {width} columns without a header; {_EXPECTED}')
  if any(real(row[1]) == -1 for row in rows):
    raise UserError(f'{path}: ids of -1, as of detections; expected a positive '
                    'id for each target: number them')
  return _from_rows([dict(zip(('frame', 'id', *'xywh'), row, strict=False))
                     for row in rows], path, 'line')


def _one_target(rows: list[list[str]], path: Path,
                frames: int | None) -> list[GivenBox]:
  """Lines x,y,w,h, one for each frame."""
  if len(rows) not in (1, frames):
    raise UserError(
        f'{path}: {len(rows)} lines of four numbers may be as many targets or '
        'frames of one; expected a line per frame of the video, or a first '
        'line "x,y,w,h" above one line per target: add it')
  alone = len(rows) == 1
  return _from_rows(
      [{'frame': None if alone else str(number), 'id': '1'} |
       dict(zip('xywh', row, strict=True))
       for number, row in enumerate(rows, start=1)], path, 'line')


def _read_csv(text: str, path: Path) -> list[GivenBox]:
  separator = ';' if ';' in text.splitlines()[0] else ','
  reader = csv.DictReader(io.StringIO(text), delimiter=separator,
                          skipinitialspace=True)
  try:
    _check_columns(reader.fieldnames or (), path)
    rows, lines = [], []  # empty lines are no rows, a row may have several
    for row in reader:
      rows.append(row)
      lines.append(reader.line_num)
    return _from_rows(rows, path, 'line', lines)
  except csv.Error as error:
    raise UserError(f'{path} line {reader.line_num}: {error}; {_EXPECTED}'
                    ) from error


def _from_rows(rows: Sequence[Mapping[str, Any]], path: Path, word: str,
               places: Iterable[int] | None = None) -> list[GivenBox]:
  """Boxes of rows with names; one without numbers (nan) or lost is left out.

  Rows without ids are targets of their own. The places are those of the rows
  in the file, for messages; None: 1, 2, ...
  """
  found, named = [], set()
  for number, (place, given) in enumerate(
      zip(places or itertools.count(1), rows, strict=False), start=1):
    where = f'{path} {word} {place}'
    row = {_name(key): (key.strip(), value)
           for key, value in given.items() if key}
    _check_columns(row, path)
    if row.get('state', ('', ''))[1] == 'lost':  # nothing begins there
      continue
    left, top, width, height = (_field(row, side, real, where)
                                for side in 'xywh')
    frame, target = (_field(row, key, _whole, where) for key in ('frame', 'id'))
    if frame is not None and frame < 1:
      raise UserError(f'{where}: frame {frame}; expected frames counted from '
                      '1: correct it')
    named.add(target is not None)
    if len(named) > 1:
      raise UserError(f'{where}: some rows have an id, others none; expected '
                      'one for all of them, or for none')
    if np.isfinite([left, top, width, height]).all():
      found.append(GivenBox(frame, number if target is None else target,
                            (left, top, width, height)))
  return found


def _field(row: Mapping[str, tuple[str, Any]], key: str,
           kind: Callable[[Any], _Value], where: str) -> _Value:
  name, value = row.get(key, (key, None))
  if key in 'xywh' and (value is None or not str(value).strip()):
    raise UserError(f'{where}: {name} is empty; expected a number: correct it')
  try:
    return kind(value)
  except (TypeError, ValueError, OverflowError):
    raise UserError(f'{where}: {name} is {str(value)[:60]!r}; expected a '
                    f'{"whole " if kind is _whole else ""}number: correct it'
                    ) from None


def _check_columns(keys: Iterable[str], path: Path) -> None:
  if not set(map(_name, keys)) >= set('xywh'):
    raise UserError(f'{path}: columns {",".join(keys)[:60]!r}; {_EXPECTED}')


def _name(key: str) -> str:
  name = key.strip().lower()
  return _ALIASES.get(name, name)


def _whole(value: Any) -> int | None:
  """A whole number that files hold exactly; None for nothing."""
  if value is None or value == '':
    return None
  number = real(value)
  if not number.is_integer() or abs(number) >= _LARGEST:
    raise ValueError(value)
  return int(number)


def _is_number(word: str) -> bool:
  try:
    real(word)
  except ValueError:
    return False
  return True


def _bad(path: Path, where: str, text: str) -> UserError:
  return UserError(f'{path} {where}: {text[:60]!r} is no box; {_EXPECTED}: '
                   'correct it')
