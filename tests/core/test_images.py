"""Which images of a folder are frames, in which order, and reading them."""

import errno
import itertools
import os

import pytest

from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.core.images import (
  frame_names,
  list_images,
  natural_key,
  read_image,
)
from siamkpn_jax.datasets.formats import scan
from tests.failing_disk import break_disk


@pytest.mark.parametrize('names', [
    ['1.jpg', '2.jpg', '10.jpg'], ['1.25.jpg', '1.5.jpg', '2.0.jpg'],
    ['0.5.png', '1.png', '1.25.png', '1.5.png', '10.125.png'],
    ['t_0.0.jpg', 't_0.04.jpg', 't_0.2.jpg', 't_0.25.jpg'],
    ['a1.9.jpg', 'a1.10.jpg', 'a1.11.jpg', 'a2.1.jpg'],  # counters
    ['12.175304.jpg', '12.211214.jpg'], ['1.2.9.jpg', '1.2.10.jpg'],
    ['f.9.jpg', 'f.10.jpg'], ['a.jpg', 'b.jpg'], ['a.jpg', 'b.jpg', 'c1.jpg']])
def test_order(names):
  for mixed in itertools.permutations(names):
    assert frame_names(mixed) == names


@pytest.mark.parametrize('other', ['thumbnail.jpg', 'cover.PNG', 'Folder.jpeg'])
def test_thumbnails_are_no_frames(tmp_path, other):
  frames = ['1.jpg', '2.jpg', '10.jpg']
  for name in (*frames, other, '._1.jpg', 'notes1.txt'):
    (tmp_path / 'img' / name).parent.mkdir(exist_ok=True)
    (tmp_path / 'img' / name).touch()
  assert [path.name for path in list_images(tmp_path / 'img')] == frames
  assert scan.images(tmp_path, 'img') == [f'img/{name}' for name in frames]


def test_natural_key_orders_mixed_names():
  names = ['10a', 'b2', '2', 'a', '', '02', 'B10', '2a']
  assert sorted(names, key=natural_key) == [
      '', '02', '2', '2a', '10a', 'a', 'b2', 'B10']


@pytest.mark.parametrize('code', [
    errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE])
def test_what_the_system_does_not_give_is_no_damage(
    tmp_path, monkeypatch, code):
  (tmp_path / 'a.jpg').touch()
  break_disk(monkeypatch, 'a.jpg', code)
  with pytest.raises(UnreachableError, match=r'a\.jpg') as found:
    read_image(tmp_path / 'a.jpg')
  assert os.strerror(code) in str(found.value)
  assert 'replace or remove' not in str(found.value)


@pytest.mark.parametrize('code', [errno.ENOENT, errno.EISDIR])
def test_what_is_not_there_is_a_mistake(tmp_path, monkeypatch, code):
  break_disk(monkeypatch, 'a.jpg', code)
  with pytest.raises(UserError, match='replace or remove it') as found:
    read_image(tmp_path / 'a.jpg')
  assert not isinstance(found.value, UnreachableError)
