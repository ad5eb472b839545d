"""OPE metrics against plain loops, properties and published numbers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamkpn_jax.benchmarks import ope, results
from siamkpn_jax.errors import UserError


def _loop_score(result, truth):
  """The rule of OTB, frame by frame."""
  ious, distances = [], []
  for (ax, ay, aw, ah), (bx, by, bw, bh) in zip(result, truth, strict=True):
    w = max(0, min(ax + aw, bx + bw) - max(ax, bx))
    h = max(0, min(ay + ah, by + bh) - max(ay, by))
    ious.append(w * h / (aw * ah + bw * bh - w * h))
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


@pytest.mark.parametrize('bad', [
    [np.nan] * 4, [0, 0, 0, 0], [1, 1, 5, 0], [1, 1, -5, 5],
    [np.inf, 1, 5, 5]])
def test_invalid_annotations_are_left_out_or_lost(bad):
  truth = np.array([[1.0, 1, 5, 5], bad, [1, 1, 5, 5], [90, 90, 5, 5]])
  result = np.tile([1.0, 1, 5, 5], (4, 1))
  kept = ope.score_sequence(result[[0, 2, 3]], truth[[0, 2, 3]])
  score = ope.score_sequence(result, truth)
  np.testing.assert_array_equal(score.success_curve, kept.success_curve)
  assert score.precision_20 == kept.precision_20 == 2 / 3
  lost = ope.score_sequence(result, truth, exclude_invalid=False)
  assert lost.precision_20 == lost.success_curve[0] == 0.5


def test_wrong_input():
  boxes = np.ones((3, 4))
  with pytest.raises(UserError, match='2 result boxes but 3 annotated'):
    ope.score_sequence(boxes[:2], boxes)
  with pytest.raises(UserError, match='none of the 3'):
    ope.score_sequence(boxes, boxes * np.nan)
  with pytest.raises(ValueError, match='t >= 1'):
    ope.success_curve(np.zeros(0))
  with pytest.raises(ValueError, match=r'\(51,\)'):
    ope.precision_20(np.zeros(21))
  with pytest.raises(ValueError, match='no scores'):
    ope.mean_score({})


def test_mean_weights_sequences_not_frames():
  box = np.array([[1.0, 1, 5, 5]])
  good = ope.score_sequence(box, box)
  bad = ope.score_sequence(np.tile(box, (9, 1)), np.tile(box + 50, (9, 1)))
  mean = ope.mean_score({'good': good, 'bad': bad})
  assert mean.precision_20 == 0.5
  assert mean.success_auc == pytest.approx(10 / 21)


def _otb_truth(data_folder):
  """Name as in the results of the GOT-10k toolkit -> [t, 4] annotation."""
  path = data_folder / 'annotations' / 'otb100' / 'OTB2015.json'
  truth = {}
  for key, sequence in json.loads(path.read_text()).items():
    name = sequence['name']
    if name in ('Jogging', 'Skating2'):  # two targets: jogging_1, jogging_2
      name += '.' + key[-1]
    truth[name] = np.array(sequence['gt_rect'], np.float64)
  return truth


@pytest.fixture
def kcf(data_folder):
  """Truth, results (both name -> boxes) and the toolkit's own scores."""
  folder = data_folder / 'raw_results' / 'otb100' / 'kcf'
  report = json.loads((folder / 'performance.json').read_text())
  boxes = {f.stem: results.read_boxes(f) for f in folder.glob('*.txt')}
  (scores,) = report.values()
  return _otb_truth(data_folder), boxes, scores


@pytest.mark.realdata
def test_kcf_equals_the_toolkit_per_sequence(kcf):
  truth, boxes, published = kcf
  assert truth.keys() == boxes.keys() == published['seq_wise'].keys()
  assert len(truth) == 100
  # The results hold frames 1-354 of Tiger1, scored with an annotation of 354
  # boxes; the annotation here has frames 6-354, so no equality is possible.
  assert len(boxes['Tiger1']) == 354 and len(truth['Tiger1']) == 349
  for name in truth.keys() - {'Tiger1'}:
    ours = ope.score_sequence(boxes[name], truth[name], exclude_invalid=False)
    theirs = published['seq_wise'][name]
    np.testing.assert_allclose(
        ours.success_curve, theirs['success_curve'], rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        ours.precision_curve, theirs['precision_curve'], rtol=0, atol=1e-12)


@pytest.mark.realdata
@pytest.mark.parametrize('exclude_invalid', [True, False])
def test_kcf_mean_over_otb100(kcf, exclude_invalid):
  truth, boxes, published = kcf
  boxes = {**boxes, 'Tiger1': boxes['Tiger1'][5:]}  # frames 6-354
  mean = ope.mean_score({
      name: ope.score_sequence(boxes[name], truth[name],
                               exclude_invalid=exclude_invalid)
      for name in truth})
  assert round(mean.success_auc, 4) == 0.4780
  assert round(mean.precision_20, 4) == 0.6878
  # Five frames of Tiger1 and two invalid annotations are all that differs.
  assert mean.success_auc == pytest.approx(
      published['overall']['success_score'], abs=5e-5)
  assert mean.precision_20 == pytest.approx(
      published['overall']['precision_score'], abs=5e-5)


@pytest.mark.realdata
def test_two_invalid_annotations_in_otb100(kcf):
  invalid = {name: int((~ope.valid_boxes(t)).sum())
             for name, t in kcf[0].items() if not ope.valid_boxes(t).all()}
  assert invalid == {'Board': 1, 'Twinnings': 1}
