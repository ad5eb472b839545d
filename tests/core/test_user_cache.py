"""What is kept from one run to the next."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from siamkpn_jax.core import user_cache
from siamkpn_jax.core.user_cache import (
  cache_folder,
  cache_home,
  entry_key,
  read_entry,
  trim,
  write_entry,
)

CONTENT = {'a': b'first\n', 'b': b'', 'c': bytes(range(256))}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch):
  """A cache folder of the user, empty."""
  monkeypatch.delenv('SIAMKPN_CACHE')
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'home'))
  return tmp_path / 'home' / 'siamkpn_jax' / 'user_cache'


def test_what_is_written_is_read(home):
  assert read_entry('part', 'key') is None
  write_entry('part', 'key', CONTENT)
  assert read_entry('part', 'key') == CONTENT
  assert read_entry('part', 'other') is read_entry('other', 'key') is None
  write_entry('part', 'key', {'a': b'second'})
  assert read_entry('part', 'key') == {'a': b'second'}
  assert [p.name for p in (home / 'part').iterdir()] == ['key']


@pytest.mark.skipif(sys.platform == 'win32', reason='has no such permissions')
def test_no_one_else_may_look_or_write(home):
  write_entry('part', 'key', CONTENT)
  assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize('damage', [
    lambda data: b'', lambda data: data[:-1], lambda data: data[:20],
    lambda data: data.replace(b'first', b'farst'),
    lambda data: b'null\n' + data, lambda data: b'\xff\xfe' + data,
    lambda data: data.replace(b'"a": 6', b'"a": "x"'),
    lambda data: data.replace(b'"a": 6', b'"a": ' + b'9' * 30)])
def test_damage_is_as_good_as_nothing(home, damage):
  """And what is written then is read again."""
  write_entry('part', 'key', CONTENT)
  path = home / 'part' / 'key'
  before = path.read_bytes()
  path.write_bytes(damage(before))
  assert path.read_bytes() != before
  assert read_entry('part', 'key') is None
  write_entry('part', 'key', CONTENT)
  assert read_entry('part', 'key') == CONTENT


def test_switched_off_or_elsewhere(home, tmp_path, monkeypatch):
  for off in ('off', 'OFF'):
    monkeypatch.setenv('SIAMKPN_CACHE', off)
    write_entry('part', 'key', CONTENT)
    assert cache_folder('part') is read_entry('part', 'key') is None
  assert not home.exists()
  monkeypatch.setenv('SIAMKPN_CACHE', str(tmp_path / 'another'))
  write_entry('part', 'key', CONTENT)
  assert read_entry('part', 'key') == CONTENT
  assert (tmp_path / 'another' / home.relative_to(tmp_path / 'home') /
          'part' / 'key').is_file()
  assert not home.exists()


def test_a_folder_that_cannot_be_made(home, tmp_path):
  (tmp_path / 'home').write_text('a file in its place')
  write_entry('part', 'key', CONTENT)
  assert cache_folder('part') is read_entry('part', 'key') is None


def test_a_folder_that_cannot_be_written_to(home, monkeypatch):
  write_entry('part', 'key', CONTENT)
  monkeypatch.setattr(os, 'access', lambda path, mode: False)
  write_entry('part', 'other', CONTENT)
  assert cache_folder('part') is None
  assert [p.name for p in (home / 'part').iterdir()] == ['key']


def test_a_full_disk(home, monkeypatch):
  def replace(self, target):
    raise OSError(28, 'No space left on device')
  monkeypatch.setattr(Path, 'replace', replace)
  write_entry('part', 'key', CONTENT)
  assert list((home / 'part').iterdir()) == []


def test_places(monkeypatch):
  """By the rules of the system; a relative XDG_CACHE_HOME is none."""
  monkeypatch.setenv('HOME', '/home/me')
  monkeypatch.setenv('XDG_CACHE_HOME', 'relative')
  monkeypatch.setattr(sys, 'platform', 'linux')
  assert cache_home() == Path('/home/me/.cache')
  monkeypatch.setattr(sys, 'platform', 'darwin')
  assert cache_home() == Path('/home/me/Library/Caches')
  monkeypatch.setattr(sys, 'platform', 'win32')
  monkeypatch.setenv('LOCALAPPDATA', '/local')
  assert cache_home() == Path('/local')
  monkeypatch.setenv('XDG_CACHE_HOME', '/chosen')
  assert cache_home() == Path('/chosen')


def test_what_was_not_used_for_longest_goes(home):
  for age, name in enumerate(['new', 'used', 'old', 'older']):
    write_entry('part', name, {'a': bytes(1000)})
    before = os.stat(home).st_mtime - 1000 * (age + 1)
    os.utime(home / 'part' / name, (before, before))
  assert read_entry('part', 'used') is not None
  size = (home / 'part' / 'new').stat().st_size
  trim(home, limit=4 * size)
  assert len(list((home / 'part').iterdir())) == 4
  trim(home, limit=2 * size)
  assert {p.name for p in (home / 'part').iterdir()} == {'new', 'used'}


def test_writing_trims(home, monkeypatch):
  """Nothing but what is kept here."""
  home.parent.mkdir(parents=True)
  (home.parent / 'of_the_user').write_bytes(bytes(5000))
  os.utime(home.parent / 'of_the_user', (1, 1))
  monkeypatch.setattr(user_cache.trim, '__defaults__', (1500,))
  for name in ('first', 'second'):
    write_entry('part', name, {'a': bytes(1000)})
    before = os.stat(home).st_mtime - 1000
    os.utime(home / 'part' / name, (before, before))
  assert [p.name for p in (home / 'part').iterdir()] == ['second']
  assert (home.parent / 'of_the_user').exists()


def test_keys_tell_apart(monkeypatch):
  key = lambda what='x', sources=('core',), libraries=('numpy',): entry_key(
      what, sources=sources, libraries=libraries)
  first = key()
  assert first == key() and len({
      first, key('y'), key(sources=('config',)), key(libraries=())}) == 4
  monkeypatch.setattr('siamkpn_jax.__version__', '999')
  assert key() != first


def test_processes_that_write_the_same(home):
  """Each reads the whole of one of them, whoever wrote it."""
  code = '''
import sys
from siamkpn_jax.core.user_cache import read_entry, write_entry
for k in range(40):
  write_entry('part', 'key', {'a': sys.argv[1].encode() * 100_000})
  (found,) = read_entry('part', 'key').values()
  assert found in (b'1' * 100_000, b'2' * 100_000)
'''
  running = [subprocess.Popen([sys.executable, '-c', code, name], cwd=ROOT)
             for name in '12']
  assert [process.wait(timeout=60) for process in running] == [0, 0]
