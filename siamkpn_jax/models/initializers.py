"""First values of convolution kernels, [h, w, inputs, outputs].

Signatures are those of `jax.nn.initializers`.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Initializer = Callable[..., jax.Array]

_GAIN = 0.3  # of the noise around the identity


def he(key: jax.Array, shape: tuple[int, ...],
       dtype: Any = jnp.float_) -> jax.Array:
  """He's variance for the outputs (K. He et al., ICCV 2015)."""
  height, width, _, outputs = shape
  return _normal(key, shape, dtype) * (2 / (height * width * outputs))**0.5


def he_depthwise(key: jax.Array, shape: tuple[int, ...],
                 dtype: Any = jnp.float_) -> jax.Array:
  """`he` of a depth-wise kernel [h, w, 1, c]: an input has one output."""
  height, width, _, _ = shape
  return _normal(key, shape, dtype) * (2 / (height * width))**0.5


def near_identity(key: jax.Array, shape: tuple[int, ...],
                  dtype: Any = jnp.float_) -> jax.Array:
  """The identity with some noise.

  With it the first correlations already measure how alike template and search
  are.
  """
  height, width, inputs, outputs = shape
  noise = _GAIN * he(key, shape, dtype)
  return noise.at[height // 2, width // 2].add(
      jnp.eye(inputs, outputs, dtype=noise.dtype))


def near_identity_depthwise(key: jax.Array, shape: tuple[int, ...],
                            dtype: Any = jnp.float_) -> jax.Array:
  """`near_identity` of a depth-wise kernel [h, w, 1, c]."""
  height, width, _, _ = shape
  return (_GAIN * he_depthwise(key, shape, dtype)).at[
      height // 2, width // 2].add(1.0)


def normal_per_output(stds: np.ndarray) -> Initializer:
  """Normal numbers with a standard deviation for each output, [outputs]."""
  def init(key, shape, dtype=jnp.float_):
    normal = _normal(key, shape, dtype)
    return normal * jnp.asarray(stds, normal.dtype)
  return init


def _normal(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
  """Standard normal numbers, cheap to compile.

  A hash of a counter and the key: good enough for weights, and for nothing
  else. `jax.random.normal` compiles 20 rounds of threefry for every kernel. To
  compile `SiamKPN.init`, cold, on two CPU cores, took seconds with threefry,
  with this, and with all kernels cut from a single draw: demo 14, 4.4, 3.4;
  kpn3s_nano 20, 8, 4.5; kpn3s (182 kernels) 54, 24, 14.
  """
  low, high = jax.random.key_data(key)[..., :2]
  x = jax.lax.iota(jnp.uint32, math.prod(shape))
  x = x * jnp.uint32(0x9E3779B9) + low
  x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
  x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
  x = x ^ (x >> 16) ^ high
  x = (x ^ (x >> 15)) * jnp.uint32(0x2C1B3C6D)
  x = x ^ (x >> 16)
  uniform = ((x >> 8).astype(jnp.float32) + 0.5) * 2.0**-23 - 1  # -1 to 1
  normal = jax.lax.erf_inv(uniform) * 2**0.5
  return normal.reshape(shape).astype(
      jax.dtypes.canonicalize_dtype(dtype))
