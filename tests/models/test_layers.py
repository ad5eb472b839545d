"""Parameters of layers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from flax.errors import ScopeParamShapeError

from siamkpn_jax.models.layers import parameter


def test_a_stored_parameter_is_not_made_again():
  """Not even traced; another shape is refused all the same."""
  made = []

  class Layer(nn.Module):

    @nn.compact
    def __call__(self):
      return parameter(self, 'weight', start, (2,))

  def start(unused_key, shape):
    made.append(shape)
    return jnp.zeros(shape)

  first = Layer().init(jax.random.key(0))
  assert made == [(2,)] and first['params']['weight'].shape == (2,)
  stored = Layer().apply({'params': {'weight': jnp.ones(2)}})
  assert stored.tolist() == [1, 1] and made == [(2,)]
  with pytest.raises(ScopeParamShapeError, match='weight'):
    Layer().apply({'params': {'weight': jnp.ones(3)}})
