"""siamkpn weights."""

import hashlib
import json
import subprocess
import sys

import pytest

from siamkpn_jax.checkpoints import packaged
from siamkpn_jax.checkpoints.packaged import packaged_weights
from tests.commands import assert_one_line, run


@pytest.mark.skipif(not packaged_weights(), reason='no packaged weights')
def test_lists_what_is_there(capfd):
  done = run(capfd, 'list_weights')
  head, row, *about = done.stdout.splitlines()
  assert done.returncode == 0 and not done.stderr
  assert head.split()[:3] == ['name', 'success', 'AUC']
  figures = json.loads(packaged_weights()['kpn3s_nano'].with_suffix(
      '.json').read_text())
  assert row.startswith('kpn3s_nano (default)')
  for word in (f'{figures["success_auc"]:.3f}', ' MB', 'MIT'):
    assert word in row
  assert about[0].startswith('kpn3s_nano: ')


@pytest.mark.parametrize('path', packaged_weights().values(),
                         ids=packaged_weights())
def test_the_figures_are_of_these_weights(path):
  """Other weights need figures of their own."""
  figures = json.loads(path.with_suffix('.json').read_text())
  assert figures['sha256'] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_large_is_imported():
  code = ('import sys\nfrom siamkpn_jax.list_weights import main\nmain()\n'
          'sys.exit(sum(m in sys.modules for m in ("jax", "numpy", "orbax")))')
  assert subprocess.run([sys.executable, '-c', code], check=False,
                        capture_output=True).returncode == 0


def test_an_installation_without_figures(capfd, tmp_path, monkeypatch):
  (tmp_path / 'mine.safetensors').touch()
  monkeypatch.setattr(packaged, 'FOLDER', tmp_path)
  assert_one_line(run(capfd, 'list_weights'), 'mine.json', 'cannot be read')


def test_an_installation_without_weights(capfd, tmp_path, monkeypatch):
  monkeypatch.setattr(packaged, 'FOLDER', tmp_path)
  assert '--weights' in run(capfd, 'list_weights').stdout
