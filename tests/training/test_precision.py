"""That devices change the rounding of training and nothing else."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.distributed import sharding
from siamkpn_jax.models.siamkpn import init_variables
from siamkpn_jax.training import trainer
from siamkpn_jax.training.state import init_state
from tests.training.tiny import BlobSource, tiny_config

STEPS = 20  # the backbone is frozen in the first half


def run(batches, step_fn, devices):
  """The losses of a float64 run on some devices."""
  mesh = jax.make_mesh(
      (devices,), ('data',), devices=jax.devices()[:devices],
      axis_types=(jax.sharding.AxisType.Auto,))
  wide = lambda x: x.astype(
      jnp.float64 if jnp.issubdtype(x.dtype, jnp.floating) else x.dtype)
  state = jax.jit(lambda variables: jax.tree.map(wide, init_state(
      variables, step_fn.optimizer)), out_shardings=sharding.replicated(mesh))(
          init_variables(step_fn.model, 0))
  steps = [trainer.jit_step(step_fn, mesh, state, unfrozen=unfrozen)
           for unfrozen in (False, True)]
  losses = []
  for number, batch in enumerate(batches):
    state, metrics = steps[number >= STEPS // 2](
        state, sharding.put_batch(batch, mesh))
    losses.append(float(metrics['loss']))
  for x in jax.tree.leaves((state.params, state.batch_stats)):
    assert x.dtype == jnp.float64
  return losses, jax.device_get(state)


@pytest.mark.slow
def test_one_device_equals_four_in_float64():
  """Twenty steps, far closer than the 5e-6 of float32."""
  config = tiny_config(train={'pairs_per_epoch': 2 * STEPS})
  with jax.enable_x64(True):
    step_fn = trainer.build_step(config)
    step_fn = dataclasses.replace(
        step_fn, model=step_fn.model.clone(dtype='float64'))
    source = trainer.build_loader(config, step_fn, [BlobSource()]).batches()
    batches = [next(source) for _ in range(STEPS)]
    source.close()
    (one, state), (four, other) = (
        run(batches, step_fn, devices) for devices in (1, 4))
  assert one[0] != one[-1]
  np.testing.assert_allclose(four, one, rtol=1e-10)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-6, atol=1e-9), other.params, state.params)
