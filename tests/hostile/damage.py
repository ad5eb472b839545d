"""Damages valid files at random: a value, a line, a bit, a file.

All is decided by a `random.Random`, Python's or one of hypothesis.
"""

import copy
import dataclasses
import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from tests.hostile.content import (
  DOUBLE,
  HUGE,
  NESTED,
  SURROGATE,
  Arrays,
  Files,
  Lines,
  Tensors,
  encode,
)

NAMES = (
    '', '.', '..', '../escape', '../../escape', 'a/../../../escape', '/escape',
    '/dev/shm/escape', 'C:\\escape', '..\\escape', 'nul\0byte', '\udcff',
    'x' * 300, '\u00fc' * 200, 'CON', 'con.txt', 'a:b', '_x', '._x', '.hidden',
    ' a ', 'a\tb', 'a,b', 'a\nb', '=1+1', '<script>', '%s', '{}', '{0}', '*',
    'clip[1]', '[', '\u202e', '\ufeff', '1', '-1', '\u0663', '\u00b2', 'None',
    'nan', 'true', "'", '"', '\\', '~', '$HOME', 'a/b', '1' * 5000, '\x85',
    'settings.json', 'times')
NUMBERS = (
    0, -0.0, -1, 1, 0.5, 2, 255, 256, 65535, 2**31 - 1, 2**31, -2**31, 2**32,
    2**53, 2**63 - 1, 2**63, -2**63, 2**64, 10**18, 10**400, 1e9, 1e30, 1e300,
    1.7e308, 1e-300, 5e-324, -1e30, math.nan, math.inf, -math.inf)
WORDS = (
    *(repr(n) for n in NUMBERS if n != 10**400), '1e309', '-1e400', 'Infinity',
    '1_000', '0x10', '1e', '.', '-', '+1', '9' * 400, '9' * 5000, '\u0661',
    '\u00b2', '1,2', '(0, 0)', 'None', 'null', '[]', '{}', '"', "'", '\0',
    '\ufeff', '\udcff', '\u2028', '\x0c', '<', '&x;', '#', '=', '[x]', '%(x)s')
_BOMB = ('<!DOCTYPE a [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">' + ''.join(
    f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip(
        'abcdefgh', 'bcdefghi', strict=True)) +
    ']><annotation><object><trackid>&i;</trackid></object></annotation>')
_WHOLE = ('', '\n', ' ', '\0', '[]', '{}', 'null', '7', '"x"', 'nan', 'NaN',
          '[' * 20_000, '{"a":' * 20_000, '<a>' * 20_000, _BOMB, '\ufeff',
          '<!DOCTYPE html><html></html>',
          'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')


def named(files: Files, name: str) -> dict[str, bytes]:
  """The bytes of files, their {name} replaced, in paths as far as it can be."""
  safe = name.replace('/', '_').replace('\0', '_') or '_'
  safe = '_' if safe in ('.', '..') or len(safe.encode(
      errors='surrogateescape' if '\udc80' <= max(safe) <= '\udcff' else
      'replace')) > 200 else safe
  return {path.replace('{name}', safe): encode(_with_name(content, name))
          for path, content in files.items()}


def _with_name(content: Any, name: str) -> Any:
  if isinstance(content, str):
    return content.replace('{name}', name) if '{name}' in content else content
  if isinstance(content, Lines):
    return Lines(_with_name(v, name) for v in content)
  if isinstance(content, list):
    return [_with_name(v, name) for v in content]
  if isinstance(content, dict):
    return {_with_name(k, name): _with_name(v, name)
            for k, v in content.items()}
  return content


def damaged_files(valid: Files, random: Random) -> dict[str, bytes]:
  """Valid files of which one or two are damaged, missing or added."""
  files = dict(valid)
  # What is large is rarely what is read with care.
  paths = sorted(files)
  for _ in range(random.choice((1, 1, 1, 2, 3))):
    path = random.choice(paths)
    chance = random.random()
    if chance < 0.04:
      files.pop(path, None)
    elif chance < 0.08:
      folder, _, file = path.rpartition('/')
      other = random.choice(('._' + file, f'{file}/x', '_' + file, '.x'))
      files[f'{folder}/{other}' if folder else other] = (
          files.get(path) or b'\0\5\x16\7')
      if other.endswith('/x'):
        files.pop(path, None)
    elif path in files:
      for _ in range(random.choice((1, 1, 2, 5))):
        files[path] = damaged(files[path], random)
  name = random.choice(NAMES) if random.random() < 0.2 else 'seq-1'
  return named(files, name)


def damaged(content: Any, random: Random) -> Any:
  """Content with one thing wrong; JSON and the like stay what they are."""
  if isinstance(content, bytes):
    return _bytes(content, random)
  if random.random() < 0.06:
    return _bytes(encode(content), random)
  if isinstance(content, str):
    return _text(content, random)
  if isinstance(content, Arrays):
    return _arrays(content, random)
  if isinstance(content, Tensors):
    if random.random() < 0.2:
      return dataclasses.replace(content, data=_bytes(content.data, random))
    return dataclasses.replace(content, header=_json(content.header, random))
  if isinstance(content, Lines):
    lines = Lines(content)
    place = random.randrange(len(lines) + 1)
    lines[place:place + 1] = [_json(random.choice(content), random)
                              for _ in range(random.choice((0, 1, 1, 1, 2)))
                              ] if content else []
    return lines
  return _json(content, random)


def _bytes(data: bytes, random: Random) -> bytes:
  if not data or random.random() < 0.02:
    return random.choice(_WHOLE).encode()
  kind, place = random.randrange(7), random.randrange(len(data))
  if random.random() < 0.5:  # heads decide
    place = random.randrange(min(len(data), 64))
  if kind <= 2:
    changed = bytearray(data)
    changed[place] ^= 1 << random.randrange(8)
    return bytes(changed)
  if kind == 3:
    return data[:place]
  if kind == 4:
    return data[:place] + data[place + random.choice((1, 2, 4, 40)):]
  if kind == 5:
    new = random.choice((b'\0', b'\xff', b'\0' * 40, b'\xff' * 8, b'\n', b'"'))
    return data[:place] + new + data[place:]
  new = random.choice((b'\0' * 4, b'\xff' * 4, b'\x7f\xff\xff\xff',
                       b'\xff\xff\xff\x7f', b'\0' * 8, b'\x80'))
  return data[:place] + new + data[place + len(new):]


def _text(text: str, random: Random) -> str:
  if random.random() < 0.03:
    return random.choice(_WHOLE)
  lines = text.split('\n')
  place = random.randrange(len(lines))
  kind = random.randrange(8)
  if kind <= 3:
    comma = next((c for c in (',', '\t', ' ', '=') if c in lines[place]), ',')
    words = lines[place].split(comma)
    words[random.randrange(len(words))] = _word(random)
    lines[place] = comma.join(words)
  elif kind == 4:
    del lines[place]
  elif kind == 5:
    lines.insert(place, random.choice(lines))
  elif kind == 6:
    lines[place] = _word(random)
  else:
    at = random.randrange(len(lines[place]) + 1)
    lines[place] = lines[place][:at] + _word(random) + lines[place][at:]
  return '\n'.join(lines)


def _word(random: Random) -> str:
  return random.choice(WORDS if random.random() < 0.7 else NAMES)


def _json(value: Any, random: Random) -> Any:
  """A copy with one node changed."""
  value = copy.deepcopy(value)
  places = list(_places(value))
  if not places or random.random() < 0.03:
    return _hostile(random)
  home, key = random.choice(places)
  kind = random.randrange(9)
  if kind <= 3:
    home[key] = _hostile(random)
  elif kind == 4:
    del home[key]
  elif kind == 5:
    home[key] = random.choice(([home[key]], {'a': home[key]}, [], {}))
  elif kind == 6:
    other, place = random.choice(places)
    home[key] = copy.deepcopy(other[place])
  elif isinstance(home, dict):
    home[_name(random)] = home.pop(key) if kind == 7 else home[key]
  else:
    home.insert(key, copy.deepcopy(home[key]))
  return value


def _places(value: Any):
  for key, inner in (value.items() if isinstance(value, dict) else
                     enumerate(value) if isinstance(value, list) else ()):
    yield value, key
    yield from _places(inner)


def _name(random: Random) -> str:
  return random.choice(NAMES if random.random() < 0.8 else WORDS)


_OTHERS: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: True, lambda: False, list, dict, lambda: [[]],
    lambda: [None], lambda: {'a': {}}, lambda: HUGE, lambda: NESTED,
    lambda: SURROGATE, lambda: DOUBLE, lambda: [0] * 9, lambda: '0',
    lambda: '1', lambda: 'x' * 5000)


def _hostile(random: Random) -> Any:
  chance = random.random()
  if chance < 0.45:
    return random.choice(NUMBERS)
  return _name(random) if chance < 0.65 else random.choice(_OTHERS)()


def _arrays(content: Arrays, random: Random) -> Arrays:
  arrays = dict(content.arrays)
  if not arrays:
    return content
  name = random.choice(sorted(arrays))
  array, kind = arrays[name], random.randrange(8)
  if kind == 0:
    del arrays[name]
  elif kind == 1:
    arrays[name] = arrays[random.choice(sorted(arrays))]
  elif kind == 2:
    arrays[name] = array.reshape(random.choice((
        (1, -1), (-1, 1), (-1,), (1, 1, -1)))) if array.size else array[None]
  elif kind == 3:
    arrays[name] = array.ravel()[:random.randrange(array.size + 1)]
  elif kind == 4:
    new = random.choice(
        ('f8', 'f2', 'i1', 'u8', '?', 'U9', 'S9', 'c16', 'M8[s]'))
    with np.errstate(all='ignore'):
      try:
        arrays[name] = array.astype(new)
      except (ValueError, TypeError, RuntimeError):
        arrays[name] = np.zeros(array.shape, new)
  elif kind == 5:
    arrays[name] = np.array(random.choice(('', 'x', '{}', '[]', '{"a": [1]}')))
  elif array.dtype.kind in 'US' and array.size:
    array = array.astype(object)
    array.flat[random.randrange(array.size)] = _name(random).replace(
        '\udcff', '?') if array.dtype.kind == 'U' else 'x'
    arrays[name] = array.astype(str)
  elif array.size:
    array = array.copy()
    with np.errstate(all='ignore'):
      array.flat[random.randrange(array.size)] = np.array(
          [random.choice((-1, 0, 1, 2**31 - 1, 127, 10**6, 9))]
      ).astype(array.dtype)[0]
      if array.dtype.kind == 'f' and random.random() < 0.5:
        array.flat[random.randrange(array.size)] = random.choice(
            (np.nan, np.inf, -1, 1e30))
    arrays[name] = array
  return Arrays(arrays)
