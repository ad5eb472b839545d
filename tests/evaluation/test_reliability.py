"""Calibration: the fit and the error, where the answer is known."""

import numpy as np
import pytest

from siamkpn_jax.evaluation.metrics.reliability import (
  fit_logistic,
  reliability,
)


def test_by_hand():
  table = reliability(np.array([0.05, 0.9, 0.95, 0.95, 1.0]),
                      np.array([False, True, True, False, True]))
  assert table.frames.tolist() == [1, *[0] * 8, 4]
  np.testing.assert_allclose(table.said[[0, 9]], [0.05, 0.95])
  np.testing.assert_allclose(table.right[[0, 9]], [0, 0.75])
  assert np.isnan(table.said[1:9]).all()
  assert table.error == pytest.approx((0.05 + 4 * 0.2) / 5)


def test_fit_finds_the_curve():
  rng = np.random.default_rng(0)
  scores = rng.uniform(0, 1, 40_000)
  truth = 1 / (1 + np.exp(-9 * (scores - 0.4)))
  right = rng.random(len(scores)) < truth
  slope, middle = fit_logistic(scores, right)
  assert slope == pytest.approx(9, rel=0.03)
  assert middle == pytest.approx(0.4, abs=0.01)
  fitted = 1 / (1 + np.exp(-slope * (scores - middle)))
  assert reliability(fitted, right).error < 0.01
  # A maximum: the residuals are orthogonal to what is fitted.
  assert abs((fitted - right).sum()) < 1e-3
  assert abs(((fitted - right) * scores).sum()) < 1e-3


def test_scores_that_separate_stay_finite():
  slope, middle = fit_logistic(np.array([0.1, 0.2, 0.8, 0.9]),
                               np.array([False, False, True, True]))
  assert np.isfinite(slope)
  assert middle == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(('scores', 'right'), [
    ([0.1, 0.2], [True, True]), ([0.1, 0.2], [False, False]),
    ([0.1, 0.2, 0.8, 0.9], [True, True, False, False])])
def test_nothing_to_fit(scores, right):
  with pytest.raises(ValueError, match='expected'):
    fit_logistic(np.array(scores), np.array(right))


@pytest.mark.parametrize('confidence', [[], [1.1], [-0.1], [np.nan]])
def test_no_confidences(confidence):
  with pytest.raises(ValueError, match='from 0 to 1'):
    reliability(np.array(confidence), np.ones(len(confidence), bool))
