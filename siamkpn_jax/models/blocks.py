"""A depth-wise convolution and the product after it, some channels at a time.

What a cell of a 5x5 kernel of 672 channels meets, and the kernel itself, do not
fit the first cache of a CPU; those of 112 channels do, and are faster. Each
block of channels is multiplied by its rows of the projection: XLA then has
several products to divide among its threads, which leaves none of them waiting.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.models.correlation import sum_of_taps

NAME = 'blocks'  # of a module's variables
_BYTES = 1 << 14  # of a kernel: half of the smallest first caches


def count(shape: tuple[int, ...]) -> int:
  """How many blocks suit a depth-wise kernel [k, k, 1, c]; 1 for no blocks."""
  channels = shape[-1]
  most = _BYTES // (4 * shape[0] * shape[1])
  return next((n for n in range(1, channels + 1) if channels % n == 0 and
               most // 4 <= channels // n <= most), 1)


def divide(depth: np.ndarray, bias: np.ndarray,
           last: np.ndarray) -> dict[str, np.ndarray]:
  """The variables of `project`.

  Args:
    depth: [k, k, 1, c] depth-wise kernel.
    bias: [c] that follows it.
    last: [1, 1, c, o] kernel of the product.
  """
  n = count(depth.shape)
  *size, _, channels = depth.shape
  kernel = depth.reshape(*size, n, channels // n)
  return {'kernel': np.ascontiguousarray(np.moveaxis(kernel, 2, 0)),
          'bias': bias.reshape(n, -1),
          'last': last.reshape(n, channels // n, -1)}


def project(x: jax.Array, variables: Mapping[str, Any],
            padding: int) -> jax.Array:
  """Depth-wise convolution of stride 1, its bias, ReLU6 and the product.

  Args:
    x: [b, h, w, c].
    variables: as `divide` gives them.
    padding: rows and columns of zeros on each side.

  Returns:
    [b, h', w', o].
  """
  kernel, bias, last = (variables[k] for k in ('kernel', 'bias', 'last'))
  pad = (padding, padding)
  x = jnp.pad(x, ((0, 0), pad, pad, (0, 0)))
  x = jnp.moveaxis(x.reshape(*x.shape[:3], len(kernel), -1), 3, 0)
  x = jax.lax.optimization_barrier(x)  # see `convolutions.depthwise_shifted`
  y = jax.vmap(sum_of_taps)(x, kernel[:, None])  # n x b x h' x w' x c
  y = jnp.clip(y + bias[:, None, None, None], 0, 6)
  parts = jax.lax.dot_general(
      y.reshape(len(y), -1, y.shape[-1]), last, (((2,), (1,)), ((0,), (0,))))
  total = functools.reduce(jax.lax.add, list(parts))  # b h' w' x o
  return total.reshape(*y.shape[1:4], -1)
