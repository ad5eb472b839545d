"""Crops against the reference and against geometry (SPEC 1)."""

import resource
import time

import numpy as np
import pytest

from siamkpn_jax.tracking.crop import crop_square, mean_color
from tests.reference import tracking as reference

FILL = np.array([7, 120, 250], np.uint8)


def noise(width, height, seed=0):
  return np.random.default_rng(seed).integers(
      0, 256, (height, width, 3), dtype=np.uint8)


def assert_same(frame, center, side, output):
  before = frame.copy()
  actual = crop_square(frame, np.asarray(center), side, output, FILL)
  np.testing.assert_array_equal(frame, before, 'the frame was changed')
  assert actual.shape == (output, output, 3) and actual.dtype == np.uint8
  np.testing.assert_array_equal(
      actual, reference.crop(frame, center, side, output, FILL),
      f'center {center}, side {side}, output {output}')


@pytest.mark.parametrize('output', [127, 255])
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_random_squares(output, dtype):
  rng = np.random.default_rng(output)
  for _ in range(150):
    width, height = rng.integers(5, 120, 2)
    frame = noise(width, height, int(rng.integers(1000)))
    center = (rng.uniform(-0.5, 1.5, 2) * (width, height)).astype(dtype)
    assert_same(frame, center, float(np.exp(rng.uniform(0, 6))), output)


SQUARES = {
    'inside': ((60, 50), 30), 'odd': ((60, 50), 31),
    'left': ((3, 50), 30), 'right': ((118, 50), 31), 'top': ((60, 2), 30),
    'bottom': ((60, 98), 31), 'corner': ((0, 0), 40),
    'far corner': ((119, 99), 40), 'outside left': ((-50, 50), 30),
    'outside right': ((400, 50), 30), 'outside above': ((60, -80), 31),
    'outside below': ((60, 300), 31), 'touches from outside': ((-15, 50), 30),
    'flush left': ((15, 50), 30), 'flush right': ((105, 50), 30),
    'one pixel': ((60, 50), 1), 'less than a pixel': ((60, 50), 0.2),
    'half a pixel': ((60, 50), 0.5), 'huge': ((60, 50), 2000),
    'half to even, down': ((60.25, 50.25), 30.5),
    'half to even, up': ((60.25, 50.25), 31.5),
    'left edge on a half': ((60.5, 50.5), 30),
    'left edge on a half, odd': ((60.5, 50.5), 31),
    'very large': ((60, 50), 5000), 'large corner': ((0, 0), 4001),
    'large, outside': ((-4000, 9000), 6000.7),
    'not resized': ((60.2, 50.7), 127), 'not resized, 255': ((60, 50), 255.3),
}


@pytest.mark.parametrize('name', SQUARES)
@pytest.mark.parametrize('output', [127, 255])
def test_named_squares(name, output):
  center, side = SQUARES[name]
  assert_same(noise(120, 100), center, side, output)


@pytest.mark.parametrize('output', [127, 255])
def test_large_squares_read_only_what_they_show(output):
  """The same pixels as of a padded frame, bit for bit."""
  rng = np.random.default_rng(output)
  for seed in range(20):
    width, height = rng.integers(5, 700, 2)
    center = rng.uniform(-0.5, 1.5, 2) * (width, height)
    side = rng.uniform(7.9, 14) * output
    assert_same(noise(width, height, seed), center, side, output)


def test_8k_frame():
  """A box of its size: 1.7 GB and seconds if the frame were padded."""
  frame = np.full((4320, 7680, 3), 9, np.uint8)
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  start = time.perf_counter()
  crop = crop_square(frame, np.array([3840.0, 2160]), 23857, 255, FILL)
  assert time.perf_counter() - start < 1
  grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
  assert grown < 2e5  # KiB
  assert (crop[127, 127] == 9).all() and (crop[0, 0] == FILL).all()


@pytest.mark.parametrize(('side', 'rounded'), [
    (30.5, 30), (31.5, 32), (32.5, 32), (30.51, 31), (31.49, 31)])
def test_side_is_rounded_half_to_even(side, rounded):
  """Reference: the released rounding."""
  frame, center = noise(120, 100), np.array([60.0, 50.0])
  np.testing.assert_array_equal(
      crop_square(frame, center, side, rounded, FILL),
      crop_square(frame, center, rounded, rounded, FILL))
  np.testing.assert_array_equal(
      crop_square(frame, center, side, 127, FILL),
      crop_square(frame, center, rounded, 127, FILL))


@pytest.mark.parametrize(('center', 'side', 'left'), [
    (60.0, 30, 45), (60.0, 31, 44), (60.5, 31, 45), (60.49, 30, 45),
    (60.51, 31, 45), (59.99, 30, 44), (10.0, 30, -5), (9.5, 30, -6)])
def test_left_edge(center, side, left):
  """Reference: floor(c - (side + 1) / 2 + 0.5), written out by hand."""
  columns = np.arange(120, dtype=np.uint8)
  frame = np.broadcast_to(columns[None, :, None], (100, 120, 3)).copy()
  crop = crop_square(frame, np.array([center, 50.0]), side, side, FILL)
  expected = [FILL[0] if left + i < 0 else left + i for i in range(side)]
  np.testing.assert_array_equal(crop[20, :, 0], expected)


@pytest.mark.parametrize('side', [40, 41, 90, 127, 128, 254, 256, 300])
def test_bilinear_at_pixel_centers(side):
  """The resampling itself, against plain numpy: within a gray level."""
  frame = noise(320, 310)
  crop = crop_square(frame, np.array([160.0, 155.0]), side, 255, FILL)
  left, top, _ = reference.crop_bounds((160.0, 155.0), side)
  expected = reference.bilinear(
      frame[top:top + side, left:left + side], 255)
  assert np.abs(crop - expected).max() <= 1.0


@pytest.mark.parametrize('side', [40, 41, 77, 100, 101, 200, 255])
@pytest.mark.parametrize('center', [(160, 150), (161, 149)])
def test_center_lands_in_the_middle(side, center):
  """A dot at the center appears 0.5 to 1.5 frame pixels after (127, 127).

  Reference: the released left edge is floor(c - side / 2), so pixel c is
  number side / 2 (rounded up) of the square, whose middle is
  (side - 1) / 2: never before the middle and one pixel after it on average.
  """
  frame = np.zeros((310, 320, 3), np.uint8)
  frame[center[1], center[0]] = 255
  crop = crop_square(frame, np.array(center, float), side, 255, FILL)
  weight = crop[..., 0].astype(np.float64)
  rows, columns = np.indices(weight.shape)
  scale = 255 / side
  for place in (columns, rows):
    after = ((place * weight).sum() / weight.sum() - 127) / scale
    assert 0.5 - 0.05 <= after < 1.5 + 0.05


@pytest.mark.parametrize('case', [
    'not resized', 'resized', 'over the border'])
def test_crop_is_independent_of_the_frame(case):
  """A video reader may write the next frame into the same memory."""
  frame = noise(320, 310)
  center = (0.0, 0.0) if case == 'over the border' else (160.0, 155.0)
  side = 200 if case == 'resized' else 255
  crop = crop_square(frame, np.array(center), side, 255, FILL)
  assert not np.shares_memory(crop, frame)
  assert crop.flags.writeable and crop.flags.c_contiguous


def test_frame_may_be_read_only_and_not_contiguous():
  frame = noise(200, 180)[:, ::-1, ::-1]
  frame.flags.writeable = False
  for side in (60, 127, 300):
    actual = crop_square(frame, np.array([90.0, 80.0]), side, 127, FILL)
    np.testing.assert_array_equal(actual, reference.crop(
        np.ascontiguousarray(frame), (90.0, 80.0), side, 127, FILL))


def test_mean_color_is_truncated():
  frame = np.zeros((2, 3, 3), np.uint8)
  frame[..., 0] = [[9, 9, 9], [9, 9, 8]]  # 8.83
  frame[..., 1] = 200
  frame[0, 0, 2] = 5  # 0.83
  color = mean_color(frame)
  assert color.dtype == np.uint8
  np.testing.assert_array_equal(color, [8, 200, 0])


def test_mean_color_of_random_frames():
  for seed, (width, height) in enumerate([(320, 240), (641, 359), (99, 7)]):
    frame = noise(width, height, seed)
    np.testing.assert_array_equal(
        mean_color(frame), reference.mean_color(frame))


def test_mean_color_of_one_color():
  """A frame of one color has this mean, whatever its size."""
  for size in ((7, 7), (321, 241), (98, 103), (300, 343)):
    for value in (1, 2, 100, 127, 255):
      frame = np.full((*size, 3), value, np.uint8)
      np.testing.assert_array_equal(mean_color(frame), value)
