"""Overlap, and the check of a user's box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamkpn_jax.core import boxes
from siamkpn_jax.core.errors import UserError


def random_boxes(count, seed=0):
  rng = np.random.default_rng(seed)
  return np.concatenate([rng.uniform(-50, 100, (count, 2)),
                         rng.uniform(0, 80, (count, 2))], axis=1)


def test_a_box_around_its_center():
  found = boxes.xywh_around(np.float32([12, 23]), np.float32([4, 6.5]))
  np.testing.assert_array_equal(found, [10, 19.75, 4, 6.5])
  assert found.dtype == np.float64


def test_iou_against_pixels():
  """Boxes with integer corners are sets of pixels, which can be counted."""
  rng = np.random.default_rng(2)
  def draw():
    x, y = rng.integers(0, 15, 2)
    w, h = rng.integers(0, 12, 2)
    mask = np.zeros((30, 30), bool)
    mask[y:y + h, x:x + w] = True
    return np.array([x, y, w, h], np.float64), mask
  for _ in range(300):
    (a, mask_a), (b, mask_b) = draw(), draw()
    union = (mask_a | mask_b).sum()
    expected = (mask_a & mask_b).sum() / union if union else 0.0
    assert boxes.iou_xywh(a, b) == pytest.approx(expected, abs=1e-12)


def test_iou_broadcasts():
  a, b = random_boxes(6)[:, None], random_boxes(5, seed=1)[None]
  overlaps = boxes.iou_xywh(a, b)
  assert overlaps.shape == (6, 5)
  assert overlaps[2, 3] == boxes.iou_xywh(a[2, 0], b[0, 3])


def test_iou_of_boxes_without_area():
  a = np.array([[0.0, 0, 0, 0], [5, 5, 0, 3], [0, 0, 4, 4], [0, 0, 4, 4]])
  b = np.array([[0.0, 0, 0, 0], [5, 5, 0, 3], [4, 0, 4, 4], [1, 1, 0, 0]])
  np.testing.assert_array_equal(boxes.iou_xywh(a, b), [0, 0, 0, 0])


box = st.tuples(*[st.floats(-1e3, 1e3)] * 2, *[st.floats(0.01, 1e3)] * 2)


@settings(max_examples=100, deadline=None)
@given(box, box, st.floats(-500, 500))
def test_iou_properties(a, b, shift):
  """Symmetric, in 0..1, 1 with itself, unchanged by a common shift."""
  a, b = np.array(a), np.array(b)
  overlap = boxes.iou_xywh(a, b)
  assert 0 <= overlap <= 1 + 1e-9
  assert overlap == boxes.iou_xywh(b, a)
  assert boxes.iou_xywh(a, a) == pytest.approx(1)
  moved = np.array([shift, -shift, 0, 0])
  assert boxes.iou_xywh(a + moved, b + moved) == pytest.approx(
      overlap, abs=1e-6)


@pytest.mark.parametrize('box_xywh', [
    (1, 2, 3, 4), [1.5, 2, 3, 4], np.array([1, 2, 3, 4], np.uint8),
    (-2, -3, 5, 5), (60, 40, 100, 90), (-10, -10, 128, 96),
    (63.9, 47.9, 1, 1)])
def test_good_box_is_returned_as_given(box_xywh):
  checked = boxes.check_box(box_xywh, 64, 48)
  assert checked.dtype == np.float64 and checked.shape == (4,)
  np.testing.assert_array_equal(checked, box_xywh)


BAD = {
    'expected four finite numbers': [
        (1, 2, 3), (1, 2, 3, 4, 5), (), 'abcd', None, 7, [[1, 2, 3, 4]],
        (1, 2, float('nan'), 4), (1, 2, 3, float('inf')),
        (-float('inf'), 2, 3, 4), ('a', 'b', 'c', 'd'), [(1, 2), (3,), 4, 5],
        (1, 2, 3, 10**400), {1, 2, 3, 4}, ('10', '20', '30', '40'),
        np.ma.masked_array([10, 20, 5, 5], [0, 0, 1, 0]),
        np.array([10, 20, 5, 5], 'M8[s]'), np.array([10, 20, 5, 5], 'm8[s]'),
        np.array([10, 20, 5, 5], complex), np.array([1, 1, 1, 1], bool),
        np.array([10, 20, 5, '5'], object),
        np.array([np.datetime64(10, 's'), 20, 5, 5], object)],
    'width and height must be positive': [
        (1, 2, 0, 4), (1, 2, 3, 0), (1, 2, -3, 4), (30, 20, 10, -5)],
    '1 pixel or more; expected left,top,width,height in pixels, not as fract': [
        (0.25, 0.25, 0.5, 0.5), (1, 2, 0.001, 30), (1, 2, 30, 0.999),
        (0, 0, 1, 1), (0.5, 0.5, 1.0, 1.0), (-0.1, 0.2, 1.0, 0.9),
        (1e-300, 1e-300, 1e-300, 1e-300)],
    'more than 2 times as large as the 64x48 frame': [
        (1, 2, 1e9, 10), (1, 2, 10, 1e9), (-6e5, 1, 6e5 + 10, 5),
        (0, 0, 129, 10), (0, 0, 10, 97), (0, 0, 40000, 40000),
        (1e300, 1e300, 1e300, 1e300), (-1e300, 0, 1e308, 1)],
    'lies outside the 64x48 frame': [
        (64, 10, 5, 5), (10, 48, 5, 5), (-5, 10, 5, 5), (10, -5, 5, 5),
        (1000, 1000, 5, 5), (-30, -30, 20, 20)],
}


@pytest.mark.parametrize(('message', 'box_xywh'), [
    (message, bad) for message, many in BAD.items() for bad in many], ids=str)
def test_bad_box(message, box_xywh):
  with pytest.raises(UserError, match=message) as caught:
    boxes.check_box(box_xywh, 64, 48)
  assert '\n' not in str(caught.value)
  assert str(caught.value).startswith('box ')


def test_no_box_is_called_so():
  """And not nan, which NumPy makes of it."""
  with pytest.raises(UserError, match='^box None: expected four finite'):
    boxes.check_box(None, 64, 48)


def test_checked_box_is_a_copy():
  given = np.array([1.0, 2, 3, 4])
  boxes.check_box(given, 64, 48)[0] = 9
  assert given[0] == 1
