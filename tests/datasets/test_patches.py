"""Patches around targets: geometry, averaging, partial decoding."""

import cv2
import numpy as np
import pytest

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import image_size, read_bytes
from siamkpn_jax.datasets.patches import (
  EncodedFrame,
  context_patch,
  decode_patch,
)
from tests.datasets.photographs import photograph, turned, write_photograph


def read_patch(path, box, patch, *, relative=False, reduce=True):
  frame = EncodedFrame(read_bytes(path), str(path), box, relative)
  return decode_patch(frame, patch, reduce=reduce)


@pytest.mark.parametrize('w, h', [(40, 60), (31, 90), (180, 240), (301, 400)])
def test_patch_centers_and_scales_the_target(w, h):
  frame = np.zeros((1501, 1603, 3), np.uint8)
  x, y = 697, 533
  frame[y:y + h, x:x + w] = 255
  image, wh = context_patch(frame, np.array([x, y, w, h], float), 255)
  white = image[..., 0] / 255
  np.testing.assert_allclose(white.sum(), wh.prod(), rtol=0.03)
  at = np.arange(255)
  center = (white.sum(0) @ at, white.sum(1) @ at) / white.sum()
  np.testing.assert_allclose(center, 127, atol=0.3)


def test_shrinking_averages_pixels():
  frame = np.zeros((480, 640, 3), np.uint8)
  frame[:, ::2] = 200  # a grid that skipping pixels would turn into stripes
  image, _ = context_patch(
      frame, np.array([160., 100., 300., 300.]), 101)
  assert np.abs(image[20:-20, 20:-20].astype(int) - 100).max() < 25


@pytest.mark.parametrize('side', [60, 300, 700, 1400])
def test_partial_decoding_is_close(tmp_path, side):
  """At 1, 1/2, 1/4 and 1/8 scale: the same place, nearly the same pixels."""
  path = write_photograph(tmp_path / 'a.jpg', 3001, 2003)
  box = np.array([1400.0, 900.0, side, 0.8 * side])
  whole, wh = read_patch(path, box, 255, reduce=False)
  part, part_wh = read_patch(path, box, 255)
  np.testing.assert_array_equal(wh, part_wh)
  difference = np.abs(whole.astype(float) - part)
  assert difference.mean() < 1.5 and np.quantile(difference, 0.99) < 12
  # A misplacement would be worse by far.
  for shift in ((0, 1), (1, 0)):
    moved = np.abs(np.roll(whole, shift, (0, 1)).astype(float) - part)
    assert side < 100 or difference.mean() < 0.7 * moved.mean()


def test_fractions_of_the_image(tmp_path):
  path = write_photograph(tmp_path / 'a.jpg', 641, 479)
  pixels = np.array([100.0, 80.0, 120.0, 60.0])
  fractions = pixels / [641, 479, 641, 479]
  for a, b in zip(read_patch(path, pixels, 127),
                  read_patch(path, fractions, 127, relative=True),
                  strict=True):
    np.testing.assert_allclose(a, b, atol=1)


@pytest.mark.parametrize('options', [
    [], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
def test_size_of_a_jpeg(tmp_path, options):
  path = tmp_path / 'a.jpg'
  cv2.imwrite(str(path), photograph(321, 123), options)
  assert image_size(path.read_bytes(), path) == (321, 123)
  cv2.imwrite(str(tmp_path / 'a.png'), photograph(321, 123))
  assert image_size((tmp_path / 'a.png').read_bytes(), path) == (321, 123)


def test_a_photograph_that_is_to_be_turned(tmp_path):
  """Fractions are of the image as it is decoded: upright."""
  path = write_photograph(tmp_path / 'a.jpg', 640, 360)
  path.write_bytes(turned(path.read_bytes()))
  assert cv2.imread(str(path)).shape == (640, 360, 3)
  data = path.read_bytes()
  assert image_size(data, path) == (360, 640)
  comment = b'\xff\xfe\x10\x00' + bytes(0x0ffe)  # 4 kB before EXIF
  assert image_size(data[:2] + comment + data[2:], path) == (360, 640)


def test_outside_is_the_mean_color(tmp_path):
  path = tmp_path / 'a.png'
  image = np.zeros((100, 100, 3), np.uint8)
  image[:, 50:] = (200, 100, 50)
  cv2.imwrite(str(path), image)
  patch, _ = read_patch(path, np.array([-5.0, -5.0, 20.0, 20.0]),
                        geometry.CONTEXT_SIZE)
  assert patch[0, 0].tolist() == [100, 50, 25]


@pytest.mark.parametrize('content', [b'', b'no image', 'cut'])
def test_damaged_images_are_named(tmp_path, content):
  path = write_photograph(tmp_path / 'a.jpg', 320, 240)
  if content == 'cut':
    content = path.read_bytes()[:3000]
  path.write_bytes(content)
  with pytest.raises(UserError, match=r'a\.jpg: this image cannot be read'):
    read_patch(path, np.array([10.0, 10.0, 50.0, 50.0]), 255)
  path.unlink()
  with pytest.raises(UserError, match='cannot be read'):
    read_patch(path, np.array([10.0, 10.0, 50.0, 50.0]), 255)


def test_box_outside_of_the_image(tmp_path):
  """Annotations of other images are not trained on."""
  path = write_photograph(tmp_path / 'a.jpg', 320, 240)
  for box in ([400, 10, 50, 50], [-60, 10, 50, 50], [10, 300, 900, 900]):
    with pytest.raises(UserError, match='outside of the image'):
      read_patch(path, np.array(box, float), 255)
