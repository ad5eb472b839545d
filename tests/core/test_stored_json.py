"""Stored JSON is used as it was written, or refused in one line."""

import json
import os

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.stored_json import DEPTH, parse_json, read_json

WHAT = 'the settings of a run'


def refused(path, **limits):
  with pytest.raises(UserError) as caught:
    read_json(path, WHAT, **limits)
  message = str(caught.value)
  assert message.startswith(f'{path}: ') and '\n' not in message
  assert WHAT in message
  return message


def test_read(tmp_path):
  path = tmp_path / 'a.json'
  content = {'name': 'ä', 'steps': 3, 'rate': 1, 'more': [None, True, 0.5]}
  path.write_text(json.dumps(content))
  assert read_json(path, WHAT, fields={
      'name': str, 'steps': int, 'rate': float, 'more': list}) == content
  path.write_text('[1, 2]')
  assert read_json(path, WHAT, kind=list) == [1, 2]


@pytest.mark.parametrize(('text', 'reason'), [
    ('', 'Expecting value'),
    ('{"a": 1', 'Expecting'),
    ('[]', 'the whole is a list, not an object'),
    ('null', 'the whole is null'),
    ('{"a": NaN}', 'the number nan'),
    ('{"a": [{"b": -Infinity}]}', 'the number -inf'),
    ('{"a": 1e999}', 'the number inf'),
    (f'{{"a": 1{"0" * 400}}}', 'more than 64 bits'),
    (f'{{"a": 1{"0" * 9999}}}', 'digits'),
    ('{"a": ' * 200 + '1' + '}' * 200, 'levels deep'),
    ('[' * 100_000, 'deep'),
    ('{"a": ' * 1_000_000, 'deep'),
])
def test_refused(tmp_path, text, reason):
  path = tmp_path / 'a.json'
  path.write_text(text)
  assert reason in refused(path)


@pytest.mark.parametrize(('value', 'kinds', 'reason'), [
    ('"3"', int, "'a' is a text, not an integer"),
    ('true', int, "'a' is a truth value, not an integer"),
    ('true', float, 'not a number'),
    ('1.5', int, "'a' is a number, not an integer"),
    ('null', (str, dict), "'a' is null, not a text or an object"),
])
def test_types(tmp_path, value, kinds, reason):
  path = tmp_path / 'a.json'
  path.write_text(f'{{"a": {value}}}')
  assert reason in refused(path, fields={'a': kinds})
  assert "lacks 'b'" in refused(path, fields={'b': kinds})


def test_files(tmp_path):
  path = tmp_path / 'a.json'
  assert 'No such file' in refused(path)
  path.write_bytes(b'{"a": "\xff\xfe"}')
  assert 'not UTF-8' in refused(path)
  path.write_text('{}' + ' ' * 100)
  assert 'more than 50 bytes' in refused(path, limit_bytes=50)
  assert read_json(path, WHAT, limit_bytes=102) == {}
  path.unlink()
  path.mkdir()
  assert 'directory' in refused(path)


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='Windows has no pipes')
def test_what_never_ends(tmp_path):
  """Neither a pipe without a writer nor an endless device is waited for."""
  path = tmp_path / 'a.json'
  os.mkfifo(path)
  assert 'not a regular file' in refused(path)
  path.unlink()
  path.symlink_to('/dev/zero')
  assert 'not a regular file' in refused(path)


def test_limits_are_wide_enough():
  deep = '[' * DEPTH + ']' * DEPTH
  assert parse_json(deep, 'here', WHAT, kind=list)
  with pytest.raises(UserError, match=f'here: .* {DEPTH} levels'):
    parse_json(f'[{deep}]', 'here', WHAT, kind=list)
  assert parse_json('{"a": Infinity}', 'here', WHAT, finite=False)
