"""Light and sensor, of rendered videos and of scenes of cut-outs, by hand."""

import dataclasses
import math

import numpy as np
import pytest

from siamkpn_jax.datasets.cutouts import poses, shot
from siamkpn_jax.datasets.cutouts.actors import Actor, Identity
from siamkpn_jax.datasets.cutouts.backdrop import Backdrop
from siamkpn_jax.datasets.synthetic import effects
from siamkpn_jax.datasets.synthetic.signals import Wave
from tests.datasets.photographs import photograph

# Every level of every channel, each channel in another order.
LEVELS = np.stack([np.roll(np.arange(256), 85 * k).reshape(16, 16)
                   for k in range(3)], -1).astype(np.uint8)
QUARTER = Wave(0., ((1., math.tau / 40, 0.),))  # 0 at 0, 1 at 10


def camera(**changes):
  """One that changes nothing, but for the changes."""
  return dataclasses.replace(
      effects.Camera(exposure=Wave(), warmth=Wave(), bias=Wave(), gamma=1.,
                     shade=None, defocus=0., noise=0., gray=False, shutter=0.),
      **changes)


def flat(value, side=64):
  return np.full((side, side, 3), value, np.uint8)


def close(found, expected):
  """Within the rounding of 8 bits."""
  np.testing.assert_allclose(found, np.clip(expected, 0, 255), atol=0.51)


def test_a_neutral_camera_changes_nothing():
  frame = LEVELS.copy()
  np.testing.assert_array_equal(camera().expose(frame, 7, 0), LEVELS)
  np.testing.assert_array_equal(frame, LEVELS)


def test_exposure_and_bias():
  """Log gain of all, and gray levels on top; both end at black and white."""
  levels = LEVELS.astype(float)
  brighter = camera(exposure=Wave(math.log(1.5)))
  close(brighter.expose(LEVELS, 0, 0), 1.5 * levels)
  close(camera(bias=Wave(-40)).expose(LEVELS, 0, 0), levels - 40)
  both = camera(exposure=Wave(math.log(1.5)), bias=Wave(20))
  close(both.expose(LEVELS, 0, 0), 1.5 * levels + 20)


@pytest.mark.parametrize('warmth', [0.3, -0.3])
def test_warmth_is_red_against_blue(warmth):
  blue, green, red = np.moveaxis(LEVELS.astype(float), -1, 0)
  found = camera(warmth=Wave(warmth)).expose(LEVELS, 0, 0)
  close(found[..., 0], blue / math.exp(warmth))
  close(found[..., 1], green)
  close(found[..., 2], red * math.exp(warmth))


@pytest.mark.parametrize('gamma', [0.7, 1.4])
def test_gamma_is_a_power_of_the_share_of_white(gamma):
  found = camera(gamma=gamma).expose(LEVELS, 0, 0)
  close(found, 255 * (LEVELS / 255)**gamma)
  assert (found[LEVELS == 0] == 0).all() and (found[LEVELS == 255] == 255).all()
  # The tone curve lies before the gain.
  found = camera(gamma=gamma, exposure=Wave(math.log(0.5))).expose(LEVELS, 0, 0)
  np.testing.assert_allclose(found, 127.5 * (LEVELS / 255)**gamma, atol=1)


def test_light_follows_its_waves_in_time():
  levels = LEVELS.astype(float)
  for changes, expected in (
      ({'exposure': QUARTER}, levels * math.e),
      ({'warmth': QUARTER}, levels * np.exp([-1, 0, 1])),
      ({'bias': QUARTER}, levels + 1)):
    moving = camera(**changes)
    np.testing.assert_array_equal(moving.expose(LEVELS, 0, 0), LEVELS)
    close(moving.expose(LEVELS, 10, 0), expected)


def test_gray_has_no_colors():
  """All channels have the luma of the colors, with noise as well."""
  found = camera(gray=True).expose(LEVELS, 0, 0).astype(int)
  np.testing.assert_array_equal(found, found[..., :1].repeat(3, -1))
  np.testing.assert_allclose(found[..., 0], LEVELS @ [0.114, 0.587, 0.299],
                             atol=1)
  found = camera(gray=True, noise=8.).expose(LEVELS, 0, 0)
  np.testing.assert_array_equal(found, found[..., :1].repeat(3, -1))


def test_defocus_spreads_a_dot_over_its_neighbors():
  dot = flat(0, 9)
  dot[4, 4] = 255
  np.testing.assert_array_equal(camera(defocus=1.).expose(flat(90), 0, 0),
                                flat(90))
  found = camera(defocus=1.).expose(dot, 0, 0)[..., 1].astype(int)
  weights = np.exp(-np.arange(-2, 3)**2 / 2)
  weights /= weights.sum()
  np.testing.assert_allclose(found[2:7, 2:7],
                             255 * np.outer(weights, weights), atol=1.5)
  assert found[2:7, 2:7].sum() == found.sum()


@pytest.mark.parametrize(('angle', 'dark', 'lit'), [
    (0., np.s_[:, :20], np.s_[:, 44:]),
    (math.pi, np.s_[:, 44:], np.s_[:, :20]),
    (math.pi / 2, np.s_[:20], np.s_[44:]),
    (-math.pi / 2, np.s_[44:], np.s_[:20])])
def test_shade_darkens_one_side(angle, dark, lit):
  """By its depth behind the edge, which here is in the middle."""
  shade = effects.Shade(angle, Wave(), 0.02, 0.4)
  frame = photograph(64, 64)
  before = frame.copy()
  for found in (shade.apply(frame, 0),
                camera(shade=shade).expose(frame, 0, 0)):
    assert (found <= before).all()
    np.testing.assert_allclose(found[dark], 0.6 * before[dark], atol=1.51)
    np.testing.assert_allclose(found[lit], before[lit], atol=1)
  np.testing.assert_array_equal(frame, before)


def test_the_edge_of_shade_moves_and_is_soft():
  """At time 0 in the middle, at 10 at the frame's right side."""
  def gains(width, t):
    shade = effects.Shade(0., QUARTER, width, 0.4)
    return shade.apply(flat(200), t)[32, :, 0] / 200

  columns = np.linspace(-1, 1, 65)[:-1] + 1 / 64
  sharp = gains(0.02, 10)
  np.testing.assert_allclose(sharp[columns < 0.7], 0.6, atol=0.01)
  soft = gains(0.3, 0)
  expected = 1 - 0.4 / (1 + np.exp(columns / 0.3))
  np.testing.assert_allclose(soft, expected, atol=0.03)


def test_grain_has_its_sigma_and_no_mean():
  frames = np.stack([camera(noise=6.).expose(flat(128, 120), t, 5)
                     for t in (0, 1, 2, 700)]).astype(float) - 128
  for frame in frames:
    assert frame.std() == pytest.approx(6, rel=0.05)
    assert abs(frame.mean()) < 0.3
  # That of each pixel, channel and frame is its own.
  related = np.corrcoef(np.concatenate([
      frames.reshape(4, -1), frames[:1].reshape(1, -1)[:, ::-1]]))
  assert np.abs(related - np.eye(5)).max() < 0.05
  assert abs(np.corrcoef(frames[0].reshape(-1, 3).T)[0, 1]) < 0.05
  again = camera(noise=6.).expose(flat(128, 120), 2, 5)
  np.testing.assert_array_equal(again - 128., frames[2])
  assert (camera(noise=6.).expose(flat(128, 120), 2, 6) != again).mean() > 0.8


def sprite(left=(200, 200, 200), right=(200, 200, 200)):
  """A square of two colors, [64, 64, 4], with nothing around it."""
  made = np.zeros((64, 64, 4), np.uint8)
  made[2:62, 2:32], made[2:62, 32:62] = (*left, 255), (*right, 255)
  return made


def actor(frame, **changes):
  """One that shows a sprite as it is, but for the changes."""
  still = dict.fromkeys(
      ('turn', 'stretch', 'shear', 'tilt_x', 'tilt_y', 'light'), Wave())
  return Actor(Identity((frame,), poses.tint_matrix()), **{
      **still, 'warmth': 0., 'contrast': 1., 'shade': 0., 'shade_angle': 0.,
      **changes})


@pytest.mark.parametrize(('changes', 'gain', 'lift'), [
    ({}, 1, 0),
    ({'light': Wave(-0.3)}, math.exp(-0.3), 0),
    ({'warmth': 0.1}, np.exp([-0.1, 0, 0.1]), 0),
    ({'contrast': 0.6}, 0.6, 0.4 * 0.45 * 255)])
def test_light_of_an_object(changes, gain, lift):
  """Less contrast brings colors nearer to 0.45 of white, bright and dark."""
  colors = np.array([[30, 60, 90], [220, 180, 140]])
  layer = actor(sprite(*colors.tolist()), **changes).paint(0, 1)
  h, w = layer.alpha.shape
  for column, color in ((w // 4, colors[0]), (3 * w // 4, colors[1])):
    close(layer.color[h // 2, column], color * gain + lift)


@pytest.mark.parametrize(('angle', 'near', 'far'), [
    (0., np.s_[6:14, 8:-8], np.s_[-14:-6, 8:-8]),  # from above
    (math.pi / 2, np.s_[8:-8, 6:14], np.s_[8:-8, -14:-6]),  # from the left
    (math.pi, np.s_[-14:-6, 8:-8], np.s_[6:14, 8:-8]),
    (-math.pi / 2, np.s_[8:-8, -14:-6], np.s_[8:-8, 6:14])])
def test_an_object_is_darker_away_from_the_light(angle, near, far):
  plain = actor(sprite()).paint(0, 1)
  layer = actor(sprite(), shade=0.4, shade_angle=angle).paint(0, 1)
  np.testing.assert_array_equal(layer.alpha, plain.alpha)
  np.testing.assert_array_equal(layer.box, plain.box)
  assert (layer.color <= plain.color).all()
  np.testing.assert_allclose(layer.color[near], 200 * (1 - 0.4 * 0.15), atol=2)
  np.testing.assert_allclose(layer.color[far], 200 * (1 - 0.4 * 0.85), atol=2)


MEAN = (60., 100., 140.)
OPEN = (math.inf,) * 4


def made_shot(**changes):
  """A square before one color; nothing else happens, but for the changes."""
  backdrop = Backdrop(flat(MEAN, 600), MEAN, Wave(300.), Wave(300.), Wave(),
                      Wave(), False, 0.)
  return dataclasses.replace(
      shot.Shot(backdrop, actor(sprite()), [], None, None, OPEN, camera()),
      **changes)


def test_a_shadow_falls_behind_the_target():
  """Soft, black, of 0.4; to the right and below, where the target is not."""
  plain = shot.compose(made_shot(), 0, 1, 201)[0].astype(int)
  found, _ = shot.compose(made_shot(shadow=(24, 16)), 0, 1, 201)
  assert (found <= plain).all()
  target = plain[..., 0] > 150
  rows, cols = np.flatnonzero(target.any(1)), np.flatnonzero(target.any(0))
  top, bottom, left, right = rows[0], rows[-1], cols[0], cols[-1]
  np.testing.assert_array_equal(found[target], plain[target])
  changed = (found != plain).any(-1)
  rows, cols = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
  # Nine pixels wide is the blur: four on each side.
  assert abs(rows[-1] - (bottom + 16 + 4)) <= 1
  assert abs(cols[-1] - (right + 24 + 4)) <= 1
  assert abs(rows[0] - (top + 16 - 4)) <= 1
  assert abs(cols[0] - (left + 24 - 4)) <= 1
  middle = 100
  np.testing.assert_allclose(found[middle, right + 3:right + 19],
                             np.tile(0.6 * np.array(MEAN), (16, 1)), atol=1.5)
  np.testing.assert_allclose(found[middle, right + 24],
                             0.8 * np.array(MEAN), rtol=0.06)


def test_the_frame_ends_at_the_edges():
  """Beyond them is the mean color, in the same light, without noise."""
  backdrop = dataclasses.replace(
      made_shot().backdrop, picture=photograph(600, 600))
  lit = camera(warmth=Wave(0.2), bias=Wave(-9), noise=5.)
  whole = made_shot(backdrop=backdrop, camera=lit)
  ended = dataclasses.replace(whole, edges=(60., 50., 70., 85.))
  inside = np.zeros((201, 201), bool)
  inside[100 - 50:100 + 85 + 1, 100 - 60:100 + 70 + 1] = True
  before, found = (shot.compose(one, 3, 32, 201)[0] for one in (whole, ended))
  np.testing.assert_array_equal(found[inside], before[inside])
  assert (before[~inside] != found[~inside]).any()
  close(found[~inside], np.tile(
      np.array(MEAN) * np.exp([-0.2, 0, 0.2]) - 9, ((~inside).sum(), 1)))
  # A smaller patch ends before them.
  small = [shot.compose(one, 3, 32, 91)[0] for one in (whole, ended)]
  np.testing.assert_array_equal(*small)


def test_grain_of_a_scene_is_the_same_in_patches_of_all_sizes():
  noisy = made_shot(camera=camera(noise=7.))
  large, _ = shot.compose(noisy, 5, 32, 431)
  for patch in (1, 101, 255):
    margin = (431 - patch) // 2
    # OpenCV rounds a half in two ways, by where it lies in memory.
    np.testing.assert_allclose(
        shot.compose(noisy, 5, 32, patch)[0],
        large[margin:margin + patch, margin:margin + patch], atol=1)
  grain = large[:100].astype(float) - MEAN
  assert grain.std() == pytest.approx(7, rel=0.05)
  assert (shot.compose(noisy, 6, 32, 431)[0] != large).mean() > 0.8
