"""The revision that is stored with results."""

import subprocess
from pathlib import Path

import pytest

import siamkpn_jax
from siamkpn_jax.core import provenance

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def uncached():
  """Every test asks anew."""
  provenance.git_revision.cache_clear()
  yield
  provenance.git_revision.cache_clear()


@pytest.mark.skipif(not (ROOT / '.git').exists(), reason='not a checkout')
def test_revision_is_that_of_git():
  """Asked in another way."""
  head = subprocess.run(['git', 'rev-parse', 'HEAD'], cwd=ROOT, check=True,
                        capture_output=True, text=True).stdout.strip()
  assert provenance.git_revision() in (head, f'{head}-dirty')


@pytest.mark.parametrize('what', ['no git', 'no repository', "another's"])
def test_installed_without_its_repository(tmp_path, monkeypatch, what):
  """As in site-packages, which may lie inside another project's tree."""
  if what == 'no git':
    monkeypatch.setenv('PATH', str(tmp_path))
  else:
    monkeypatch.setattr(provenance, '__file__', str(tmp_path / 'a.py'))
  if what == "another's":
    git = ['git', '-C', str(tmp_path), '-c', 'user.name=a', '-c',
           'user.email=a@b']
    for words in (['init', '-q'], ['commit', '-q', '--allow-empty', '-m', 'a']):
      subprocess.run(git + words, check=True)
  assert provenance.git_revision() == f'version {siamkpn_jax.__version__}'
