"""Flat borders: found as wide as they are, filled without the target."""

import cv2
import numpy as np
import pytest

from siamkpn_jax.datasets import padding
from siamkpn_jax.datasets.padding import Border
from tests.datasets.photographs import photograph

SIZE = 301
WH = np.float32([50, 60])
COLOR = (120, 110, 90)


def bordered(top, bottom, left, right, seed=0, quality=85):
  """A photograph with one color around it, as JPEG leaves it."""
  image = photograph(SIZE - left - right, SIZE - top - bottom, seed)
  image = cv2.copyMakeBorder(image, top, bottom, left, right,
                             cv2.BORDER_CONSTANT, value=COLOR)
  data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
  return cv2.imdecode(data, cv2.IMREAD_COLOR)


@pytest.mark.parametrize('sides', [
    (40, 0, 0, 0), (0, 33, 0, 0), (0, 0, 57, 0), (0, 0, 0, 90),
    (21, 44, 70, 35), (90, 90, 3, 0)])
@pytest.mark.parametrize('seed', range(3))
def test_found_within_a_few_pixels(sides, seed):
  """All of it, and at most four pixels of the image beside it."""
  found = padding.flat_border(bordered(*sides, seed=seed), WH)
  for actual, expected in zip(found, sides, strict=True):
    assert expected <= actual <= expected + 4 if expected else actual == 0


def test_photographs_have_none():
  for seed in range(8):
    image = photograph(SIZE, SIZE, seed)
    assert padding.flat_border(image, WH) == Border(0, 0, 0, 0)
    rng = np.random.default_rng(0)
    assert padding.refill(rng, image, WH) is image


def test_ends_before_the_target():
  """Also where everything has one color."""
  image = np.full((SIZE, SIZE, 3), 255, np.uint8)
  border = padding.flat_border(image, WH)
  assert border == Border(120, 120, 125, 125)
  for k in range(12):
    out = padding.refill(np.random.default_rng(k), image, WH)
    assert out.shape == image.shape


def with_target():
  """A bordered picture whose target alone is bright blue, and its border."""
  image = bordered(60, 40, 0, 80)
  image[..., 0] = np.minimum(image[..., 0], 150)
  image[121:180, 126:175] = (255, 0, 0)
  return image, padding.flat_border(image, WH)


def test_the_image_itself_is_kept():
  image, border = with_target()
  inside = np.s_[border.top:SIZE - border.bottom,
                 border.left:SIZE - border.right]
  flat = cv2.inRange(image, np.array(COLOR) - 3, np.array(COLOR) + 3) > 0
  for k in range(12):
    before = image.copy()
    out = padding.refill(np.random.default_rng(k), image, WH)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(out[inside], image[inside])
    changed = (out != image).any(axis=2)
    assert changed[flat].mean() > 0.9


def test_no_second_target():
  """A mirror image, or a smear, of the target would be one."""
  image, border = with_target()
  for out in (padding.mirrored(image, border, WH),
              padding.stretched(image, border),
              padding.colored(image, border, np.array([1, 2, 3]))):
    blue = (out[..., 0] > 230) & (out[..., 1] < 30)
    blue[121:180, 126:175] = False
    assert not blue.any()


def test_mirrors_at_the_edge():
  """Line by line, back at the target; a target at the edge repeats it."""
  lines = np.arange(21).repeat(21).reshape(21, 21)
  image = np.repeat(lines[..., None], 3, axis=2).astype(np.uint8)
  out = padding.mirrored(image, Border(5, 0, 0, 0), np.float32([3, 5]))
  assert out[:, 0, 0].tolist() == [
      6, 7, 7, 6, 5, *range(5, 21)]  # lines 8 to 12 are the target's
  out = padding.mirrored(image, Border(0, 8, 0, 0), np.float32([3, 5]))
  assert out[:, 0, 0].tolist() == [*range(13), *[12] * 8]
