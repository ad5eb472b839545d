"""Ctrl-C and closed pipes: how a command ends as a process."""

import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from siamkpn_jax.cli import command as cli
from siamkpn_jax.cli import ctrl_c, siamkpn
from siamkpn_jax.datasets import synthetic

pytestmark = pytest.mark.usefixtures('ctrl_c_interrupts')
ROOT = Path(__file__).parents[2]


class Sample:
  """A command of the test; `run` is what the test wants of it."""

  __name__ = 'siamkpn_jax.cli.sample'

  def __init__(self, run):
    self.run = run

  @staticmethod
  def add_arguments(parser):
    pass


def press(*_):
  os.kill(os.getpid(), signal.SIGINT)
  for _ in range(1000):  # Python code, in which the handler runs
    pass


class Thing:
  pass


def test_what_python_swallows_is_raised_again(capsys):
  """In a weakref's callback, as JAX has them, an exception goes nowhere."""
  reached = []

  def run(unused_args):
    thing = Thing()
    ref = weakref.ref(thing, press)
    del thing
    assert ref() is None
    reached.append('callback')
    time.sleep(20)
    reached.append('end')

  hook = sys.unraisablehook
  start = time.monotonic()
  assert cli.execute(Sample(run), []) == 130
  assert time.monotonic() - start < 10
  assert reached == ['callback'] and sys.unraisablehook is hook
  assert capsys.readouterr().err == 'interrupted\n'


@pytest.mark.parametrize('end', ['returns', 'raises'])
def test_a_library_that_hides_it(capsys, end):
  def run(unused_args):
    try:
      press()
    except KeyboardInterrupt:
      if end == 'raises':
        raise RuntimeError('INTERNAL: a callback failed') from None

  assert cli.execute(Sample(run), []) == 130
  assert capsys.readouterr().err == 'interrupted\n'


def test_a_command_says_what_is_left(capsys):
  def run(unused_args):
    try:
      press()
    except KeyboardInterrupt as error:
      raise KeyboardInterrupt('interrupted: 3 of 5 done') from error

  assert cli.execute(Sample(run), []) == 130
  assert capsys.readouterr().err == 'interrupted: 3 of 5 done\n'


def test_the_first_of_another_handler_does_not_count(monkeypatch):
  """Training saves, a camera's files are finished; two more end at once."""
  ended = []
  monkeypatch.setattr(ctrl_c.os, '_exit', ended.append)
  state = ctrl_c.CtrlC()
  state.tell(signal.SIGINT)  # here the handler is Python's own
  state.tell(signal.SIGINT)
  assert not ended
  state.tell(signal.SIGTERM)
  state.tell(signal.SIGINT)
  assert ended == [130]
  state.forget()


def test_ignored_stays_ignored():
  """As nohup and the background jobs of scripts want it."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  assert cli.execute(Sample(press), []) == 0
  assert signal.signal(
      signal.SIGINT, signal.default_int_handler) is signal.SIG_IGN


BUSY = '''
import atexit, hashlib, os, sys
from siamkpn_jax.cli import process, command

class Busy:
  """Keeps Python away from signals; its process would crash at the end."""
  __name__ = 'siamkpn_jax.cli.busy'
  def add_arguments(self, parser):
    atexit.register(os.abort)
  def run(self, args):
    print('started', flush=True)
    hashlib.pbkdf2_hmac('sha256', b'', b'', int(sys.argv[1]))

process.leave(command.execute(Busy(), []))
'''


def start(*words, **options):
  """A process in which Ctrl-C is not ignored."""
  return subprocess.Popen(
      [sys.executable, *map(str, words)], stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, text=True,
      env=os.environ | {'PYTHONPATH': str(ROOT)}, **options)


def test_the_process_does_not_crash_at_its_end():
  with start('-c', BUSY, 8_000_000) as busy:
    assert busy.stdout.readline() == 'started\n'
    time.sleep(0.5)  # until it computes
    busy.send_signal(signal.SIGINT)
    out, err = busy.communicate(timeout=60)
  (line,) = err.splitlines()  # which depends on how long it computed
  assert out == '' and line.startswith('interrupted')
  assert busy.returncode == 130


def test_the_second_ends_at_once():
  """While a library computes for minutes; after the first it is said so."""
  with start('-c', BUSY, 10**9) as busy:
    assert busy.stdout.readline() == 'started\n'
    time.sleep(0.5)  # until it computes
    busy.send_signal(signal.SIGINT)
    assert busy.stderr.readline().startswith(
        'interrupted: ending as soon as the compiler')
    busy.send_signal(signal.SIGINT)
    assert busy.communicate(timeout=10) == ('', '')
  assert busy.returncode == 130


def test_while_a_command_is_imported(tmp_path):
  """NumPy makes an ImportError of it."""
  code = ('import os, signal, sys, importlib.abc\n'
          'class Finder(importlib.abc.MetaPathFinder):\n'
          '  def find_spec(self, name, *args):\n'
          '    if name == "numpy":\n'
          '      try: os.kill(os.getpid(), signal.SIGINT); list(range(9))\n'
          '      except KeyboardInterrupt: raise ImportError("bad install")\n'
          'sys.meta_path.insert(0, Finder())\n'
          'from siamkpn_jax import track\n'
          'track.leave(track.main(["--input=x"]))')
  with start('-c', code) as track:
    assert track.communicate(timeout=60) == ('', 'interrupted\n')
  assert track.returncode == 130


def test_while_jax_compiles(tmp_path):
  synthetic.write_otb(tmp_path, seed=0, count=1, length=3)
  before = sorted(tmp_path.rglob('*'))
  with start('-m', 'siamkpn_jax.track', '--input=synthetic_000/img',
             '--box=50,50,40,40', '--boxes=boxes.txt', '--engine=jax',
             cwd=tmp_path) as track:
    said = ''
    while 'preparing' not in said:  # after loading, which it may announce
      said += track.stderr.read(1) or pytest.fail(said)
    time.sleep(0.5)
    track.send_signal(signal.SIGINT)
    out, err = track.communicate(timeout=120)
  assert track.returncode == 130 and out == ''
  assert err.count('interrupted') == 1 and 'Traceback' not in err, err
  assert sorted(tmp_path.rglob('*')) == before


@pytest.fixture
def closed():
  """The end of a pipe that nothing reads."""
  read, write = os.pipe()
  os.close(read)
  yield write
  os.close(write)


@pytest.mark.parametrize('words', [
    ['--help'], [], ['track', '--help'], ['nonsense'], ['track', '--nonsense'],
    *([name, '--help'] for name in siamkpn.COMMANDS)])
def test_a_closed_pipe_is_no_error(closed, words):
  """As with `siamkpn --help | head -1`: no word, the status of SIGPIPE."""
  done = subprocess.run(
      [sys.executable, '-c', 'import siamkpn_jax.cli.siamkpn as it; '
       'it.program()', *words], stdout=closed,
      stderr=closed, check=False, timeout=60,
      env=os.environ | {'PYTHONPATH': str(ROOT)})
  assert done.returncode == 141


def test_a_closed_pipe_leaves_the_files(closed, tmp_path):
  synthetic.write_otb(tmp_path, seed=0, count=1, length=3)
  done = subprocess.run(
      [sys.executable, '-m', 'siamkpn_jax.track', '--input=synthetic_000/img',
       '--box=50,50,40,40', '--boxes=boxes.txt'], stdout=closed,
      stderr=subprocess.PIPE, text=True, check=False, timeout=120,
      cwd=tmp_path, env=os.environ | {'PYTHONPATH': str(ROOT)})
  assert done.returncode == 141 and 'error' not in done.stderr
  assert len((tmp_path / 'boxes.txt').read_text().splitlines()) == 3


def test_another_broken_pipe_is_an_error(capsys):
  """That of a library to its helper is no story about the user's `head`."""
  def run(unused_args):
    raise BrokenPipeError(32, 'Broken pipe')

  assert cli.execute(Sample(run), []) == 2
  assert capsys.readouterr().err == (
      'error: standard output or a file: Broken pipe; expected a path with '
      'read and write access: check its permissions and the free space\n')


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
@pytest.mark.parametrize('words', [['--help'], ['track', '--help']])
def test_a_full_disk_behind_stdout(words):
  with open('/dev/full', 'w') as full:
    done = subprocess.run(
        [sys.executable, '-c', 'import siamkpn_jax.cli.siamkpn as it; '
         'it.program()', *words], stdout=full,
        stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        env=os.environ | {'PYTHONPATH': str(ROOT)})
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: standard output') and 'No space' in line
