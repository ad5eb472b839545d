"""JSON that a program has stored: read with limits, and checked.

A file may be cut, damaged, edited, or made to do harm. Whatever is in it, the
reader gets what it can use, or a `UserError` of one line.
"""

import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamkpn_jax.core.errors import UserError, first_line

LIMIT = 64 * 2**20  # bytes
DEPTH = 50  # of what is within one another; ours have five levels at most
_LARGEST = 2**63  # of integers: what arrays hold

# Key -> the type, or types, of its value.
Fields = Mapping[str, type | tuple[type, ...]]


def read_json(path: Path, what: str, *, kind: type = dict,
              fields: Fields | None = None, finite: bool = True,
              limit_bytes: int = LIMIT,
              advice: str = 'write it again') -> Any:
  """Reads a file of JSON.

  Args:
    path: of the file.
    what: what it is, with its article, for messages: 'the settings of a run'.
    kind: of the whole: dict or list.
    fields: what a dict must hold; more is allowed. An int passes as a float, a
      bool as nothing else.
    finite: whether NaN and infinities are refused.
    limit_bytes: the largest size.
    advice: what the user can do if it is not so.

  Raises:
    UserError: it cannot be read, or is not that.
  """
  try:
    data = read_bounded(path, limit_bytes)
  except OSError as error:
    raise UserError(f'{path}: cannot be read ({error.strerror or error}); '
                    f'expected {what}: check the path and its permissions'
                    ) from error
  except ValueError as error:
    raise _not_so(path, error, what, advice) from error
  return parse_json(data, path, what, kind=kind, fields=fields, finite=finite,
                    limit_bytes=limit_bytes, advice=advice)


def parse_json(data: str | bytes, where: object, what: str, *,
               kind: type = dict, fields: Fields | None = None,
               finite: bool = True, limit_bytes: int = LIMIT,
               advice: str = 'write it again') -> Any:
  """Reads JSON that is in memory; `where` it comes from, else as `read_json`.

  Raises:
    UserError: it is not that.
  """
  try:
    if len(data) > limit_bytes:
      raise ValueError(f'more than {limit_bytes:,} bytes')
    content = json.loads(data)
    check_plain(content, finite=finite)
    _check_kind('the whole', content, kind)
    for name, kinds in (fields or {}).items():
      if name not in content:
        raise ValueError(f'lacks {name!r}')
      _check_kind(repr(name), content[name], kinds)
  except (ValueError, RecursionError) as error:
    raise _not_so(where, error, what, advice) from error
  return content


def read_bounded(path: Path, limit_bytes: int = LIMIT) -> bytes:
  """The content of a regular file that is not too large.

  Raises:
    OSError: it cannot be read.
    ValueError: it is something else, which may never end, or larger.
  """
  # A pipe that nobody writes to would be waited for.
  with open(path, 'rb', opener=_without_waiting) as file:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
      raise ValueError('not a regular file')
    # Python makes room for as much as is asked for.
    data = file.read(min(limit_bytes, status.st_size) + 1)
  if len(data) > limit_bytes:
    raise ValueError(f'more than {limit_bytes:,} bytes')
  return data


def _without_waiting(path: str, flags: int) -> int:
  return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))


def check_plain(content: Any, *, finite: bool = True) -> None:
  """Checks the depth and the numbers of what JSON can hold.

  Args:
    content: dicts, lists, strings, numbers.
    finite: whether NaN and infinities are refused.

  Raises:
    ValueError: in a few words.
  """
  level = [content]
  for _ in range(DEPTH):
    below: list[Any] = []
    for value in level:
      if isinstance(value, dict):
        below += value.values()
      elif isinstance(value, list | tuple):
        below += value
      elif isinstance(value, float):
        if finite and not math.isfinite(value):
          raise ValueError(f'the number {value}')
      elif isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError('a number of more than 64 bits')
    level = below
    if not level:
      return
  raise ValueError(f'nested more than {DEPTH} levels deep')


def _check_kind(name: str, value: Any, kinds: type | tuple[type, ...]) -> None:
  kinds = kinds if isinstance(kinds, tuple) else (kinds,)
  if type(value) is bool:  # an int in Python
    fits = bool in kinds
  else:
    fits = isinstance(value, (*kinds, int) if float in kinds else kinds)
  if not fits:
    raise ValueError(
        f'{name} is {_words(type(value))}, not '
        f'{" or ".join(map(_words, kinds))}')


def _words(kind: type) -> str:
  return {dict: 'an object', list: 'a list', str: 'a text', bool: 'a truth '
          'value', int: 'an integer', float: 'a number', type(None): 'null'
          }.get(kind, kind.__name__)


def _not_so(where: object, error: Exception, what: str,
            advice: str) -> UserError:
  reason = ('nested too deeply' if isinstance(error, RecursionError) else
            'not UTF-8' if isinstance(error, UnicodeDecodeError) else
            first_line(error))
  return UserError(f'{where}: cannot be used ({reason}); expected {what}: '
                   f'{advice}')
