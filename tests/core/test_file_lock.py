"""One process at a time, and none after it has ended."""

import fcntl
import os
import socket
import subprocess
import sys

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import (
  LOCK_NAME,
  file_lock,
  folder_lock,
  target_lock,
)

HERE = f'process {os.getpid()} on {socket.gethostname()} writes there; expected'
HOLD = """
import sys
from pathlib import Path
from siamkpn_jax.core.file_lock import file_lock
with file_lock(Path(sys.argv[1]), 'held'):
  print('locked', flush=True)
  sys.stdin.read()
"""


def test_held_until_the_block_ends(tmp_path):
  path = tmp_path / 'lock'
  with (file_lock(path, 'held'), pytest.raises(UserError, match='^held$'),
        file_lock(path, 'held')):
    raise AssertionError('twice')
  with file_lock(path, 'held'):
    pass


def test_a_killed_process_lets_go(tmp_path):
  path = tmp_path / 'lock'
  with subprocess.Popen([sys.executable, '-c', HOLD, str(path)], text=True,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
    assert other.stdout.readline() == 'locked\n'
    with pytest.raises(UserError), file_lock(path, 'held'):
      raise AssertionError('twice')
    other.kill()
  with file_lock(path, 'held'):
    pass


def test_no_place_for_it(tmp_path):
  with (pytest.raises(UserError, match='cannot be written'),
        file_lock(tmp_path / 'nowhere' / 'lock', 'held')):
    raise AssertionError('locked')


@pytest.mark.parametrize('lock', [folder_lock, target_lock])
def test_the_second_is_told_of_the_first(tmp_path, lock):
  """In one line; nothing is left behind."""
  path = tmp_path / 'new' / 'out'
  with (lock(path, '--output'), pytest.raises(UserError, match=HERE) as info,
        lock(path, '--output')):
    raise AssertionError('twice')
  assert str(info.value).startswith(f'{path}: ') and (
      str(info.value).endswith('choose another --output'))
  assert not path.exists() and not list((tmp_path / 'new').iterdir())


def test_what_a_killed_process_has_left(tmp_path):
  (tmp_path / LOCK_NAME).write_text('elsewhere 7\n')
  with folder_lock(tmp_path, '--workdir'):
    assert (tmp_path / LOCK_NAME).read_text() != 'elsewhere 7\n'
  (tmp_path / 'kept').touch()
  assert [p.name for p in tmp_path.iterdir()] == ['kept']


def test_parts_of_one_work(tmp_path):
  """Each once; none beside one who does all."""
  with folder_lock(tmp_path, '-o', '0_of_2'):
    with folder_lock(tmp_path, '-o', '1_of_2'):
      for part in ('', '1_of_2'):
        with (pytest.raises(UserError, match=HERE),
              folder_lock(tmp_path, '-o', part)):
          raise AssertionError('twice')
    with (pytest.raises(UserError, match=HERE), folder_lock(tmp_path, '-o')):
      raise AssertionError('while another part is under way')
  with (folder_lock(tmp_path, '-o'), pytest.raises(UserError, match=HERE),
        folder_lock(tmp_path, '-o', '0_of_2')):
    raise AssertionError('beside one who does all')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('content', [b'', b'\xff\x00 1\n', b'x' * 10**5,
                                     b'a 1\nb 2\n'])
def test_whatever_the_file_says(tmp_path, content):
  with folder_lock(tmp_path, '-o'):
    (tmp_path / LOCK_NAME).write_bytes(content)
    with (pytest.raises(UserError, match=': another process writes there'),
          folder_lock(tmp_path, '-o')):
      raise AssertionError('twice')


def test_a_file_system_without_locks(tmp_path, monkeypatch, capsys):
  """It is said, and nobody waits."""
  def refuse(*unused):
    raise OSError(37, 'No locks available')

  monkeypatch.setattr(fcntl, 'flock', refuse)
  with folder_lock(tmp_path, '-o'):
    assert capsys.readouterr().err == (
        f'note: {tmp_path}: a file system without locks; nothing else must '
        'write there meanwhile\n')
