"""Warps: the box is that of the warped corners, and stays tight."""

import math

import cv2
import numpy as np
import pytest

from siamkpn_jax.core import geometry
from siamkpn_jax.datasets import warp
from tests.datasets.sizes import at_scale

SIZE = 511


def rectangle(wh, size=SIZE):
  """A white one in the middle, with soft edges that are exactly at wh."""
  middle = (size - 1) / 2
  axis = np.abs(np.arange(size) - middle)
  cover = lambda side: np.clip(side / 2 + 0.5 - axis, 0, 1)
  image = 255 * cover(wh[1])[:, None] * cover(wh[0])[None]
  return np.repeat(np.round(image).astype(np.uint8)[..., None], 3, axis=2)


def extent(image):
  """Center and sides of what is brighter than half, by its outermost places."""
  grown = cv2.resize(image[..., 0], None, fx=8, fy=8,
                     interpolation=cv2.INTER_LINEAR)
  ys, xs = np.nonzero(grown > 110)
  low = np.array([xs.min(), ys.min()]) / 8
  high = (np.array([xs.max(), ys.max()]) + 1) / 8
  return (low + high) / 2 - 0.5, high - low


@pytest.mark.parametrize('wh', [(1, 1), (1, 2.5), (3, 1)])
def test_box_is_that_of_the_pixels(wh):
  """Corners fade in drawing: 1.5 pixels of sides of about 64."""
  wh = at_scale(wh)
  for seed in range(25):
    rng = np.random.default_rng(seed)
    image, new = warp.random_warp(rng, rectangle(wh), wh, 199)
    assert image.shape == (199, 199, 3) and new.dtype == np.float32
    center, sides = extent(image)
    np.testing.assert_allclose(center, 99, atol=0.6)
    np.testing.assert_allclose(sides, new, atol=1.5)
    # As any patch is: at the scale of the template.
    np.testing.assert_allclose(geometry.context_side(*new), 127, rtol=1e-5)


def test_boxes_stay_tight():
  """The box of a warped box is at most a fifth longer than its own sides."""
  image, growth = np.zeros((5, 5, 3), np.uint8), []
  for k in range(400):
    rng = np.random.default_rng(k)
    wh = at_scale(rng.uniform(1, 3.5, 2))
    _, new = warp.random_warp(rng, image, wh, 5)
    shape = (new[0] / new[1]) / (wh[0] / wh[1])
    growth.append(max(shape, 1 / shape))
  # Stretching changes the aspect by 1.1 squared, the corners by the rest.
  assert 1.2 < max(growth) < 1.1**2 * 1.2
  turned = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
  for long in (1.0, 2.0, 3.5):
    for sign in (1, -1):
      extreme = warp.matrix(sign * math.radians(warp.ROTATION) / long,
                            -warp.SHEAR / long, 1, np.zeros(2))
      for wh in ([1, long], [long, 1]):
        box = turned * wh / 2 @ extreme[:2, :2].T
        assert (np.ptp(box, axis=0) / wh).max() < 1.2


def test_matrix_in_numbers():
  """A quarter turn, then each of the others alone."""
  point = lambda matrix, x, y: cv2.perspectiveTransform(
      np.array([[[x, y]]], float), matrix)[0, 0]
  none = np.zeros(2)
  np.testing.assert_allclose(
      point(warp.matrix(math.pi / 2, 0, 1, none), 3, 0), [0, 3], atol=1e-12)
  np.testing.assert_allclose(
      point(warp.matrix(0, 0.1, 1, none), 3, 20), [5, 20])
  np.testing.assert_allclose(
      point(warp.matrix(0, 0, 1.25, none), 4, 5), [5, 4])
  np.testing.assert_allclose(
      point(warp.matrix(0, 0, 1, np.array([0.25, 0])), 63.5, 10),
      [63.5 / 1.25, 10 / 1.25])


def test_nothing_is_the_middle_of_the_patch():
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (201, 201, 3), np.uint8)
  wh = at_scale((2, 3))
  same, new = warp.warp(image, wh, 143, np.eye(3))
  np.testing.assert_array_equal(same, image[29:172, 29:172])
  np.testing.assert_allclose(new, wh, rtol=1e-6)


def test_margin_holds_what_a_template_shows():
  """The corners of a warped template's patch lie in what is read for it."""
  from siamkpn_jax.config.settings import AugmentConfig
  from siamkpn_jax.datasets.degrade import read_patch
  patch = 143
  read = read_patch(AugmentConfig(warp=1.0), patch)
  image = np.full((read, read, 3), 200, np.uint8)
  image[[0, -1]], image[:, [0, -1]] = 0, 0  # shows where the edge is seen
  seen = 0
  for k in range(300):
    rng = np.random.default_rng(k)
    wh = at_scale(rng.uniform(1, 2.5, 2))
    warped, _ = warp.random_warp(rng, image, wh, patch)
    seen += warped.min() < 200
  assert seen <= 3
