"""Sprites of images with alpha, and how a pose places them."""

import math

import cv2
import numpy as np
import pytest

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.cutouts import library, poses, sprites
from tests.datasets.cutout_files import SIDE, star, write_animation
from tests.datasets.photographs import photograph


def test_frames_of_an_animation_are_spread_over_it(tmp_path):
  """They turn evenly, and as the frames that were written."""
  write_animation(tmp_path / 'star.webp', 40)
  data = (tmp_path / 'star.webp').read_bytes()
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


@pytest.mark.parametrize(('side', 'outcome'), [
    (100, 'placed'), (190, 'vanishes'), (250, 'left out'), (400, 'left out'),
    (1200, 'left out')])
def test_thin_lines_are_no_end_of_training(side, outcome):
  """They vanish when made small: left out, or an error that is replaced."""
  image = np.zeros((side, side, 4), np.uint8)
  cv2.circle(image, (side // 2, side // 2), side // 2 - 4, (9, 9, 9, 255), 1)
  sprite = sprites.from_alpha(image)
  assert (sprite is None) == (outcome == 'left out')
  pose = poses.pose_matrix(turn=0.3)
  for context in (70., 127., 210.) if sprite is not None else ():
    if outcome == 'vanishes':
      with pytest.raises(UserError, match='vanishes when it is scaled down'):
        poses.place(sprite, pose, context)
    else:
      box = poses.place(sprite, pose, context).box
      np.testing.assert_allclose(box[2:], context / 2, atol=0.5)


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
