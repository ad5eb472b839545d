"""What was measured survives, whatever happened to the file."""

import json

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning.engine import Setting, rounded
from siamkpn_jax.tuning.trial_log import Journal

HEADER = {'sequences': ['a', 'b'], 'strategy': {'name': 'grid', 'seed': 0}}
ONE, TWO = Setting(0.1, 0.2, 0.3), rounded([0.1 + 0.2, 0.5, 0.7])


@pytest.fixture
def path(tmp_path):
  """A journal of two batches."""
  path = tmp_path / 'new' / 'journal.jsonl'
  with Journal(path, HEADER) as journal:
    journal.add(0, 'a', [ONE, TWO], [{'value': 0.1}, {'value': 1 / 3}], 1.5)
    journal.add(1, 'a', [ONE], [{'value': 0.7, 'more': ['x']}], 2.0)
  return path


def test_round_trip(path):
  with Journal(path, HEADER) as journal:
    assert journal.find(0, 'a', ONE) == {'value': 0.1}
    assert journal.find(0, 'a', Setting(0.3, 0.5, 0.7)) == {'value': 1 / 3}
    assert journal.find(1, 'a', ONE) == {'value': 0.7, 'more': ['x']}
    assert journal.find(1, 'a', TWO) is None
    assert journal.find(0, 'b', ONE) is None
    assert journal.seconds == 3.5


@pytest.mark.parametrize('cut', [1, 5, 40])
def test_half_written_line(path, cut):
  """The last batch is lost, and its place is taken by the next."""
  whole = path.read_bytes()
  path.write_bytes(whole[:-cut])
  with Journal(path, HEADER) as journal:
    assert journal.find(0, 'a', ONE) == {'value': 0.1}
    assert journal.find(1, 'a', ONE) is None
    assert journal.seconds == 1.5
    journal.add(1, 'a', [ONE], [{'value': 0.7, 'more': ['x']}], 2.0)
  assert path.read_bytes() == whole


@pytest.mark.parametrize('size', [0, 1, 20])
def test_half_written_header(path, size):
  path.write_bytes(path.read_bytes()[:size])
  with Journal(path, HEADER) as journal:
    assert journal.find(0, 'a', ONE) is None
  assert json.loads(path.read_text()) == HEADER


def test_every_line_is_on_disk_at_once(tmp_path):
  with Journal(tmp_path / 'j', HEADER) as journal:
    journal.add(0, 'b', [ONE], [{'value': 0.5}], 0.1)
    assert (tmp_path / 'j').read_text().count('\n') == 2


@pytest.mark.parametrize('line', [
    b'\x00\xff\n', b'{"checkpoint": 0\n', b'[]\n', b'{}\n', b'\n',
    b'{"checkpoint": 0, "sequence": "a", "seconds": 1, '
    b'"settings": [[0, 0, 0]], "measurements": []}\n',
    b'{"checkpoint": 0, "sequence": "a", "seconds": 1, '
    b'"settings": [[0, 0]], "measurements": [{"value": 1}]}\n',
    b'{"checkpoint": 0, "sequence": "a", "seconds": 1, '
    b'"settings": [[0, 0, 0]], "measurements": [{"value": "x"}]}\n'])
def test_damage_is_named(path, line):
  lines = path.read_bytes().splitlines(keepends=True)
  damaged = b''.join([lines[0], line, *lines[1:]])
  path.write_bytes(damaged)
  with pytest.raises(UserError, match=r'journal.jsonl line 2 is damaged'):
    Journal(path, HEADER)
  assert path.read_bytes() == damaged


@pytest.mark.parametrize(('change', 'words'), [
    ({'sequences': ['a']}, r'sequences was \["a", "b"\], now \["a"\]'),
    ({'prune_z': 2.0}, r'prune_z was null, now 2.0'),
    ({'strategy': {'name': 'grid', 'seed': 1}}, r'strategy was .*"seed": 0')])
def test_another_search_is_refused(path, change, words):
  before = path.read_bytes()
  with pytest.raises(UserError, match=words):
    Journal(path, HEADER | change)
  assert path.read_bytes() == before


def test_one_search_at_a_time(path):
  with (Journal(path, HEADER),
        pytest.raises(UserError, match='in use by a search that is running')):
    Journal(path, HEADER)
  Journal(path, HEADER).__exit__(None, None, None)  # free again


def test_place_that_cannot_be_written(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot be written'):
    Journal(tmp_path / 'file' / 'journal.jsonl', HEADER)
