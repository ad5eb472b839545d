"""Who of several processes is still there, without any."""

import time
from types import SimpleNamespace

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.distributed import watch

GONE = RuntimeError('Gloo all-reduce failed: Connection closed by peer')


class _Client:
  """The coordinator's keys; process 1 gives a sign of life while `alive`."""

  alive = True

  def __init__(self):
    self._keys = {}
    self._beats = 0

  def key_value_set(self, key, value, allow_overwrite):
    assert allow_overwrite
    self._keys[key] = value

  def key_value_dir_get(self, prefix):
    if self.alive:
      self._beats += 1
      self._keys[f'{prefix}1'] = str(self._beats)
    return list(self._keys.items())


@pytest.fixture
def client(monkeypatch):
  client = _Client()
  monkeypatch.setattr(watch.distributed, 'global_state', SimpleNamespace(
      client=client, process_id=0))
  monkeypatch.setattr(watch, '_BEAT', 0.01)
  monkeypatch.setattr(watch, '_DEAD', 0.1)
  return client


def test_who_ended(client, capsys):
  """Only where an error, or what it came of, is about a connection."""
  looking = watch.Watch(0.2)
  time.sleep(0.1)
  assert looking.missing(GONE) is None  # all are there
  client.alive = False
  assert looking.missing(UserError('an image cannot be read')) is None
  error = UserError('this checkpoint cannot be written: free space')
  error.__cause__ = ValueError('UNAVAILABLE: Barrier timed out')
  assert looking.missing(error) == 1
  time.sleep(0.2)
  looking.close()
  assert capsys.readouterr().err.startswith('process 1 ended or cannot be')


def test_a_coordinator_that_does_not_answer(client):
  looking = watch.Watch(9)
  time.sleep(0.05)

  def fail(*unused, **flags):
    raise RuntimeError('UNAVAILABLE')

  looking._me = 1
  client.key_value_set = fail
  assert looking.missing(GONE) == 0
  looking.close()
