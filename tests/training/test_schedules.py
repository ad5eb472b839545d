"""The learning rate of every epoch (SPEC 7)."""

import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.training.optimizer import learning_rate

# 0.005 -> 0.002 in five equal ratios, 0.002 -> 0.0005 over epochs 6 to 20.
PAPER = [5e-3, 3.976354e-3, 3.162278e-3, 2.514867e-3, 2e-3,
         2e-3, 1.811448e-3, 1.640671e-3, 1.485995e-3, 1.345900e-3,
         1.219014e-3, 1.104090e-3, 1e-3, 9.057236e-4, 8.203354e-4,
         7.429973e-4, 6.729501e-4, 6.095068e-4, 5.520448e-4, 5e-4]
RELEASED = [r / 20 for r in PAPER]


def rates(schedule, epochs, steps_per_epoch, peak_lr=0.0):
  """The rate of every step."""
  rate = learning_rate(schedule, epochs, steps_per_epoch, peak_lr)
  return np.array([rate(jnp.int32(k)) for k in range(epochs * steps_per_epoch)])


@pytest.mark.parametrize(('schedule', 'table'), [
    ('paper', PAPER), ('released', RELEASED)])
def test_twenty_epochs(schedule, table):
  """By hand; constant inside an epoch."""
  actual = rates(schedule, 20, 3).reshape(20, 3)
  np.testing.assert_allclose(actual, np.tile(table, (3, 1)).T, rtol=1e-5)
  assert (actual == actual[:, :1]).all()


def test_after_the_end():
  """The last rate stays."""
  rate = learning_rate('released', 20, 3, 0.0)
  np.testing.assert_allclose(rate(jnp.int32(10_000)), 2.5e-5, rtol=1e-6)


@pytest.mark.parametrize('epochs', [1, 2, 3, 4, 10, 50])
def test_other_lengths(epochs):
  """From the first rate down to the last, never up."""
  actual = rates('released', epochs, 2)
  np.testing.assert_allclose(actual[0], 2.5e-4, rtol=1e-6)
  assert (np.diff(actual) <= 0).all() and np.isfinite(actual).all()
  if epochs > 2:
    np.testing.assert_allclose(actual[-1], 2.5e-5, rtol=1e-6)


def test_cosine():
  """Linear to the peak in a twentieth of the steps, then to zero."""
  actual = rates('cosine', 2, 100, 0.01)
  np.testing.assert_allclose(actual[:11], np.linspace(0, 0.01, 11), atol=1e-8)
  assert actual.argmax() == 10
  assert (np.diff(actual[10:]) < 0).all()
  assert actual[-1] < 2e-6
  rate = learning_rate('cosine', 2, 100, 0.01)
  np.testing.assert_allclose(rate(jnp.int32(200)), 0, atol=1e-9)
  np.testing.assert_allclose(rate(jnp.int32(105)), 0.005, rtol=1e-5)


def test_unknown_schedule():
  with pytest.raises(ValueError, match='paper.*released.*cosine'):
    learning_rate('linear', 20, 1, 0.1)
