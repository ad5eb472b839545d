"""Annotations in text files: boxes, flags and names.

Every reader of boxes in lines of text is this one: of training sets, of
benchmarks and of result files.
"""

from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import check_name
from siamkpn_jax.core.numbers import real
from siamkpn_jax.core.reading import MISSING, unreachable

# All separators that the data sets use, often within one of them.
_TO_SPACES = str.maketrans(',;\t', '   ')


def read_text(path: str | Path) -> str:
  """The text of a small file.

  Raises:
    UserError: missing, or not UTF-8.
    UnreachableError: the system does not give it.
  """
  try:
    return Path(path).read_text(encoding='utf-8-sig')
  except OSError as error:
    if error.errno not in MISSING:
      raise unreachable(path, error) from error
    raise UserError(f'{path}: cannot be read ({error.strerror}); expected a '
                    'text file: check the path') from error
  except UnicodeDecodeError as error:
    raise UserError(f'{path}: not a UTF-8 text file (byte {error.start}): '
                    'restore the file') from error
  except ValueError as error:  # NUL or half a surrogate pair in the name
    raise UserError(f'{str(path)!a}: no file can have this name; expected a '
                    'text file: check the path') from error


def read_boxes(path: str | Path, *, nan: bool = True, infinite: bool = True,
               advice: str = 'correct it') -> np.ndarray:
  """[t, 4] float64 numbers, t >= 1, one line "x,y,w,h" each, as they stand.

  Commas, semicolons, tabs or spaces separate.

  Args:
    path: the file.
    nan: accept `nan`, which some annotations write for "no target".
    infinite: accept infinite numbers.
    advice: what to do about a line that is not a box.

  Raises:
    UserError: missing, empty or not text, or a line is not four numbers.
  """
  content = read_text(path).rstrip()
  if not content:
    raise UserError(f'{path}: empty; expected one "x,y,w,h" line per frame: '
                    'restore the file')
  rows = [line.split() for line in content.translate(_TO_SPACES).splitlines()]
  boxes_xywh = _numbers(rows)
  if boxes_xywh is None:
    bad = next(k for k, row in enumerate(rows) if _numbers([row]) is None)
  else:
    refused = ((np.isnan(boxes_xywh) & (not nan)) |
               (np.isinf(boxes_xywh) & (not infinite))).any(axis=1)
    if not refused.any():
      return boxes_xywh
    bad = int(refused.argmax())
  line = content.splitlines()[bad].strip()
  columns = f' ({len(rows[bad])} columns)' if len(rows[bad]) != 4 else ''
  raise UserError(
      f'{path} line {bad + 1}: {line[:60]!r} is not a box{columns}; expected '
      f'four numbers "x,y,w,h" separated by comma, tab or space: {advice}')


def numbers(line: str) -> list[float]:
  """The numbers of a line, separated as those of `read_boxes`.

  Raises:
    ValueError: something else is in it.
  """
  return [real(word) for word in line.translate(_TO_SPACES).split()]


def read_flags(path: str | Path) -> np.ndarray:
  """[t] float64 finite numbers of a file, on one line or on one line each.

  Raises:
    UserError: missing or not text, or something else than numbers.
  """
  words = read_text(path).translate(_TO_SPACES).split()
  try:
    flags = np.array(list(map(real, words)), np.float64)
  except ValueError:
    flags = np.array([np.nan])
  if not np.isfinite(flags).all():
    raise UserError(f'{path}: not all entries are numbers; expected one flag '
                    'per frame: restore the file')
  return flags


def read_names(path: str | Path,
               refused: list[str] | None = None) -> list[str]:
  """The names in a list file, at least one, one per line.

  Lines that cannot be names go to `refused`; if it is None, they are an error.

  Raises:
    UserError: missing, empty, not text, or a line that cannot be a name.
  """
  names = []
  lines = read_text(path).split('\n')  # other ends of lines may be in a name
  for number, line in enumerate(map(str.strip, lines), start=1):
    if not line:
      continue
    try:
      check_name(line, f'{path} line {number}')
      names.append(line)
    except UserError:
      if refused is None:
        raise
      refused.append(line)
  if not (names or refused):
    raise UserError(f'{path}: empty, lists no sequence; expected one name per '
                    'line: restore the file')
  return names


def _numbers(rows: list[list[str]]) -> np.ndarray | None:
  """[t, 4] float64; None if a row is not four numbers."""
  if any(len(row) != 4 for row in rows):
    return None
  try:
    return np.array([list(map(real, row)) for row in rows], np.float64)
  except ValueError:
    return None
