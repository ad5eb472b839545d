"""Overlap against plain loops, exact areas and formulas of rectangles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.metrics import overlap
from tests.reference import vot as reference

W, H = 64, 48


def _random_rows(rng, count):
  """Rectangles, turned rectangles and any four points; also beyond the image,
  with whole and half coordinates, on which rounding depends."""
  rows = []
  for i in range(count):
    scale = rng.choice([3, 15, 60])
    center = rng.uniform(-10, [W + 10, H + 10])
    if i % 3 == 0:
      row = [*center, *rng.uniform(0, scale, 2)]
    elif i % 3 == 1:
      angle = rng.uniform(0, 7)
      turn = np.array([[np.cos(angle), -np.sin(angle)],
                       [np.sin(angle), np.cos(angle)]])
      square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
      row = (square * rng.uniform(0.5, scale, 2) @ turn + center).ravel()
    else:
      row = (rng.uniform(-scale, scale, (4, 2)) + center).ravel()
    step = rng.choice([1, 2, 10000])
    rows.append([float(round(v * step) / step) for v in row])
  return rows


def _pairs(seed, count):
  rng = np.random.default_rng(seed)
  a, b = _random_rows(rng, count), _random_rows(rng, count)
  for i in range(0, count, 2):  # near each other
    b[i] = [float(v + rng.integers(-2, 3)) if k < 2 or len(a[i]) == 8 else v
            for k, v in enumerate(a[i])]
  return a, b


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize(('rule', 'loops'), [
    (overlap.pysot, reference.pysot_overlap),
    (overlap.vot_toolkit, reference.toolkit_overlap)])
def test_equal_to_loops(rule, loops, seed):
  a, b = _pairs(seed, 600)
  ours = rule(regions.from_rows(a), regions.from_rows(b), W, H)
  theirs = [loops(*pair, W, H) for pair in zip(a, b, strict=True)]
  np.testing.assert_array_equal(ours, theirs)
  assert 100 < np.count_nonzero(ours) < len(ours)


boxes = st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(2, 30),
                  st.integers(2, 25))


def _formula(a, b, extra):
  """Overlap of boxes of whole pixels; extra: pixels beyond the width."""
  wide = [min(a[k] + a[k + 2], b[k] + b[k + 2]) - max(a[k], b[k])
          for k in (0, 1)]
  if min(wide) <= 0:
    return 0
  inter = (wide[0] + extra) * (wide[1] + extra)
  return inter / sum([(r[2] + extra) * (r[3] + extra) for r in (a, b)], -inter)


@settings(max_examples=100, deadline=None)
@given(boxes, boxes)
def test_boxes_of_whole_pixels(a, b):
  pair = regions.from_rows([a]), regions.from_rows([b])
  # pysot covers w + 1 pixels; vot-toolkit w.
  assert overlap.pysot(*pair, 100, 100)[0] == pytest.approx(
      _formula(a, b, 1), abs=1e-7)
  assert overlap.vot_toolkit(*pair, 100, 100)[0] == pytest.approx(
      _formula(a, b, 0))


def _clipped_area(subject, clip):
  """Area of the intersection of two convex polygons (Sutherland, Hodgman)."""
  def cross(o, p, q):
    return (p[0] - o[0]) * (q[1] - o[1]) - (p[1] - o[1]) * (q[0] - o[0])
  for i in range(4):
    edge, end = clip[i - 1], clip[i]
    points, subject = subject, []
    for j, point in enumerate(points):
      side, before = cross(edge, end, point), cross(edge, end, points[j - 1])
      if side * before < 0:
        t = before / (before - side)
        subject.append(points[j - 1] + t * (point - points[j - 1]))
      if side >= 0:
        subject.append(point)
  x, y = np.array(subject).reshape(-1, 2).T
  return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def test_large_turned_boxes_have_nearly_the_exact_overlap():
  rng = np.random.default_rng(4)
  square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
  for _ in range(40):
    a, b = (
        square * rng.uniform(100, 250, 2) @ np.array(
            [[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
        + rng.uniform(450, 550, 2) for t in rng.uniform(0, 6, 2))
    inter = _clipped_area(list(a), list(b))
    areas = [np.prod(np.linalg.norm(q[1:3] - q[:2], axis=1)) for q in (a, b)]
    exact = inter / (sum(areas) - inter)
    pair = [regions.from_rows([q.ravel()]) for q in (a, b)]
    assert overlap.pysot(*pair, 999, 999)[0] == pytest.approx(exact, abs=0.012)
    assert overlap.vot_toolkit(*pair, 1000, 1000)[0] == pytest.approx(
        exact, abs=0.012)


def test_the_rules_differ_where_they_should():
  a, b = (regions.from_rows([r]) for r in ([0, 0, 2, 2], [1, 0, 2, 2]))
  assert overlap.pysot(a, b, 10, 10)[0] == pytest.approx(6 / 12)
  assert overlap.vot_toolkit(a, b, 10, 10)[0] == 2 / 6
  touching = regions.from_rows([[2, 0, 2, 2]])  # one column of pixels
  assert overlap.pysot(a, touching, 10, 10)[0] == 0
  # A diamond: its upper and lower tips are one point.
  diamond = regions.from_rows([[4, 2, 6, 4, 4, 6, 2, 4]])
  around = regions.from_rows([[2, 2, 5, 5]])
  assert overlap.vot_toolkit(diamond, around, 20, 20)[0] == 13 / 25
  around = regions.from_rows([[2, 2, 4, 4]])
  assert overlap.pysot(diamond, around, 20, 20)[0] == np.float32(11 / 25)
  assert overlap.pysot(diamond, around, 20, 20, points=True)[0] == np.float32(
      13 / 25)


def test_markers_have_no_overlap():
  a = regions.from_rows([[1], [5, 5, 9, 9], [0], [5, 5, 9, 9]])
  b = regions.from_rows([[5, 5, 9, 9]] * 4)
  for values in (overlap.pysot(a, b, W, H), overlap.vot_toolkit(a, b, W, H)):
    np.testing.assert_array_equal(values, [np.nan, 1, np.nan, 1])


def test_only_the_image_counts():
  a, b = (regions.from_rows([r]) for r in ([-10, 0, 20, 10], [0, 0, 10, 10]))
  assert overlap.vot_toolkit(a, b, W, H)[0] == 1
  assert overlap.pysot(a, b, W, H)[0] == 1
  outside = regions.from_rows([[-30, -30, 10, 10]])
  assert overlap.vot_toolkit(outside, b, W, H)[0] == 0
  assert overlap.pysot(outside, b, W, H)[0] == 0


numbers = st.one_of(st.integers(-60, 120), st.floats(-1e9, 1e9),
                    st.floats(-100, 100))
rows = st.one_of(*(st.lists(numbers, min_size=n, max_size=n) for n in (4, 8)))


@settings(max_examples=150, deadline=None)
@given(rows, rows)
def test_any_numbers_give_a_fraction(a, b):
  pair = regions.from_rows([a]), regions.from_rows([b])
  for value in (*overlap.pysot(*pair, W, H), *overlap.vot_toolkit(*pair, W, H)):
    assert np.isnan(value) or 0 <= value <= 1


def test_work_in_parts_changes_nothing(monkeypatch):
  a, b = (regions.from_rows(r) for r in _pairs(5, 200))
  whole = overlap.pysot(a, b, W, H), overlap.vot_toolkit(a, b, W, H)
  monkeypatch.setattr(overlap, '_ROWS', 10)
  parts = overlap.pysot(a, b, W, H), overlap.vot_toolkit(a, b, W, H)
  np.testing.assert_array_equal(whole, parts)
