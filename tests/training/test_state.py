"""Fresh states and moving averages."""

import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.training.state import TrainState, moving_average, start_from


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


def test_start_from_a_part():
  """Given weights replace fresh ones, in the averages too."""
  tree = lambda k: {'backbone': jnp.full(2, k), 'head': jnp.full(3, k)}
  fresh = TrainState(
      jnp.int32(0), jnp.int32(0), tree(0.0), tree(1.0), opt_state={})
  given = {'params': {'backbone': jnp.full(2, 5.0)},
           'batch_stats': {'backbone': jnp.full(2, 6.0)}}
  for ema in (None, fresh.variables):
    state = start_from(fresh.replace(ema=ema), given)
    expected = {'params': {'backbone': [5, 5], 'head': [0, 0, 0]},
                'batch_stats': {'backbone': [6, 6], 'head': [1, 1, 1]}}
    for actual in [state.variables] + ([state.ema] if ema else []):
      for name, part in expected.items():
        for key, value in part.items():
          np.testing.assert_array_equal(actual[name][key], value)
    assert (state.ema is None) == (ema is None)
  assert jax.tree.structure(start_from(fresh, {})) == jax.tree.structure(fresh)
