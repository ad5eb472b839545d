"""Scenes of cut-outs: pure, exact boxes, targets that stay visible."""

import concurrent.futures
import dataclasses
import itertools
import json
import math

import cv2
import numpy as np
import pytest

from siamkpn_jax.config.settings import Config
from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.cutouts import (
  CutoutSource,
  library,
  open_library,
  poses,
  shot,
  sprites,
)
from siamkpn_jax.datasets.synthetic import signals
from siamkpn_jax.datasets.synthetic.signals import Wave
from tests.datasets.photographs import photograph

SIDE = geometry.CONTEXT_SIZE


def star(side, points=5, turn=0.):
  """A colored star with a soft edge, [side, side, 4] uint8 BGRA."""
  angle = turn + np.arange(2 * points) * math.pi / points
  radius = np.where(np.arange(2 * points) % 2, 0.2, 0.45) * side
  contour = side / 2 + radius[:, None] * np.stack(
      [np.cos(angle), np.sin(angle)], -1)
  alpha = cv2.fillPoly(np.zeros((side, side), np.uint8),
                       [contour.astype(np.int32)], 255, cv2.LINE_AA)
  color = photograph(side, side, seed=points)
  return np.dstack([color, cv2.GaussianBlur(alpha, (3, 3), 0)])


def write_animation(path, count):
  """A star that turns, in `count` frames."""
  animation = cv2.Animation()
  animation.frames = [star(90, turn=0.05 * k) for k in range(count)]
  animation.durations = np.full(count, 40)
  assert cv2.imwriteanimation(str(path), animation)


def write_crops(folder):
  """Two tracks of two crops; the second has no mask."""
  (folder / 'a').mkdir(parents=True)
  box = [100, 100, 200, 160]
  (folder / 'train.json').write_text(json.dumps(
      {'a': {'00': {'0': box, '5': box}, '01': {'0': box, '5': box}}}))
  mask = cv2.ellipse(np.zeros((SIDE, SIDE), np.uint8), (255, 255), (40, 24),
                     0, 0, 360, 255, -1)
  for frame in (0, 5):
    for track in (0, 1):
      cv2.imwrite(str(folder / 'a' / f'{frame:06d}.{track:02d}.x.jpg'),
                  photograph(SIDE, SIDE, seed=frame + track))
    cv2.imwrite(str(folder / 'a' / f'{frame:06d}.00.m.png'), mask)


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


def test_frames_of_an_animation_are_spread_over_it(root):
  """They turn evenly, and as the frames that were written."""
  data = (root / 'moving' / 'star.webp').read_bytes()
  frames = sprites.decode_frames(data, '', 8)
  for k, frame in enumerate(frames):
    written = star(90, turn=0.05 * 5 * k)
    assert cv2.absdiff(frame[..., 3], written[..., 3]).mean() < 1
    inside = written[..., 3] > 250
    assert cv2.absdiff(frame, written)[inside].mean() < 12  # WebP is lossy
  assert len(sprites.decode_frames(data, '', 100)) == 40


def test_sprites_are_trimmed_and_multiplied():
  image = np.full((300, 400, 4), 200, np.uint8)
  image[..., 3] = 0
  image[100:140, 50:130, 3] = 255
  image[100:140, 130:140, 3] = 51
  sprite = sprites.from_alpha(image)
  assert sprite.shape == (40 + 4, 90 + 4, 4)
  assert sprite[20, 50].tolist() == [200, 200, 200, 255]
  assert sprite[20, 85].tolist() == [40, 40, 40, 51]
  assert not sprite[:2].any() and not sprite[:, -2:].any()
  large = sprites.from_alpha(np.full((900, 900, 4), 255, np.uint8))
  assert large.shape[0] <= 100
  assert sprites.from_alpha(np.zeros((9, 9, 4), np.uint8)) is None


def test_alpha_in_headers(tmp_path):
  """As OpenCV finds after decoding."""
  with_alpha, without = star(64), photograph(64, 64)
  for suffix, flags in (('.png', []), ('.webp', []),
                        ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 101])):
    for image in (with_alpha, without):
      path = str(tmp_path / f'a{suffix}')
      cv2.imwrite(path, image, flags)
      decoded = cv2.imread(path, cv2.IMREAD_UNCHANGED)
      assert library.has_alpha(path) == (decoded.shape[2] == 4)


def test_padding_of_crops_is_no_backdrop():
  image = np.full((SIDE, SIDE, 3), (90, 100, 110), np.uint8)
  image[100:400, 60:] = photograph(SIDE - 60, 300)
  jpeg = cv2.imdecode(cv2.imencode('.jpg', image)[1], cv2.IMREAD_COLOR)
  for picture in (image, jpeg):
    h, w = library.without_padding(picture).shape[:2]
    assert 280 <= h <= 300 and 430 <= w <= 451
  whole = photograph(320, 240)
  np.testing.assert_array_equal(library.without_padding(whole), whole)
  assert library.without_padding(image[:90]).size == 0


@pytest.mark.parametrize('seed', range(8))
def test_box_of_a_placed_sprite(seed):
  """Its solid pixels are those whose centers are in the box, which fits."""
  rng = np.random.default_rng(seed)
  sprite = sprites.from_alpha(star(60 + 30 * seed, 3 + seed))
  pose = poses.pose_matrix(
      turn=rng.uniform(-3, 3), stretch=rng.normal() / 4,
      shear=rng.normal() / 5, tilt=tuple(rng.uniform(-0.25, 0.25, 2)),
      mirrored=bool(seed % 2))
  placed = poses.place(sprite, pose, 127)
  x, y, w, h = placed.box
  corner = np.array([placed.y, placed.x])
  mask = np.argwhere(placed.alpha > 127) + corner
  np.testing.assert_array_equal(
      np.stack([mask.min(0), mask.max(0)])[:, ::-1],
      [np.ceil([x, y]), np.floor([x + w, y + h])])
  # The tips are thinner than pixels: how far they reach is up to sampling.
  np.testing.assert_allclose([x + w / 2, y + h / 2], 0, atol=0.5)
  assert geometry.context_side(w, h) == pytest.approx(127, abs=1.5)


@pytest.mark.parametrize('seed', range(4))
def test_box_of_a_placed_ellipse(seed):
  """Is that of the ellipse turned on paper, in its middle, at its scale."""
  rng = np.random.default_rng(seed)
  a, b, turn = rng.uniform(20, 40), rng.uniform(10, 40), rng.uniform(-3, 3)
  image = np.zeros((1000, 1000, 4), np.uint8)
  cv2.ellipse(image, (500, 500), (round(10 * a), round(10 * b)), 0, 0, 360,
              (255,) * 4, -1)
  sprite = sprites.from_alpha(cv2.resize(image, (100, 100),
                                         interpolation=cv2.INTER_AREA))
  half = np.hypot([a * math.cos(turn), a * math.sin(turn)],
                  [b * math.sin(turn), b * math.cos(turn)])
  scale = 127 / geometry.context_side(*(2 * half))
  placed = poses.place(sprite, poses.pose_matrix(turn=turn), 127)
  np.testing.assert_allclose(
      placed.box, scale * np.array([*-half, *(2 * half)]), atol=0.4)
  x, y, w, h = placed.box
  np.testing.assert_allclose([x + w / 2, y + h / 2], 0, atol=0.1)
  assert geometry.context_side(w, h) == pytest.approx(127, abs=0.3)


def test_box_of_a_sprite_by_hand():
  """A rectangle of 40 x 20 turned by a right angle, made twice as large."""
  image = np.zeros((60, 60, 4), np.uint8)
  image[20:40, 10:50] = 255
  sprite = sprites.from_alpha(image)
  side = 2 * geometry.context_side(20, 40)
  placed = poses.place(sprite, poses.pose_matrix(turn=math.pi / 2), side)
  np.testing.assert_allclose(placed.box, [-20, -40, 40, 80], atol=0.1)


@pytest.mark.parametrize('side', [100, 190, 250, 400, 1200])
def test_thin_lines_are_no_end_of_training(side):
  """They vanish when made small: left out, or an error that is replaced."""
  image = np.zeros((side, side, 4), np.uint8)
  cv2.circle(image, (side // 2, side // 2), side // 2 - 4, (9, 9, 9, 255), 1)
  sprite = sprites.from_alpha(image)
  for context in (70., 127., 210.) if sprite is not None else ():
    try:
      placed = poses.place(sprite, poses.pose_matrix(turn=0.3), context)
      assert placed.box[2:].min() > 1
    except UserError as error:
      assert 'vanishes when it is scaled down' in str(error)


def test_tints_keep_within_alpha():
  sprite = sprites.from_alpha(star(80))
  bright = poses.tinted(sprite, poses.tint_matrix(
      gain=(3, 3, 3), hue=1., lift=0.5))
  np.testing.assert_array_equal(bright[..., 3], sprite[..., 3])
  assert (bright[..., :3] <= bright[..., 3:]).all()
  same = poses.tinted(sprite, poses.tint_matrix())
  np.testing.assert_array_equal(same, sprite)
  third = poses.tint_matrix(hue=math.tau / 3)[:3, :3]
  np.testing.assert_allclose(np.abs(third @ [1, 0, 0]).max(), 1)  # a swap
  np.testing.assert_allclose(third @ [1, 1, 1], 1)


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
