"""ConvBN, the building block of backbone, neck and head."""

from typing import Any

import flax.linen as nn
import jax


class ConvBN(nn.Module):
  """Convolution without bias, then batch normalisation; no activation.

  The kernel is zero until `siamkpn.init_variables` draws it.

  Batch normalisation has PyTorch's momentum 0.1 and epsilon 1e-5 (SPEC 2). In
  training, under `jax.jit` with a batch sharded over a mesh, its statistics are
  those of the global batch.

  Attributes:
    features: output channels.
    kernel_size: side of the square kernel.
    stride: step in both directions.
    padding: rows and columns of zeros on each side.
    dilation: distance of the kernel's taps.
    dtype: of the computation; parameters stay float32.
  """

  features: int
  kernel_size: int = 3
  stride: int = 1
  padding: int = 0
  dilation: int = 1
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', features]."""
    pad = (self.padding, self.padding)
    x = nn.Conv(
        self.features, (self.kernel_size, self.kernel_size),
        strides=self.stride, padding=(pad, pad),
        kernel_dilation=self.dilation, use_bias=False, dtype=self.dtype,
        kernel_init=nn.initializers.zeros, name='conv')(x)
    return nn.BatchNorm(
        use_running_average=not train, momentum=0.9, epsilon=1e-5,
        dtype=self.dtype, name='bn')(x)
