"""The vot-toolkit's trackers.ini: our entry comes, the others stay."""

import configparser
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import siamkpn_jax
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.trax import trackers_ini

OTHERS = '''# my trackers

[first]  # the best
label = First
protocol = traxpython
command = first

; about ours
[ours]
label = old
  goes on
env_old = 1
# inside

# about the last
[Ours]
label = Last
paths = %%a:b'''


def _read(path):
  reader = configparser.ConfigParser()  # as the toolkit reads it
  reader.read(path)
  return {name: dict(reader[name]) for name in reader.sections()}


def test_new_file(tmp_path, monkeypatch):
  path = tmp_path / 'new' / 'trackers.ini'
  monkeypatch.chdir(tmp_path)
  trackers_ini.write_entry(path, 'siam-KPN_3', Path('50% of "it"/w'))
  entry, = _read(path).values()
  assert list(_read(path)) == ['siam-KPN_3'] and os.listdir(path.parent) == [
      'trackers.ini']
  python_path = entry.pop('env_pythonpath', '')
  command = shlex.split(entry.pop('command'))
  assert command == [
      sys.executable, '-m', 'siamkpn_jax.trax', '--weights',
      str(tmp_path / '50% of "it"' / 'w')]
  assert entry == {'label': 'siam-KPN_3', 'protocol': 'trax', 'timeout': '120'}
  trackers_ini.write_entry(path, 'siam-KPN_3', Path('w'), 'size_lr=0.4')
  (again,) = _read(path).values()
  assert shlex.split(again['command'])[-2:] == ['--tracking', 'size_lr=0.4']
  # The toolkit starts it somewhere else.
  found = subprocess.run(
      [command[0], '-c', 'import siamkpn_jax; print(siamkpn_jax.__file__)'],
      cwd=tmp_path, env={'PYTHONPATH': python_path}, check=True,
      capture_output=True, text=True).stdout
  assert found.strip() == siamkpn_jax.__file__


def test_python_path_goes_with_it(monkeypatch):
  monkeypatch.setenv('PYTHONPATH', os.pathsep.join(['', 'here', '/there']))
  text = trackers_ini.entry('a', Path('w'))
  paths = text.split('env_pythonpath = ')[1].strip().split(os.pathsep)
  assert paths[-2:] == [os.path.abspath('here'), '/there']


def test_other_entries_stay(tmp_path):
  path = tmp_path / 'trackers.ini'
  path.write_text(OTHERS)
  before = _read(path)
  trackers_ini.write_entry(path, 'ours', Path('w'))
  written = path.read_text()
  assert written.startswith(OTHERS[:OTHERS.index('[ours]')] + '[ours]\n')
  assert written.endswith('\n\n' + OTHERS[OTHERS.index('# about the last'):])
  after = _read(path)
  assert list(after) == ['first', 'ours', 'Ours']
  assert after['ours']['command'].endswith(str(Path('w').absolute()))
  assert 'env_old' not in after['ours']
  assert [after[k] for k in ('first', 'Ours')] == [
      before[k] for k in ('first', 'Ours')]
  trackers_ini.write_entry(path, 'ours', Path('w'))
  assert path.read_text() == written
  trackers_ini.write_entry(path, 'added', Path('w'))
  assert path.read_text().startswith(written + '\n\n[added]\n')


@pytest.mark.parametrize('ending', ['\n', '\r\n'])
def test_lines_end_as_before(tmp_path, ending):
  path = tmp_path / 'trackers.ini'
  path.write_bytes(OTHERS.replace('\n', ending).encode())
  trackers_ini.write_entry(path, 'ours', Path('w'))
  lines = path.read_bytes().decode().split(ending)
  assert not any('\n' in line or '\r' in line for line in lines)
  assert lines.count('[ours]') == 1


@pytest.mark.parametrize('text', [
    'label = no section\n', '[a]\nx = 1\n[a]\nx = 2\n', '[a\nb', '[a]\nx\n',
    'a = 1\n [ours]\nlabel = 1\n'])
def test_damaged_file(tmp_path, text):
  path = tmp_path / 'trackers.ini'
  path.write_text(text)
  with pytest.raises(UserError, match=': damaged') as error:
    trackers_ini.write_entry(path, 'ours', Path('w'))
  assert '\n' not in str(error.value) and str(path) in str(error.value)
  assert path.read_text() == text


def test_indented_entry(tmp_path):
  """The toolkit reads it; a second one of that name would stop it."""
  path = tmp_path / 'trackers.ini'
  path.write_text('  [ours]\nlabel = 1\n')
  assert list(_read(path)) == ['ours']
  with pytest.raises(UserError, match='damaged|start of a line'):
    trackers_ini.write_entry(path, 'ours', Path('w'))
  assert path.read_text() == '  [ours]\nlabel = 1\n'


@pytest.mark.parametrize('label', ['', 'a b', 'ä', 'a]', 'DEFAULT', 'a\n'])
def test_labels(tmp_path, label):
  path = tmp_path / 'trackers.ini'
  with pytest.raises(UserError, match='letters, digits'):
    trackers_ini.write_entry(path, label, Path('w'))
  assert not path.exists()
