"""Which images of a folder are frames, and in which order."""

import itertools

import pytest

from siamkpn_jax.core.images import frame_names, list_images, natural_key
from siamkpn_jax.datasets.formats import scan


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
