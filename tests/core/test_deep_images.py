"""Images of more than eight bits."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.images import decode_image, image_size, read_image


def ramp(peak: int) -> np.ndarray:
  return np.linspace(0, peak, 48 * 64).reshape(48, 64).astype(np.uint16)


@pytest.mark.parametrize(('peak', 'bits'), [
    (255, 8), (256, 10), (1023, 10), (4095, 12), (16383, 14), (16384, 16),
    (65535, 16), (0, 8)])
@pytest.mark.parametrize('color', [False, True])
def test_deep_png_keeps_its_upper_bits(tmp_path: Path, peak: int, bits: int,
                                       color: bool) -> None:
  image = ramp(peak)
  if color:
    image = np.stack([image, image // 2, image // 3], axis=-1)
  path = tmp_path / '1.png'
  assert cv2.imwrite(str(path), image)
  found = read_image(path)
  assert found.dtype == np.uint8 and found.shape == (48, 64, 3)
  expected = (image >> (bits - 8)).astype(np.uint8)
  np.testing.assert_array_equal(
      found, expected if color else np.stack([expected] * 3, axis=-1))
  np.testing.assert_array_equal(
      decode_image(path.read_bytes(), 'in memory', cv2.IMREAD_COLOR), found)
  assert image_size(path.read_bytes(), path) == (64, 48)


def test_images_of_a_folder_are_scaled_alike(tmp_path: Path) -> None:
  """A frame that happens to be dark stays dark."""
  for number in range(20):
    peak = 16000 if number % 2 else 900
    assert cv2.imwrite(str(tmp_path / f'{number}.png'), ramp(peak))
  peaks = [int(read_image(tmp_path / f'{number}.png').max())
           for number in range(4)]
  assert peaks == [900 >> 6, 16000 >> 6] * 2


def test_reduced_and_gray_deep_png() -> None:
  data = cv2.imencode('.png', ramp(16383))[1].tobytes()
  half = decode_image(data, 'x', cv2.IMREAD_REDUCED_COLOR_2)
  gray = decode_image(data, 'x', cv2.IMREAD_GRAYSCALE)
  assert half.shape == (24, 32, 3) and half.max() > 250
  assert gray.shape == (48, 64) and gray.max() == 255


def test_eight_bits_are_as_opencv_reads_them(tmp_path: Path) -> None:
  image = ramp(250).astype(np.uint8)
  path = tmp_path / '1.png'
  assert cv2.imwrite(str(path), image)
  np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))
