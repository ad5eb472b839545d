"""Augmentation against numpy and OpenCV, and its statistics (SPEC 7)."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.training import augment
from siamkpn_jax.training.augment import (
  CropAugment,
  search_crops,
  template_crops,
)

TEMPLATE = template_crops(AugmentConfig())
SEARCH = search_crops(AugmentConfig())
SMALL = CropAugment(31, 5.0, 0.2, 0.0)
M = np.array([[-0.55919361, 0.98062831, -0.41940627],
              [1.72091413, 0.19879334, -1.82968581],
              [4.64467907, 4.73710203, 4.88324118]])
RESAMPLE = jax.jit(augment.resample, static_argnums=3)
CROP = jax.jit(augment.random_crop, static_argnums=3)


def keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


def windows(config, patch, count=4000):
  """Sides and centers relative to the patch's, [n, 2] each, of many crops."""
  image = jnp.zeros((patch, patch, 3), jnp.uint8)
  box = lambda key: augment.random_crop(key, image, jnp.ones(2), config)[1]
  cxcywh = np.asarray(jax.jit(jax.vmap(box))(keys(count)))
  side = config.output / cxcywh[:, 2:]
  shift = ((config.output - 1) / 2 - cxcywh[:, :2]) / cxcywh[:, 2:]
  return side, shift


def bilinear(image, x, y):
  """One sample; the edge is repeated outside."""
  h, w = image.shape[:2]
  x, y = min(max(x, 0), w - 1), min(max(y, 0), h - 1)
  left, top = min(int(x), w - 2), min(int(y), h - 2)
  fx, fy = x - left, y - top
  return ((1 - fy) * ((1 - fx) * image[top, left] + fx * image[top, left + 1]) +
          fy * ((1 - fx) * image[top + 1, left] +
                fx * image[top + 1, left + 1]))


@pytest.mark.parametrize(('side', 'center'), [
    ((31, 31), (20, 20)), ((37.3, 25.1), (18.2, 23.9)), ((60, 50), (5, 35))])
def test_resample_equals_bilinear_samples(side, center):
  """Also beyond the edges; 2e-3 of gray values up to 255, 1e-5 relative."""
  image = np.random.default_rng(0).uniform(0, 255, (41, 43, 3))
  actual = RESAMPLE(np.float32(image), np.float32(side), np.float32(center), 31)
  expected = [[bilinear(image, center[0] + (j - 15) * side[0] / 31,
                        center[1] + (i - 15) * side[1] / 31)
               for j in range(31)] for i in range(31)]
  np.testing.assert_allclose(actual, expected, atol=2e-3)


def test_resample_equals_opencv():
  """A whole image is cv2.resize; a window is cv2.warpAffine, which rounds its
  positions to 1/32 pixel: 2 gray values of a smooth image."""
  rng = np.random.default_rng(1)
  image = rng.uniform(0, 255, (45, 45, 3)).astype(np.float32)
  np.testing.assert_allclose(
      RESAMPLE(image, np.float32([45, 45]), np.float32([22, 22]), 31),
      cv2.resize(image, (31, 31), interpolation=cv2.INTER_LINEAR), atol=1e-2)
  smooth = cv2.GaussianBlur(image, (0, 0), 3)
  side, center = np.float32([36.5, 29.7]), np.float32([21.3, 22.9])
  (sx, sy), (tx, ty) = side / 31, center - 15 * side / 31
  warped = cv2.warpAffine(
      smooth, np.array([[sx, 0, tx], [0, sy, ty]]), (31, 31),
      flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
  np.testing.assert_allclose(
      RESAMPLE(smooth, side, center, 31), warped, atol=2)


def test_box_is_where_the_marker_is():
  """Centroid within 0.1 pixel, sides within 3 %, over many crops."""
  config = CropAugment(61, 10.0, 0.18, 0.0)
  patch = config.patch
  image = np.zeros((patch, patch, 3), np.uint8)
  middle = patch // 2
  image[middle - 6:middle + 7, middle - 9:middle + 10] = 255  # 19 x 13
  crops, boxes = jax.jit(jax.vmap(lambda key: augment.random_crop(
      key, image, jnp.array([19.0, 13.0]), config)))(keys(50))
  for crop, (cx, cy, w, h) in zip(np.asarray(crops), boxes, strict=True):
    mass = crop[..., 0] - crop[0, 0, 0]
    total = mass.sum()
    index = np.arange(61)
    assert abs((mass.sum(0) * index).sum() / total - cx) < 0.1
    assert abs((mass.sum(1) * index).sum() / total - cy) < 0.1
    np.testing.assert_allclose(mass.max(0).sum() / 255, w, rtol=0.03)
    np.testing.assert_allclose(mass.max(1).sum() / 255, h, rtol=0.03)


@pytest.mark.parametrize(('config', 'shift', 'scale'), [
    (TEMPLATE, 4, 0.05), (SEARCH, 64, 0.18)], ids=['template', 'search'])
def test_ranges(config, shift, scale):
  """Uniform per axis over the whole range, nothing clamped by default."""
  sides, shifts = windows(config, config.patch)
  change = sides / config.output - 1
  for values, bound in ((change, scale), (shifts, shift)):
    assert np.abs(values).max() <= bound * 1.001
    assert np.abs(values).max() > 0.99 * bound
    for axis in range(2):
      counts, _ = np.histogram(values[:, axis], 4, (-bound, bound))
      np.testing.assert_allclose(counts / len(values), 0.25, atol=0.03)
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.06  # independent axes


def test_default_settings():
  """SPEC 7's numbers, and patches that hold every crop without clamping."""
  config = AugmentConfig()
  assert (config.template_shift, config.template_scale) == (4, 0.05)
  assert (config.search_shift, config.search_scale) == (64, 0.18)
  assert config.search_blur == 0.2
  for crop in (TEMPLATE, SEARCH):
    reach = crop.output * (1 + crop.scale) / 2 + crop.shift
    assert crop.patch % 2 == 1
    assert reach <= crop.patch / 2 <= 511 / 2
    assert crop.patch - 2 * reach < 4  # and hardly larger


def test_shifts_are_clamped_to_the_patch():
  """With settings that do not fit, the window ends where the patch does."""
  config = CropAugment(255, 200.0, 0.18, 0.0)
  assert config.patch == 511
  sides, shifts = windows(config, 511)
  beyond = np.abs(shifts) + sides / 2 - 511 / 2
  assert beyond.max() < 1e-2
  assert (np.abs(beyond) < 1e-2).mean() > 0.2


@pytest.mark.parametrize(('half', 'vertical'), [(2, 0.3), (7, 1.0), (22, 0.6)])
def test_cross_blur_equals_filter2d(half, vertical):
  """A kernel built by hand, reflected edges without the edge pixel."""
  image = np.random.default_rng(2).uniform(0, 255, (51, 47, 3)).astype('f4')
  kernel = np.zeros((2 * half + 1, 2 * half + 1))
  kernel[:, half] += vertical / (2 * half + 1)
  kernel[half] += (1 - vertical) / (2 * half + 1)
  np.testing.assert_allclose(
      jax.jit(augment.cross_blur)(image, half, vertical),
      cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101),
      atol=2e-3)


def test_blur_statistics():
  """A fifth is blurred; odd sizes 5..45, all of them, any split."""
  config = CropAugment(63, 0.0, 0.0, 0.2)
  image = np.zeros((63, 63, 3), np.uint8)
  image[31, 31] = 255
  crop = lambda key: augment.random_crop(key, image, jnp.ones(2), config)[0]
  crops = np.asarray(jax.jit(jax.vmap(crop))(keys(1500)))[..., 0]
  crops = crops - crops[:, :1, :1]  # without the color offset
  sharp = crops[:, 31, 31] > 254
  np.testing.assert_allclose(1 - sharp.mean(), 0.2, atol=0.04)
  blurred = crops[~sharp]
  rows, columns = ((blurred > 1e-3).any(axis) for axis in (1, 2))
  size = np.maximum(rows.sum(1), columns.sum(1))
  assert set(size) <= set(range(5, 46, 2))
  assert {5, 45} <= set(size) and len(set(size)) > 18
  np.testing.assert_allclose(blurred.sum((1, 2)), 255, rtol=1e-3)
  vertical = blurred[:, 30, 31] / (blurred[:, 30, 31] + blurred[:, 31, 30])
  assert vertical.min() < 0.1 and vertical.max() > 0.9
  np.testing.assert_allclose(vertical.mean(), 0.5, atol=0.06)


def test_color_statistics():
  """Zero mean; BGR covariance is M M^T with both axes reversed."""
  offsets = np.asarray(jax.jit(jax.vmap(augment.color_offset))(keys(40_000)))
  expected = (M @ M.T)[::-1, ::-1]
  np.testing.assert_allclose(offsets.mean(0), 0, atol=0.15)
  np.testing.assert_allclose(
      np.cov(offsets.T), expected, atol=0.03 * expected.max())


def test_color_is_one_unclipped_offset():
  """Always, the same for every pixel, also below 0."""
  config = CropAugment(31, 0.0, 0.0, 0.0)
  image = np.zeros((31, 31, 3), np.uint8)
  crops = np.asarray(jax.vmap(lambda key: CROP(
      key, image, jnp.ones(2), config)[0])(keys(20)))
  assert (crops == crops[:, :1, :1]).all()
  assert (crops[:, 0, 0] != 0).all()
  assert crops.min() < 0 < crops.max()


def test_gray():
  """OpenCV's gray in three channels."""
  image = np.random.default_rng(3).uniform(0, 255, (9, 7, 3)).astype('f4')
  gray = np.asarray(augment.to_gray(image))
  expected = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
  np.testing.assert_allclose(gray, np.stack([expected] * 3, -1), rtol=1e-5)


def test_depends_on_the_key_alone():
  """Same key, same crop; another, another; in a batch as alone."""
  image = np.random.default_rng(4).integers(
      0, 256, (SMALL.patch, SMALL.patch, 3), np.uint8)
  blurring = CropAugment(31, 5.0, 0.2, 0.5)
  one = lambda key: CROP(key, image, jnp.ones(2), blurring)
  batch = jax.jit(jax.vmap(functools.partial(
      augment.random_crop, image=image, wh=jnp.ones(2), config=blurring)))(
          keys(6))
  for k, key in enumerate(keys(6)):
    crop, box = one(key)
    np.testing.assert_array_equal(crop, one(key)[0])
    np.testing.assert_allclose(batch[0][k], crop, atol=1e-3)
    np.testing.assert_allclose(batch[1][k], box, atol=1e-4)
  assert len({float(b[0]) for b in batch[1]}) == 6
