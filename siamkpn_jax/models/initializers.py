"""First values of convolution kernels, [h, w, inputs, outputs].

Signatures are those of `jax.nn.initializers`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import variance_scaling

_GAIN = 0.3  # of the noise around the identity

# He's variance for the outputs (K. He et al., ICCV 2015). In a depth-wise
# kernel [h, w, 1, c] an input has one output.
he = variance_scaling(2.0, 'fan_out', 'normal')
he_depthwise = variance_scaling(2.0, 'fan_in', 'normal')


def near_identity(key: jax.Array, shape: tuple[int, ...],
                  dtype: Any = float) -> jax.Array:
  """The identity with some noise.

  With it the first correlations already measure how alike template and search
  are.
  """
  height, width, inputs, outputs = shape
  noise = _GAIN * he(key, shape, dtype)
  return noise.at[height // 2, width // 2].add(
      jnp.eye(inputs, outputs, dtype=noise.dtype))


def near_identity_depthwise(key: jax.Array, shape: tuple[int, ...],
                            dtype: Any = float) -> jax.Array:
  """`near_identity` of a depth-wise kernel [h, w, 1, c]."""
  height, width, _, _ = shape
  return (_GAIN * he_depthwise(key, shape, dtype)).at[
      height // 2, width // 2].add(1.0)


def normal_per_output(stds: np.ndarray) -> Callable[..., jax.Array]:
  """Normal numbers with a standard deviation for each output, [outputs]."""
  def init(key, shape, dtype=float):
    normal = jax.random.normal(key, shape, dtype)
    return normal * jnp.asarray(stds, normal.dtype)
  return init
