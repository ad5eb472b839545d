"""The neck: brings every level to one number of channels (SPEC 3)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.core import geometry
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
  def __call__(self, features: dict[str, jax.Array], *,
               train: bool) -> dict[str, jax.Array]:
    """{level: [b, h, w, c]} -> {level: [b, s, s, channels]}.

    Levels of every second cell (16x16, 8x8) get those between by linear
    interpolation: s is 31 or 15.
    """
    return {
        level: to_cells(ConvBN(self.channels, 1, dtype=self.dtype, name=level)(
            x, train=train))
        for level, x in features.items()}


def to_cells(x: jax.Array) -> jax.Array:
  """[b, 16, 16, c] -> [b, 31, 31, c], or 8 -> 15; a map of all cells stays."""
  size = x.shape[1]
  if size in (geometry.MAP_SIZE, geometry.TEMPLATE_MAP):
    return x
  weights = jnp.asarray(_between(size), x.dtype)
  x = jnp.einsum('oh,bhwc->bowc', weights, x)
  return jnp.einsum('ow,bhwc->bhoc', weights, x)


def _between(size: int) -> np.ndarray:
  """[2 size - 1, size] weights of a linear interpolation at the halves."""
  position = np.arange(2 * size - 1)[:, None] / 2
  return np.maximum(1 - np.abs(position - np.arange(size)), 0)
