"""Names that Windows refuses are not written, and others stay."""

import pytest

from siamkpn_jax.core import file_names
from siamkpn_jax.core.errors import UserError
from tests.reference.file_names import is_portable

FORBIDDEN = ['a:b', 'a/b', 'a\\b', 'why?', 'all*', 'a<b', 'a>b', 'a"b', 'a|b',
             'dot.', 'space ', 'CON', 'nul.txt', 'Lpt1', '', '.', 'tab\t']


@pytest.mark.parametrize('name', FORBIDDEN)
def test_forbidden(name):
  assert not is_portable(name)
  assert is_portable(file_names.portable_name(name))


@pytest.mark.parametrize('name', [
    'Jogging-1', 'car1_s', 'model.width=32', 'Übung', 'console', 'nullable.txt',
    'lr=1e-3+x'])
def test_kept(name):
  assert is_portable(name)
  assert file_names.portable_name(name) == name


@pytest.mark.parametrize(('name', 'saved'), [
    ('Jogging-1', 'Jogging-1'), ('Übung 2', 'Übung 2'), ('a%3Ab', 'a%3Ab'),
    ('_x', '_x'), ('a:b', 'a%3Ab'), ('why?*', 'why%3F%2A'), ('dot.', 'dot%2E'),
    ('space ', 'space%20'), ('CON', '%43ON'), ('nul.txt', '%6Eul.txt'),
    ('.a', '%2Ea'), ('..a', '%2E.a'), ('tab\t', 'tab%09'),
    ('\udcff', '%FF')], ids=ascii)
def test_names_of_results(name, saved):
  file_names.check_name(name, 'list.txt', from_disk=True)
  assert file_names.file_name(name) == saved
  assert is_portable(saved)


@pytest.mark.parametrize('name', [
    '', ' ', '.', '..', 'a/b', '/a', '../a', 'a\\b', '..\\a', 'a\x00b',
    'x' * 201, 'ü' * 101, ':' * 67, '\ud800', 'C:\\a'],
                         ids=lambda name: ascii(name[:9]))
def test_what_cannot_be_a_name(name):
  for from_disk in (False, True):
    with pytest.raises(UserError, match=r'^list\.txt: .* cannot be the name of'
                       ) as error:
      file_names.check_name(name, 'list.txt', from_disk=from_disk)
    assert str(error.value).isascii() and len(str(error.value)) < 300


def test_text_has_no_bytes_of_file_names():
  with pytest.raises(UserError, match='no file name can have'):
    file_names.check_name('\udcff', 'list.txt')
