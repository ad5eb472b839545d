"""What `siamkpn pack` refuses before it packs; tests/datasets has the rest."""

import sys

import pytest

from tests.commands import assert_one_line
from tests.datasets.photographs import write_photograph
from tests.optional import import_or_skip

import_or_skip('tensorflow_datasets', 'needs pip install .[tf]')
# TFDS's own.
pytestmark = pytest.mark.filterwarnings('ignore:label:DeprecationWarning')


@pytest.fixture
def folder(tmp_path):
  """One sequence of one image."""
  home = tmp_path / 'mine' / 'v'
  home.mkdir(parents=True)
  write_photograph(home / '0.jpg', 320, 240, seed=0)
  (home / 'gt.txt').write_text('40,30,50,60\n')
  return home.parent


def test_unknown_storage(command, folder, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)  # where no folder of that name is made
  done = command('pack', f'--set={folder}', '--output=ftp://x/y')
  assert_one_line(done, '--output ftp://x/y: unknown storage scheme', 'gs://')
  assert list(tmp_path.iterdir()) == [folder]


def test_a_package_that_cannot_be_imported(command, folder, tmp_path,
                                           monkeypatch):
  """It is installed, but broken: the reason, and what to install again."""
  monkeypatch.delitem(sys.modules, 'siamkpn_jax.datasets.packing.pack', False)
  monkeypatch.delitem(sys.modules, 'siamkpn_jax.datasets.packing.builder',
                      False)
  monkeypatch.setitem(sys.modules, 'tensorflow_datasets', None)
  monkeypatch.setattr('siamkpn_jax.cli.extras.require', lambda command: None)
  done = command('pack', f'--set={folder}', f'--output={tmp_path / "packed"}')
  assert_one_line(done, 'packing needs a package that cannot be imported',
                  'tensorflow_datasets', "pip install 'siamkpn_jax[tf]'")
  assert not (tmp_path / 'packed').exists()
