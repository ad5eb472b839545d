"""What a user sees of a mistake: one line, an exit code, no traceback.

Every case is a child process, as for the user. siamkpn_jax.cli is tested with
a script of a few lines, the flags of training with the real program.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SCRIPT = '''
from absl import flags
from siamkpn_jax import cli
from siamkpn_jax.core.errors import UserError

_DO = flags.DEFINE_string('do', 'nothing', 'What happens.')
_NUMBER = flags.DEFINE_integer('number', 0, 'A number.')

def main(unused_argv):
  if _DO.value == 'mistake':
    raise UserError("box.txt: 3 numbers, expected 4")
  if _DO.value == 'bug':
    raise ZeroDivisionError('of the program')
  if _DO.value == 'interrupt':
    raise KeyboardInterrupt
  print('done', _NUMBER.value)

if __name__ == '__main__':
  cli.run(main)
'''


def start(folder, *command):
  """Runs Python with the package in reach and `folder` as its place."""
  environment = {k: v for k, v in os.environ.items() if k != 'SIAMKPN_DATA'}
  return subprocess.run(
      [sys.executable, *map(str, command)], cwd=folder, capture_output=True,
      text=True, timeout=120, check=False,
      env=environment | {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'})


def script(tmp_path, *flags):
  path = tmp_path / 'script.py'
  path.write_text(SCRIPT)
  return start(tmp_path, path, *flags)


def assert_one_line(done, *words, code=2):
  """One `error:` line with these words, and nothing else."""
  assert done.returncode == code, done.stderr
  assert done.stdout == ''
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: ')
  for word in words:
    assert word in line, line


def test_success(tmp_path):
  done = script(tmp_path, '--number=4')
  assert (done.returncode, done.stdout, done.stderr) == (0, 'done 4\n', '')


def test_user_error(tmp_path):
  done = script(tmp_path, '--do=mistake')
  assert_one_line(done)
  assert done.stderr == 'error: box.txt: 3 numbers, expected 4\n'


def test_debug_shows_the_traceback(tmp_path):
  done = script(tmp_path, '--do=mistake', '--debug')
  assert done.returncode != 0
  assert 'Traceback (most recent call last)' in done.stderr
  assert 'script.py", line 11' in done.stderr
  assert done.stderr.splitlines()[-1].endswith(
      'UserError: box.txt: 3 numbers, expected 4')


def test_a_bug_is_not_hidden(tmp_path):
  done = script(tmp_path, '--do=bug')
  assert done.returncode == 1
  assert 'Traceback' in done.stderr and 'ZeroDivisionError' in done.stderr


def test_interrupt(tmp_path):
  done = script(tmp_path, '--do=interrupt')
  assert done.returncode == 130
  assert done.stderr.split() == ['interrupted']


def test_unexpected_argument(tmp_path):
  assert_one_line(script(tmp_path, 'video.mp4'),
                  "unexpected argument 'video.mp4'", '--help')


@pytest.mark.parametrize(('flag', 'words'), [
    ('--nonsense=3', ['nonsense']), ('--nummer=3', ['nummer', 'number']),
    ('--number=many', ['number', 'many'])])
def test_wrong_flag(tmp_path, flag, words):
  done = script(tmp_path, flag)
  assert done.returncode not in (0, 130) and done.stdout == ''
  assert 'Traceback' not in done.stderr
  for word in words:
    assert word in done.stderr


UNKNOWN_KEY = '''
from siamkpn_jax.config.files import default_config

def get_config(arg=''):
  config = default_config()
  config.train.batchsize = 8
  return config
'''

# case: (the flags, what the error line names). {0} is configs/ of the
# repository.
TRAIN = {
    'unknown key': (
        ['--config={0}/demo.py', '--config.train.batchsize=4'],
        ['batchsize', '--config.train.batchsize=4']),
    'wrong type': (
        ['--config={0}/demo.py', '--config.train.batch_size=many'],
        ['batch_size', 'many']),
    'no such file': (
        ['--config=configs/missing.py'], ['configs/missing.py']),
    'unknown key in the file': (
        ['--config=unknown.py'], ['batchsize', 'unknown.py']),
    'unknown argument': (
        ['--config={0}/kpn3s.py:nonsense'], ['nonsense', 'otb']),
    'no data': (
        ['--config={0}/kpn3s.py'],
        ['youtube_bb (data/youtube_bb)', 'lasot (data/lasot)',
         'got10k (data/got10k)', 'coco (data/coco)', '--config.data.root=',
         'SIAMKPN_DATA=', 'configs/kpn3s.py:synthetic']),
}

@pytest.mark.parametrize('case', TRAIN)
def test_training_flags(tmp_path, case):
  """One line that names the thing; no traceback, nothing written."""
  flags, words = TRAIN[case]
  (tmp_path / 'unknown.py').write_text(UNKNOWN_KEY)
  before = sorted(tmp_path.rglob('*'))
  fill = lambda text: text.replace('{0}', str(ROOT / 'configs'))
  done = start(tmp_path, '-B', '-m', 'siamkpn_jax.train', *map(fill, flags))
  assert sorted(tmp_path.rglob('*')) == before
  assert done.returncode != 0 and done.stdout == ''
  assert 'Traceback' not in done.stderr, done.stderr
  (line,) = [text for text in done.stderr.splitlines() if 'rror' in text]
  for word in words:
    assert fill(word) in line
  assert '\\n' not in line  # no escapes of another message's lines
