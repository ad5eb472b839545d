"""OPE metrics against plain loops, and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.metrics import ope


def _loop_score(result, truth):
  """The rule of OTB, frame by frame; the first frame cannot be lost."""
  result = np.concatenate([truth[:1], result[1:]])
  ious, distances = [], []
  for (ax, ay, aw, ah), (bx, by, bw, bh) in zip(result, truth, strict=True):
    w = max(0, min(ax + aw, bx + bw) - max(ax, bx))
    h = max(0, min(ay + ah, by + bh) - max(ay, by))
    ious.append(min(1, w * h / (aw * ah + bw * bh - w * h)))
    dx = (ax + (aw - 1) / 2) - (bx + (bw - 1) / 2)
    dy = (ay + (ah - 1) / 2) - (by + (bh - 1) / 2)
    distances.append((dx * dx + dy * dy) ** 0.5)
  success = [sum(i > t for i in ious) / len(ious)
             for t in np.linspace(0, 1, 21)]
  precision = [sum(d <= t for d in distances) / len(distances)
               for t in range(51)]
  return success, precision


def _random_boxes(rng, count):
  return np.concatenate([rng.uniform(-20, 60, (count, 2)),
                         rng.uniform(1, 60, (count, 2))], axis=1)


@pytest.mark.parametrize('count', [1, 7, 200])
def test_score_equals_loops(count):
  rng = np.random.default_rng(count)
  result, truth = _random_boxes(rng, count), _random_boxes(rng, count)
  score = ope.score_sequence(result, truth)
  success, precision = _loop_score(result, truth)
  np.testing.assert_allclose(score.success_curve, success, rtol=1e-12)
  np.testing.assert_allclose(score.precision_curve, precision, rtol=1e-12)
  assert score.success_auc == pytest.approx(sum(success) / 21)
  assert score.precision_20 == precision[20]


def test_thresholds_strict_for_overlap_inclusive_for_distance():
  curve = ope.success_curve(np.array([0.0, 0.5, 1.0]))
  assert curve[0] == 2 / 3 and curve[10] == 1 / 3 and curve[20] == 0
  curve = ope.precision_curve(np.array([0.0, 20.0, 50.0]))
  assert curve[0] == 1 / 3 and curve[19] == 1 / 3
  assert curve[20] == 2 / 3 and curve[50] == 1


def test_perfect_tracker_has_auc_20_of_21():
  boxes = _random_boxes(np.random.default_rng(0), 9)
  score = ope.score_sequence(boxes, boxes)
  assert score.success_auc == pytest.approx(20 / 21)  # 1 > 1 is false
  assert score.precision_20 == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1), st.randoms())
def test_curves_are_monotone_fractions_in_any_order(values, random):
  ious = np.array(values)
  success = ope.success_curve(ious)
  precision = ope.precision_curve(50 * ious)
  assert (np.diff(success) <= 0).all() and (np.diff(precision) >= 0).all()
  assert success.max() <= 1 and success.min() >= 0 and precision[50] == 1
  random.shuffle(values)
  np.testing.assert_array_equal(ope.success_curve(np.array(values)), success)


def test_nan_counts_as_lost():
  assert ope.success_curve(np.array([np.nan, 0.9]))[0] == 0.5
  assert ope.precision_curve(np.array([np.nan, 3.0]))[50] == 0.5


def test_both_pixel_conventions_score_the_same():
  rng = np.random.default_rng(3)
  result, truth = _random_boxes(rng, 40), _random_boxes(rng, 40)
  shift = np.array([1, 1, 0, 0])
  a, b = (ope.score_sequence(result + by, truth + by) for by in (0 * shift,
                                                                shift))
  np.testing.assert_allclose(a.success_curve, b.success_curve)
  np.testing.assert_allclose(a.precision_curve, b.precision_curve)


def test_wrong_input():
  boxes = np.ones((3, 4))
  with pytest.raises(UserError, match='2 result boxes but 3 annotated'):
    ope.score_sequence(boxes[:2], boxes)
  with pytest.raises(UserError, match='0 result boxes but 0 annotated'):
    ope.score_sequence(boxes[:0], boxes[:0])
  with pytest.raises(ValueError, match='t >= 1'):
    ope.success_curve(np.zeros(0))
  with pytest.raises(ValueError, match=r'\(51,\)'):
    ope.precision_20(np.zeros(21))
  with pytest.raises(ValueError, match='no scores'):
    ope.mean_score({})


def test_mean_weights_sequences_not_frames():
  box = np.array([[1.0, 1, 5, 5]])
  good = ope.score_sequence(box, box)
  bad = ope.score_sequence(np.tile(box, (10, 1)), np.tile(box + 50, (10, 1)))
  mean = ope.mean_score({'good': good, 'bad': bad})
  assert mean.precision_20 == mean.norm_precision == 0.55
  assert mean.success_auc == pytest.approx(11 / 21)
  assert mean.frames == 11
