"""What was measured survives, whatever happened to the file."""

import json
import sys

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning import trial_log

SEARCH = {'sequences': ['a', 'b'], 'strategy': {'name': 'grid', 'seed': 0}}
PARAMS = {'checkpoint': 0, 'penalty_k': 0.1, 'window_influence': 1 / 3,
          'size_lr': 0.3}


def _open(path, search=SEARCH, z=3.0):
  return trial_log.open_study(path, search, trial_log.pruner(z, 2))


@pytest.fixture
def path(tmp_path):
  """A log of a trial that has seen two sequences."""
  path = tmp_path / 'new' / 'trials.jsonl'
  study = _open(path)
  study.enqueue_trial(PARAMS)
  trial = study.ask()
  trial.report(0.1, 0)
  trial.report(1 / 3, 1)
  return path


def test_round_trip(path):
  (trial,) = _open(path).trials
  assert trial.intermediate_values == {0: 0.1, 1: 1 / 3}  # in every bit
  assert trial.state.name == 'RUNNING'


def test_trials_with_several_scores_are_damage(path):
  (trial,) = _open(path).trials
  with path.open('a') as log:
    log.write(json.dumps({'op_code': 6, 'worker_id': 'x', 'trial_id':
                          trial._trial_id, 'state': 1, 'values': [0.2, 0.3],
                          'datetime_complete': '2026-01-01T00:00:00'}) + '\n')
  with pytest.raises(UserError, match='damaged'):
    _open(path)


@pytest.mark.parametrize('cut', [1, 5, 40])
def test_half_written_line(path, cut):
  """The last measurement is lost, and its place is taken by the next."""
  whole = path.read_bytes()
  path.write_bytes(whole[:-cut])
  study = _open(path)
  assert study.trials[0].intermediate_values == {0: 0.1}
  study.enqueue_trial(PARAMS)
  assert [t.state.name for t in _open(path).trials] == ['RUNNING', 'WAITING']


@pytest.mark.parametrize('size', [0, 1, 20, 150])
def test_killed_at_the_beginning(path, size):
  path.write_bytes(path.read_bytes()[:size])
  for _ in range(2):
    assert _open(path).trials == []
  assert _open(path).user_attrs['search'] == SEARCH


@pytest.mark.parametrize('line', [
    b'\x00\xff\n', b'{"op_code": 0\n', b'[]\n', b'{}\n', b'\n', b'7\n',
    b'{"op_code": 99, "worker_id": "x"}\n',
    b'{"checkpoint": 0, "sequence": "a"}\n'])
def test_damage_is_named(path, line):
  lines = path.read_bytes().splitlines(keepends=True)
  damaged = b''.join([lines[0], line, *lines[1:]])
  path.write_bytes(damaged)
  with pytest.raises(UserError, match=r'trials\.jsonl is damaged; expected'):
    _open(path)
  assert path.read_bytes() == damaged


def _replaced(path, old, new):
  text = path.read_text()
  assert old in text
  path.write_text(text.replace(old, new))


@pytest.mark.parametrize(('old', 'new'), [
    ('0.3333333333333333', 'Infinity'), ('0.3333333333333333', 'NaN'),
    ('"intermediate_value":0.1', '"intermediate_value":"x"'),
    ('0.3333333333333333', '[' * 5000),
    ('["a","b"]', '[' * 300 + ']' * 300),
    ('{"search":{', '{"seconds":Infinity,"search":{'),
    ('{"search":{', '{"seconds":"long","search":{')])
def test_senseless_values_are_damage(path, old, new):
  """One line that names the file."""
  _replaced(path, old, new)
  with pytest.raises(UserError, match=r'trials\.jsonl.*damaged') as info:
    _open(path)
  assert '\n' not in str(info.value)


def test_what_an_ended_trial_lacks(path):
  """Its parameters, or its score."""
  study = _open(path)
  for name, state in (('COMPLETE', 1), ('PRUNED', 2)):
    study.tell(study.ask(), 0.5 if state == 1 else None, state=(
        trial_log.load_optuna().trial.TrialState[name]))
  with pytest.raises(UserError, match=r'trials\.jsonl.*damaged'):
    _open(path)


@pytest.mark.parametrize(('change', 'words'), [
    ({'sequences': ['a']}, r'sequences was \["a", "b"\], now \["a"\]'),
    ({'prune_z': 2.0}, r'prune_z was null, now 2.0'),
    ({'strategy': {'name': 'grid', 'seed': 1}}, r'strategy was .*"seed": 0')])
def test_another_search_is_refused(path, change, words):
  before = path.read_bytes()
  with pytest.raises(UserError, match=words):
    _open(path, SEARCH | change)
  assert path.read_bytes() == before


def test_place_that_cannot_be_written(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot be written'):
    _open(tmp_path / 'file' / 'trials.jsonl')


def test_full_disk(path, monkeypatch):
  study = _open(path)

  def full(file):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr('os.fsync', full)
  with pytest.raises(UserError, match='cannot be written .No space left'):
    study.enqueue_trial(PARAMS)


def test_optuna_missing(monkeypatch):
  monkeypatch.setitem(sys.modules, 'optuna', None)
  with pytest.raises(UserError, match=r"pip install 'siamkpn_jax\[tune\]'"):
    trial_log.load_optuna()
