"""Scenes of cut-outs: pure, exact boxes, targets that stay visible."""

import concurrent.futures
import dataclasses
import itertools

import cv2
import numpy as np
import pytest

from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.cutouts import (
  CutoutSource,
  library,
  open_library,
  shot,
)
from siamkpn_jax.datasets.synthetic import signals
from siamkpn_jax.datasets.synthetic.signals import Wave
from tests.datasets.cutout_files import (
  SIDE,
  star,
  write_animation,
  write_crops,
)
from tests.datasets.photographs import photograph


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  """Folders of the three kinds, and one of nothing but backdrops."""
  root = tmp_path_factory.mktemp('cutouts')
  write_crops(root / 'crops')
  (root / 'still' / 'deep').mkdir(parents=True)
  for points in (3, 5, 8):
    cv2.imwrite(str(root / 'still' / 'deep' / f'{points}.png'),
                star(200, points))
  (root / 'moving').mkdir()
  write_animation(root / 'moving' / 'star.webp', 40)
  (root / 'photos').mkdir()
  cv2.imwrite(str(root / 'photos' / 'a.jpg'), photograph(400, 300))
  cv2.imwrite(str(root / 'photos' / 'b.png'), photograph(300, 400))
  return root


NAMES = ('crops', 'still', 'moving', 'photos')


@pytest.fixture(scope='module')
def source(root):
  return CutoutSource(3, open_library([root / name for name in NAMES]))


def shots(source, count):
  """Shots of `count` tracks with the times at which they are looked at."""
  for track in range(count):
    yield source._draw(track, 0), 7 * track % 32


def test_what_folders_give(root):
  """One masked track, three stills, one animation; six backdrops."""
  found = open_library([root / name for name in NAMES])
  assert found.num_cutouts == 1 + 3 + 1
  assert found.num_backdrops == 4 + 2
  assert found.groups == [range(1), range(1, 4), range(4, 5)]
  assert [len(found.frames(k)) for k in range(5)] == [2, 1, 1, 1, 24]
  assert found.dropped.counts == {'objects: without a mask': 1}
  assert found.dropped.examples['objects: without a mask'].endswith('a/01')
  twice = open_library([root / 'still', root / 'moving', root / 'still'])
  assert twice.num_cutouts == 7
  assert twice.objects.tolist() == [0, 1, 2, 3, 0, 1, 2]
  # An object is no negative of itself.
  groups = CutoutSource(3, twice).groups
  assert (groups[:7] == groups[7:14]).all() and set(groups) == {0, 1, 2, 3}


def test_pure_on_any_thread(source, root):
  """A fresh source in another order and on threads gives the same."""
  jobs = [(track, position) for track in (0, 4, 7, 11) for position in (3, 30)]
  expected = [source.read(*job, 151) for job in jobs]
  fresh = CutoutSource(3, open_library([root / name for name in NAMES]))
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    found = list(pool.map(lambda job: fresh.read(*job, 151), jobs[::-1]))
  for (image, wh), (other, other_wh) in zip(expected, found[::-1],
                                            strict=True):
    np.testing.assert_array_equal(image, other)
    np.testing.assert_array_equal(wh, other_wh)
    assert image.shape == (151, 151, 3) and image.dtype == np.uint8
    assert wh.dtype == np.float32
  images = [image for image, _ in expected]
  assert all((a != b).mean() > 0.05 for a, b in itertools.pairwise(images))
  other = CutoutSource(4, source._library).read(0, 3, 151)[0]
  assert (other != images[0]).mean() > 0.05


def test_patches_of_two_sizes_are_of_one_scene(source):
  for track in range(12):
    small, wh = source.read(track, 9, 101)
    large, large_wh = source.read(track, 9, 431)
    np.testing.assert_array_equal(wh, large_wh)
    # Blur mirrors the pixels at the patch's edge.
    difference = cv2.absdiff(small, large[165:-165, 165:-165])[9:-9, 9:-9]
    assert difference.mean() < 0.7


@pytest.mark.parametrize('patch', [0, 142, 513])
def test_wrong_patches(source, patch):
  with pytest.raises(ValueError, match=f'patch is {patch}'):
    source.read(0, 0, patch)


def test_distractors_never_cover_the_center(source):
  count = 0
  for scene, t in shots(source, 60):
    for layer in shot.place_all(scene, t, 32).others:
      count += 1
      h, w = layer.alpha.shape
      assert not (layer.x <= 0 < layer.x + w and layer.y <= 0 < layer.y + h)
  assert count > 60


def test_occluders_hide_some_but_not_much(source):
  shares = []
  for scene, t in shots(source, 120):
    placed = shot.place_all(scene, t, 32)
    if placed.front is None:
      continue
    # Painted over one another in another way.
    seen = np.zeros((2, SIDE, SIDE))
    for k, layer in enumerate((placed.target, placed.front)):
      y, x = np.indices(layer.alpha.shape)
      x, y = x + layer.x + 255, y + layer.y + 255
      there = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
      seen[k, y[there], x[there]] = layer.alpha[there] / 255
    shares.append((seen[0] * seen[1]).sum() / seen[0].sum())
  assert len(shares) > 10
  assert max(shares) <= shot.MAX_HIDDEN + 0.01
  assert np.mean(np.array(shares) > 0.05) > 0.3


def test_target_is_in_the_picture_where_its_box_says(source):
  """What the target changes in a scene lies in its box, and fills it."""
  for scene, t in shots(source, 20):
    placed = shot.place_all(scene, t, 32)
    canvas = np.zeros((201, 201, 3), np.uint8)
    alpha = placed.target.alpha
    y, x = placed.target.y + 100, placed.target.x + 100
    canvas[y:y + alpha.shape[0], x:x + alpha.shape[1]] = alpha[..., None]
    _, wh = shot.compose(scene, t, 32, 201)
    rows, cols = np.flatnonzero((canvas[..., 0] > 127).any(1)), np.flatnonzero(
        (canvas[..., 0] > 127).any(0))
    np.testing.assert_allclose(
        [cols[-1] + 1 - cols[0], rows[-1] + 1 - rows[0]], wh, atol=1.01)
    assert abs(cols[0] + cols[-1] - 200) <= 2
    assert abs(rows[0] + rows[-1] - 200) <= 2


def test_a_track_runs_through_the_frames_of_its_object(source):
  """In their order; its pose and light are held still here."""
  still = dataclasses.replace(
      shot.random_shot(signals.stream(signals.CUTOUT, 0, 0), source._library,
                       4, source._identity(4, 4)).target,
      turn=Wave(), stretch=Wave(), shear=Wave(), tilt_x=Wave(), tilt_y=Wave(),
      light=Wave(), shade=0.)
  painted = [still.paint(t, 48).alpha for t in range(48)]
  for t in range(0, 48, 2):  # 24 frames
    np.testing.assert_array_equal(painted[t], painted[t + 1])
  for one, other in itertools.pairwise(painted[::2]):
    assert one.shape != other.shape or (one != other).any()


def config_of(root, *cutouts, sets=('cutouts',)):
  return Config().updated(data={
      'sets': sets, 'ratios': (1.0,) * len(sets), 'ranges': (30,) * len(sets),
      'root': str(root), 'cutouts': cutouts})


def test_opened_by_its_name(root):
  config = config_of(root, *NAMES, sets=('cutouts', 'synthetic'))
  found, _ = catalog.open_sources(config.data, 0)
  assert (found.name, found.num_tracks) == ('cutouts', 5000)
  assert found.num_frames(4999) == 32
  assert 'objects: without a mask 1' in catalog.describe([found])
  assert found.read(4999, 31, 99)[0].std() > 5


@pytest.mark.parametrize(('cutouts', 'named'), [
    (('still', 'nowhere', 'nothing'), ('nowhere', 'nothing')),
    (('photos',), ('photos',))])
def test_folders_without_use_are_named(root, cutouts, named):
  with pytest.raises(UserError) as info:
    catalog.open_sources(config_of(root, *cutouts).data, 0)
  message = str(info.value)
  assert '\n' not in message and 'config.data.cutouts' in message
  assert all(str(root / name) in message for name in named)
  assert str(root / 'still') not in message


def test_not_from_object_storage():
  with pytest.raises(UserError, match='local folder'):
    catalog.open_sources(config_of('gs://sets', 'still').data, 0)


@pytest.mark.parametrize(('sets', 'cutouts'), [
    (('cutouts',), ()), (('synthetic',), ('still',))])
def test_setting_and_set_come_together(sets, cutouts):
  with pytest.raises(UserError, match='config.data.cutouts is'):
    config_of('', *cutouts, sets=sets)


def test_damaged_files_are_named(root, tmp_path):
  write_crops(tmp_path / 'crops')
  whole = (root / 'still' / 'deep' / '5.png').read_bytes()
  (tmp_path / 'cut').mkdir()
  (tmp_path / 'cut' / 'a.png').write_bytes(whole[:200])
  cv2.imwrite(str(tmp_path / 'cut' / 'b.png'), np.zeros((50, 50, 4), 'u1'))
  small = tmp_path / 'crops' / 'a' / '000005.00.m.png'
  cv2.imwrite(str(small), np.full((100, 100), 255, np.uint8))
  found = open_library([tmp_path / 'cut', tmp_path / 'crops'])
  for number, message in enumerate((
      'a.png: this cut-out cannot be read', 'b.png: this cut-out is empty',
      '000005.00.m.png: 100x100 pixels; expected the 511x511')):
    with pytest.raises(UserError, match=message):
      found.frames(number)


def test_memory_is_limited():
  kept = library._Kept(1000)
  for key in range(5):
    kept.put(key, (np.zeros(300, np.uint8),))
    kept.get(0)
  assert [kept.get(key) is not None for key in range(5)] == [
      True, False, False, True, True]
  kept.put(9, (np.zeros(5000, np.uint8),))
  assert kept.get(9) is not None and kept.get(0) is None
