"""One process at a time, and none after it has ended."""

import subprocess
import sys

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import file_lock

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
