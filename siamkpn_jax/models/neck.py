"""The neck: brings every level to one number of channels (SPEC 3)."""

from typing import Any

import flax.linen as nn
import jax

from siamkpn_jax.models.layers import ConvBN


class Neck(nn.Module):
  """Per level a 1x1 convolution and batch normalisation; no activation.

  Attributes:
    channels: output channels of every level.
    dtype: of the computation.
  """

  channels: int = 256
  dtype: Any = None

  @nn.compact
  def __call__(self, features: dict[str, jax.Array], *,
               train: bool) -> dict[str, jax.Array]:
    """{level: [b, h, w, c]} -> {level: [b, h, w, channels]}."""
    return {
        level: ConvBN(self.channels, 1, dtype=self.dtype, name=level)(
            x, train=train)
        for level, x in features.items()}
