"""Everything that training changes."""

from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

from siamkpn_jax.models.siamkpn import SiamKPN, init_variables


@flax.struct.dataclass
class TrainState:
  """The state of training, a pytree.

  Attributes:
    step: () int32, steps done; skipped ones count.
    skipped: () int32, steps whose update was thrown away.
    params: of the network.
    batch_stats: running means and variances.
    opt_state: of the optimizer.
  """

  step: jax.Array
  skipped: jax.Array
  params: Any
  batch_stats: Any
  opt_state: optax.OptState


def init_state(model: SiamKPN, optimizer: optax.GradientTransformation,
               key: jax.Array) -> TrainState:
  """A fresh state; jit it, or eval_shape it for a restore."""
  variables = init_variables(model, key)
  zero = jnp.zeros((), jnp.int32)
  return TrainState(
      step=zero, skipped=zero, params=variables['params'],
      batch_stats=variables['batch_stats'],
      opt_state=optimizer.init(variables['params']))
