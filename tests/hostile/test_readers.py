"""No reader crashes on what it should refuse; `make fuzz` tries longer."""

import functools
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from siamkpn_jax.core.errors import UserError
from tests.hostile import damage, oracle, strategies
from tests.hostile.targets import TARGETS

_BY_NAME = {target.name: target for target in TARGETS}
_valid = functools.cache(lambda name: dict(_BY_NAME[name].valid()))


@pytest.mark.parametrize('name', _BY_NAME)
def test_valid_files_are_read(name, tmp_path):
  """What is damaged is, before, what the reader wants."""
  target = _BY_NAME[name]
  assert oracle.write(tmp_path, damage.named(_valid(name), 'seq-1'))
  target.read(tmp_path)


@pytest.mark.parametrize('name', _BY_NAME)
def test_hostile_files(name):
  target = _BY_NAME[name]

  @settings(max_examples=5 if target.slow else 25, derandomize=True,
            database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck))
  @given(strategies.files(_valid(name)))
  def run(files):
    crash = oracle.attempt(target, files)
    assert crash is None, crash.story

  run()


def _target(read):
  return oracle.Target('x', lambda: {'a': b''}, read)


@pytest.mark.parametrize('what, kind', [
    (lambda folder: {}['x'], 'KeyError'),
    (lambda folder: (folder.parent / 'x').write_text(''), 'Forbidden'),
    (lambda folder: (folder.parent / 'x').mkdir(), 'Forbidden'),
    (lambda folder: bytearray(2**31), 'MemoryError'),
])
def test_crashes_are_seen(what, kind):
  assert oracle.attempt(_target(what), {'a': b''}).kind.startswith(kind)


def test_hidden_escape_is_seen():
  """Also where the reader swallows every exception."""
  def read(folder):
    try:
      (folder / '../x').write_text('')
    except BaseException as error:
      raise UserError('x') from error

  assert oracle.attempt(_target(read), {'a': b''}).kind.startswith('forbidden')


def test_endless_loop_is_seen(monkeypatch):
  monkeypatch.setattr(oracle, 'SECONDS', 0.05)
  def read(folder):
    while True:
      pass

  assert oracle.attempt(_target(read), {'a': b''}).kind.startswith('Forbidden')


def _waiting(monkeypatch):
  monkeypatch.setattr(oracle, '_TICK', 0.02)
  monkeypatch.setattr(oracle, 'WAITING', 0.1)


def test_sleeping_reader_is_seen(monkeypatch):
  _waiting(monkeypatch)
  crash = oracle.attempt(_target(lambda folder: time.sleep(20)), {'a': b''})
  assert crash.kind.startswith('Forbidden')
  assert 'more than 0.1 s of waiting' in crash.story


def test_starved_reader_is_none(monkeypatch):
  """Time without a processor is the machine's."""
  _waiting(monkeypatch)
  monkeypatch.setattr(oracle, '_delay', time.monotonic)
  assert oracle.attempt(_target(lambda folder: time.sleep(0.4)),
                        {'a': b''}) is None


@pytest.mark.skipif(not hasattr(signal, 'pthread_sigmask'), reason='Windows')
def test_stopped_reader_is_none(monkeypatch):
  """Ticks of a process that is stopped come as one, as here."""
  _waiting(monkeypatch)
  def read(folder):
    for _ in range(2):
      signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
      time.sleep(0.2)
      signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})

  assert oracle.attempt(_target(read), {'a': b''}) is None


_WATCHED = """
import sys, time
from tests.hostile import watch
watch.COMPUTING, watch.WAITING = 0.2, 0.2
watch.start(sys.stderr)
print(flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, 'setitimer'), reason='Windows')
def test_watch_of_a_run():
  """What computes for ever is ended, what is paused is not."""
  def run(code):
    return subprocess.Popen(
        [sys.executable, '-c', _WATCHED + code], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)

  busy, paused = run('while True: pass'), run('time.sleep(0.1); print("fine")')
  paused.stdout.readline()
  paused.send_signal(signal.SIGSTOP)
  time.sleep(0.6)
  paused.send_signal(signal.SIGCONT)
  assert 'fine' in paused.communicate(timeout=60)[0]
  assert paused.returncode == 0
  assert 'line 7' in busy.communicate(timeout=60)[1]
  assert busy.returncode == -signal.SIGVTALRM


def test_user_error_is_none():
  def read(folder):
    raise UserError('x')

  assert oracle.attempt(_target(read), {'a': b''}) is None
