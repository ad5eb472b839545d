"""JSON files of annotations, of which one bad entry does not spoil the rest.

Such files come from many hands and hold up to a million entries. Everything
that JSON allows is read; what a single entry does to Python's reader (numbers
of thousands of digits, nesting without end, names that are not UTF-8, raw
control characters) is replaced, so that the entry alone is of no use.
"""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siamkpn_jax.core import reading
from siamkpn_jax.core.numbers import real

_DEPTH = 40  # no data set nests as deep
_DIGITS = 300  # no float holds more
_TOKENS = re.compile(r'"(?:[^"\\]+|\\.)*"?|[\[\]{}]', re.DOTALL)

Hook = Callable[[dict[str, Any]], Any]


def read(path: Path, hook: Hook | None = None) -> Any:
  """The content of a file; `hook` is json's `object_hook`.

  Raises:
    UnreachableError: the system does not give it.
    ValueError: it is missing, or not JSON as a whole.
  """
  return _parse(reading.read_bytes(path), object_hook=hook)


def parse_unique(text: str) -> Any:
  """The content of a text, in which no object has two entries of one name.

  Raises:
    ValueError: it is not JSON as a whole, or has such entries.
  """
  return _parse(text, object_pairs_hook=_unique)


def _parse(data: bytes | str, **hooks: Any) -> Any:
  try:
    return json.loads(data, **hooks)
  except (ValueError, RecursionError):
    pass  # slower, but entry by entry
  if isinstance(data, bytes):
    encoding = json.detect_encoding(data)
    errors = 'surrogateescape' if encoding.startswith('utf-8') else 'strict'
    data = data.decode(encoding, errors)
  return json.loads(_without_depth(data), parse_int=_parse_int, strict=False,
                    **hooks)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  found = dict(pairs)
  if len(found) < len(pairs):  # Python's reader takes the last of them
    names = [name for name, _ in pairs]
    twice = next(name for name in found if names.count(name) > 1)
    raise ValueError(f'two entries are called {twice[:40]!a}')
  return found


def numbers(value: Any, *counts: int) -> list[float]:
  """A list of numbers; NaN for null, infinite if too large for a float.

  Raises:
    ValueError: something else, or not as many as one of `counts`.
  """
  if not isinstance(value, list) or len(value) not in counts:
    raise ValueError('not a list of numbers of the expected length')
  return [number(item) for item in value]


def number(value: Any) -> float:
  """A number, also written as text; NaN for null, infinite if too large.

  Raises:
    ValueError: something else.
  """
  if value is None:
    return math.nan
  if not isinstance(value, int | float | str) or isinstance(value, bool):
    raise ValueError('not a number')
  try:
    return real(value)
  except OverflowError:
    return math.inf


def _parse_int(text: str) -> float:
  return int(text) if len(text) < _DIGITS else float(text)


def _without_depth(text: str) -> str:
  """The text with null for whatever is nested too deep to be read."""
  kept, done, depth = [], 0, 0
  for token in _TOKENS.finditer(text):
    if token[0] in ('[', '{'):
      depth += 1
      if depth == _DEPTH:
        kept.append(text[done:token.start()] + 'null')
    elif token[0] in (']', '}'):
      if depth == _DEPTH:
        done = token.end()
      depth -= 1
  return ''.join(kept) + text[done:] if depth < _DEPTH else ''
