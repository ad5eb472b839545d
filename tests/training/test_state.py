"""Fresh states and moving averages."""

import jax.numpy as jnp
import numpy as np

from siamkpn_jax.training.state import moving_average


def test_moving_average():
  """By hand: 1/10, 2/11, 3/12 ... of the old until the decay is reached."""
  values = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
  average, expected = jnp.zeros(3), np.zeros(3)
  for step, value in enumerate(values):
    average = moving_average(average, value, 0.95, jnp.int32(step))
    share = min(0.95, (1 + step) / (10 + step))
    expected = share * expected + (1 - share) * value
    np.testing.assert_allclose(average, expected, rtol=1e-4, atol=1e-5)
  assert share == 0.95


def test_what_stands_still_keeps_its_value():
  """Exactly: frozen layers are not changed by rounding."""
  value = np.random.default_rng(1).normal(size=1000).astype(np.float32)
  step = jnp.int32(7)
  np.testing.assert_array_equal(
      moving_average(value, value, 0.9998, step), value)
