"""What a name of weights means."""

from pathlib import Path

import pytest

import siamkpn_jax
from siamkpn_jax.checkpoints import packaged, weights
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.core.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """In the place of the package's folder; and an empty working folder."""
  found = tmp_path / 'weights'
  found.mkdir()
  (found / 'README.md').write_text('no weights')
  monkeypatch.setattr(packaged, 'FOLDER', found)
  (tmp_path / 'here').mkdir()
  monkeypatch.chdir(tmp_path / 'here')
  return found


def _add(folder, name):
  path = folder / f'{name}.safetensors'
  path.write_bytes(b'')
  return path


def test_names(folder):
  assert packaged.packaged_weights() == {}
  two = {name: _add(folder, name) for name in ('large', 'kpn3s_nano')}
  assert packaged.packaged_weights() == two
  assert siamkpn_jax.packaged_weights() == two
  for name, path in two.items():
    assert find_weights(name) == find_weights(Path(name)) == path
  assert find_weights(None) == two['kpn3s_nano']


def test_the_package_has_a_folder():
  assert (packaged.FOLDER / 'README.md').is_file()
  assert packaged.FOLDER.parent == Path(siamkpn_jax.__file__).parent


@pytest.mark.parametrize('path', [
    'runs/large', './dir/../large', '/large', 'large.safetensors', 'other',
    '.', '..'])
def test_paths_stay(folder, path):
  _add(folder, 'large')
  assert find_weights(path) == Path(path)


def test_no_default(folder):
  _add(folder, 'large')
  with pytest.raises(UserError, match=r'kpn3s_nano\.safetensors: default '
                     r'weights missing .*pass your own') as error:
    find_weights(None)
  assert '\n' not in str(error.value)


def test_empty_name(folder):
  with pytest.raises(UserError, match='weights: empty; expected'):
    find_weights('')


def test_a_run_of_the_same_name(folder):
  """Not silently one of them; the default is not in doubt."""
  file = _add(folder, 'kpn3s_nano')
  Path('kpn3s_nano').mkdir()
  with pytest.raises(UserError, match='ambiguous') as error:
    find_weights('kpn3s_nano')
  for path in (file, Path('kpn3s_nano').absolute()):
    assert str(path) in str(error.value)
    assert find_weights(path) == path
  assert find_weights(None) == file


def test_mistyped_name(folder):
  with pytest.raises(UserError, match=r'no such checkpoint.* file$'):
    weights.find_checkpoint(Path('kpn3s_nan'))
  _add(folder, 'kpn3s_nano')
  with pytest.raises(UserError, match='packaged model: kpn3s_nano'):
    weights.find_checkpoint(Path('kpn3s_nan'))
