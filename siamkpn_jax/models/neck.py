"""The neck: brings every level to one number of channels (SPEC 3)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.models.layers import ConvBN


class Neck(nn.Module):
  """Per level a 1x1 convolution and batch normalization; no activation.

  Attributes:
    channels: output channels of every level.
    dtype: of the computation.
  """

  channels: int
  dtype: Any = None

  @nn.compact
  def __call__(self, features: dict[str, jax.Array], cells: int, *,
               train: bool) -> dict[str, jax.Array]:
    """{level: [b, h, w, c]} -> {level: [b, cells, cells, channels]}.

    Levels of every second cell (16x16 of 31x31, 8x8 of 15x15) get those between
    by linear interpolation.
    """
    maps = {level: ConvBN(self.channels, 1, dtype=self.dtype, name=level)(
        x, train=train) for level, x in features.items()}
    return {level: to_cells(x) if 2 * x.shape[1] - 1 == cells else x
            for level, x in maps.items()}


def to_cells(x: jax.Array) -> jax.Array:
  """[b, n, n, c] -> [b, 2 n - 1, 2 n - 1, c]: the cells between, too."""
  weights = jnp.asarray(_between(x.shape[1]), x.dtype)
  x = jnp.einsum('oh,bhwc->bowc', weights, x)
  return jnp.einsum('ow,bhwc->bhoc', weights, x)


def _between(size: int) -> np.ndarray:
  """[2 size - 1, size] weights of a linear interpolation at the halves."""
  position = np.arange(2 * size - 1)[:, None] / 2
  return np.maximum(1 - np.abs(position - np.arange(size)), 0)
