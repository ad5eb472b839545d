"""Light, color and noise against numpy; flips and defaults of a step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.training import augment, photometric
from siamkpn_jax.training.trainer import build_step
from tests.training.tiny import tiny_batch, tiny_config

STRENGTHS = {'brightness': 40.0, 'contrast': 0.5, 'gamma': 0.5,
             'white_balance': 0.25, 'noise': 9.0}
IMAGE = np.random.default_rng(0).uniform(60, 190, (33, 35, 3)).astype('f4')


def keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


def varied(config, count=400, image=IMAGE):
  """[count, h, w, c] in as many lights."""
  vary = lambda key: photometric.vary(key, image, config)
  return np.asarray(jax.jit(jax.vmap(vary))(keys(count)), np.float64)


def assert_log_even(factors, strength):
  """Evenly spread over 1 / (1 + s) to 1 + s, on a logarithmic scale."""
  draws = np.log(factors) / np.log1p(strength)
  assert np.abs(draws).max() < 1.01
  counts, _ = np.histogram(draws, 4, (-1, 1))
  np.testing.assert_allclose(counts / len(draws), 0.25, atol=0.1)


def test_steps_equal_numpy():
  image = IMAGE.astype(np.float64)
  mean = image.mean()
  np.testing.assert_allclose(
      photometric.change_contrast(IMAGE, 1.3), mean + 1.3 * (image - mean),
      rtol=1e-5)
  wide = np.float32([-20, 0, 64, 255, 300]).reshape(1, 5, 1)
  np.testing.assert_allclose(
      photometric.change_gamma(wide, 0.5).ravel(),
      [0, 0, 255 * (64 / 255)**0.5, 255, 255], rtol=1e-5)


def test_brightness_is_one_offset():
  offsets = varied(AugmentConfig(brightness=40.0)) - IMAGE
  assert np.ptp(offsets, axis=(1, 2, 3)).max() < 1e-3
  counts, _ = np.histogram(offsets[:, 0, 0, 0], 4, (-40, 40))
  assert counts.sum() == 400
  np.testing.assert_allclose(counts / 400, 0.25, atol=0.1)


def test_contrast_and_gamma_are_even():
  image = (IMAGE - 125) / 2 + 125  # far from what a camera cannot show
  out = varied(AugmentConfig(contrast=0.5), image=image)
  assert_log_even(out.std((1, 2, 3)) / image.std(), 0.5)
  np.testing.assert_allclose(out.mean((1, 2, 3)), image.mean(), atol=0.01)
  out = varied(AugmentConfig(gamma=0.5))
  exponents = np.log(out / 255) / np.log(IMAGE / 255)
  assert np.ptp(exponents, axis=(1, 2, 3)).max() < 1e-3
  assert_log_even(exponents[:, 0, 0, 0], 0.5)


def test_white_balance_is_of_each_channel():
  gains = varied(AugmentConfig(white_balance=0.25)) / IMAGE
  assert np.ptp(gains, axis=(1, 2)).max() < 1e-3
  for channel in range(3):
    assert_log_even(gains[:, 0, 0, channel], 0.25)
  assert np.abs(np.corrcoef(gains[:, 0, 0].T) - np.eye(3)).max() < 0.2


def test_noise_has_the_sigma_that_is_asked_for():
  """Zero mean, no pixel like its neighbor, sizes that 4 does not divide."""
  for shape in ((64, 64, 3), (31, 33, 3), (1, 1, 3)):
    noise = np.asarray(photometric.add_noise(
        jax.random.key(1), jnp.zeros(shape), jnp.float32(7.0)))
    assert noise.shape == shape
  noise = np.asarray(photometric.add_noise(
      jax.random.key(1), jnp.zeros((255, 255, 3)), jnp.float32(7.0)))
  np.testing.assert_allclose(noise.std(), 7, rtol=0.01)
  assert abs(noise.mean()) < 0.1
  for a, b in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1]),
               (noise[..., 0], noise[..., 1])):
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02
  sigmas = (varied(AugmentConfig(noise=9.0)) - IMAGE).std((1, 2, 3))
  assert 8 < sigmas.max() < 9.3 and sigmas.min() < 0.5


@pytest.mark.parametrize('name', STRENGTHS)
def test_each_setting_acts_alone(name):
  """And the crop stays within what a camera shows."""
  config = AugmentConfig(**{name: STRENGTHS[name]})
  assert not photometric.is_off(config)
  out = varied(config, 5, np.float32([[[-9, 0, 255], [90, 150, 270]]]))
  assert out.min() >= 0 and out.max() <= 255
  assert len(np.unique(out.reshape(5, -1), axis=0)) == 5


def prepare(**changes):
  """Batch, and its crops and labels by a tiny configuration's step."""
  config = tiny_config(train={'batch_size': 24}, augment=changes)
  batch = tiny_batch(config)
  return batch, jax.jit(build_step(config).prepare)(batch)


def test_defaults_are_the_crops_alone():
  """As before there were these settings, bit for bit."""
  assert photometric.is_off(AugmentConfig())
  batch, (z, x, _) = prepare()
  step = build_step(tiny_config())

  def crops(example):
    key = jax.random.fold_in(jax.random.key(step.seed), example['index'])
    one = lambda key, name, config: augment.random_crop(
        key, example[name], example[f'{name}_wh'], config)[0]
    z_key, x_key = jax.random.split(key)
    return one(z_key, 'template', step.template), one(
        x_key, 'search', step.search)

  for actual, expected in zip((z, x), jax.jit(jax.vmap(crops))(batch),
                              strict=True):
    np.testing.assert_array_equal(actual, expected)


def test_crops_vary_independently():
  """A template's light says nothing of its search crop's."""
  _, (z, x, _) = prepare()
  _, (lit_z, lit_x, _) = prepare(brightness=10.0)
  shift = lambda a, b: np.median(np.asarray(a - b), axis=(1, 2, 3))
  shifts = np.stack([shift(lit_z, z), shift(lit_x, x)])
  assert np.abs(shifts).max() <= 10.01 and shifts.std(axis=1).min() > 3
  assert abs(np.corrcoef(shifts)[0, 1]) < 0.6


def test_flips_both_crops_with_their_labels():
  """Where one is mirrored, so are the other and its heatmap; else nothing."""
  _, (z, x, labels) = prepare()
  _, (flipped_z, flipped_x, flipped) = prepare(flip=0.5)
  turned = 0
  same = lambda a, b: np.allclose(a, b, atol=1e-4)
  for k in range(24):
    heat, size = labels.heatmaps[-1][k], labels.size[k]
    if same(z[k], flipped_z[k]):
      assert same(x[k], flipped_x[k])
      assert same(flipped.heatmaps[-1][k], heat)
      continue
    turned += 1
    assert same(flipped_z[k], z[k][:, ::-1])
    assert same(flipped_x[k], x[k][:, ::-1])
    # The middle cell is the middle pixel; peaks between cells may round apart.
    there = np.argwhere(np.asarray(heat) == 1)
    if len(there):
      (i, j), = there
      (a, b), = np.argwhere(np.asarray(flipped.heatmaps[-1][k]) == 1)
      assert a == i and abs(b - (30 - j)) <= 1
      np.testing.assert_allclose(flipped.size[k][a, b], size[i, j], rtol=1e-5)
  assert 5 <= turned <= 19


def test_mirrored_box_is_where_the_marker_is():
  image = np.zeros((9, 9, 1), np.float32)
  image[3:6, 1:3] = 1  # center x 1.5, y 4
  crop, box = augment.mirrored(image, np.float32([1.5, 4, 2, 3]))
  ys, xs = np.nonzero(np.asarray(crop)[..., 0])
  np.testing.assert_allclose(box, [xs.mean(), ys.mean(), 2, 3])
