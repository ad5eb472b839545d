"""The VOT long-term measures: by hand, and against plain loops."""

import numpy as np
import pytest

from siamkpn_jax.evaluation.metrics import long_term
from siamkpn_jax.evaluation.metrics.long_term import Reported
from tests.reference import long_term as reference


def reported(overlaps, confidence, visible=None):
  """A sequence; None: visible in every frame."""
  overlaps = np.array(overlaps, float)
  if visible is None:
    visible = np.ones(len(overlaps), bool)
  return Reported(overlaps, np.array(visible, bool),
                  np.array(confidence, float))


def test_by_hand():
  """Five frames, absent in the fourth, where the tracker is half sure."""
  one = reported([0.8, 0.6, 0.4, 0, 0.9], [0.9, 0.8, 0.3, 0.5, 0.7],
                 [1, 1, 1, 0, 1])
  precision, recall = long_term.curves(one, np.array(
      [np.inf, 0.9, 0.7, 0.5, 0.3, -np.inf]))
  np.testing.assert_allclose(
      precision, [1, 0.8, 2.3 / 3, 2.3 / 4, 2.7 / 5, 2.7 / 5])
  np.testing.assert_allclose(
      recall, [0, 0.2, 2.3 / 4, 2.3 / 4, 2.7 / 4, 2.7 / 4])
  best = long_term.score([one])
  assert best.threshold == 0.7
  p, r = 2.3 / 3, 2.3 / 4
  np.testing.assert_allclose(best[:3], [2 * p * r / (p + r), p, r])


def test_silence_where_the_target_is_absent_raises_f():
  visible = [1, 1, 0, 0]
  overlaps = [0.8, 0.8, 0, 0]
  loud = long_term.score([reported(overlaps, [0.9] * 4, visible)])
  honest = long_term.score([reported(overlaps, [0.9, 0.9, 0, 0], visible)])
  np.testing.assert_allclose(loud[:3], [8 / 15, 0.4, 0.8])
  np.testing.assert_allclose(honest[:3], [0.8, 0.8, 0.8])


@pytest.mark.parametrize('lengths', [(3,), (40, 20), (98,), (99,), (150, 301)])
def test_equals_plain_loops(lengths):
  rng = np.random.default_rng(len(lengths))
  sequences = []
  for length in lengths:
    visible = rng.random(length) < 0.7
    visible[0] = True
    confidence = rng.random(length).round(2)  # some are equal
    confidence[0] = np.nan  # the given box
    sequences.append(Reported(rng.random(length) * visible, visible,
                              confidence))
  best = long_term.score(sequences)
  expected = reference.best_f([
      (s.overlaps.tolist(), s.visible.tolist(), s.confidence.tolist())
      for s in sequences])
  np.testing.assert_allclose(best[:3], expected, rtol=1e-12)


def test_never_reported():
  best = long_term.score([reported([0.5, 0.5], [np.nan, np.nan])])
  assert best[:3] == (0, 1, 0)


@pytest.mark.parametrize(('wrong', 'message'), [
    (([0.5], [0.5, 0.5], [1, 1]), 'got'),
    (([0.5, 0], [0.5, 0.5], [0, 0]), 'visible'),
    (([0.5, 0.5], [0.5, 0.5], [1, 0]), 'of 0 where'),
])
def test_refused(wrong, message):
  with pytest.raises(ValueError, match=message):
    reported(*wrong)


def test_nothing_to_score():
  with pytest.raises(ValueError, match='no sequences'):
    long_term.score([])
