"""Configurations by name, by file, with changes."""

import pytest

from siamkpn_jax.config.files import load_config
from siamkpn_jax.core.errors import UserError


@pytest.mark.parametrize('name', ['kpn3s', 'configs/kpn3s.py'])
def test_packaged(tmp_path, monkeypatch, name):
  """They are found anywhere; an own file of that path comes first."""
  monkeypatch.chdir(tmp_path)
  config = load_config(f'{name}:otb', ['train.epochs=3', 'data.root=x'])
  assert (config.name, config.train.epochs, config.data.root) == (
      'kpn3s_otb', 3, 'x')
  assert config.data.gray_fraction == 0.2  # of otb
  assert load_config(name).train.epochs == 20


def test_other_folders_are_not_searched(tmp_path):
  with pytest.raises(UserError, match='no such file; expected'):
    load_config(str(tmp_path / 'kpn3s.py'))
