"""Names that Windows refuses are not written, and others stay."""

import os

import pytest

from siamkpn_jax.core import file_names
from siamkpn_jax.core.errors import UserError

FORBIDDEN = ['a:b', 'a/b', 'a\\b', 'why?', 'all*', 'a<b', 'a>b', 'a"b', 'a|b',
             'dot.', 'space ', 'CON', 'nul.txt', 'Lpt1', '', '.', 'tab\t']


@pytest.mark.parametrize('name', FORBIDDEN)
def test_forbidden(name):
  assert not file_names.is_portable(name)
  assert file_names.is_portable(file_names.portable_name(name))


@pytest.mark.parametrize('name', [
    'Jogging-1', 'car1_s', 'model.width=32', 'Übung', 'console', 'nullable.txt',
    'lr=1e-3+x'])
def test_kept(name):
  assert file_names.is_portable(name)
  assert file_names.portable_name(name) == name


def test_names_of_results_stay(monkeypatch):
  """Here refused are only those that cannot be written."""
  for name in ('a:b', 'CON', 'dot.'):
    monkeypatch.setattr(os, 'name', 'posix')
    file_names.check_writable_name(name)
    monkeypatch.setattr(os, 'name', 'nt')
    with pytest.raises(UserError, match='rename'):
      file_names.check_writable_name(name)
    monkeypatch.undo()
  for name in ('', '..', 'a/b', 'a\x00b'):
    with pytest.raises(UserError, match='rename'):
      file_names.check_writable_name(name)
