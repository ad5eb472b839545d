"""Convolutions with batch normalization, of which all else is built."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from siamkpn_jax.models import initializers, wide, winograd
from siamkpn_jax.models.convolutions import convolution, depthwise, pointwise

EPSILON = 1e-5
WINOGRAD = 'winograd'  # a transformed kernel
_MOMENTUM = 0.1  # of the running statistics; PyTorch's convention


class BatchNorm(nn.Module):
  """Batch normalization whose statistics are those of PyTorch (SPEC 2).

  The batch is normalized with its biased variance, the running variance takes
  the unbiased one. Flax's own takes the biased one there, which for the 5x5
  kernels of a small batch is several per cent less. Variance is computed around
  the mean, not as a difference of squares, because inputs of 0..255 would lose
  digits. Under `jax.jit` with a batch sharded over a mesh, the statistics are
  those of the global batch.

  Without a scale in its variables it adds its bias alone, and without a bias
  nothing: all else was folded into convolutions (inference.py).

  Attributes:
    dtype: of the result; statistics are at least float32.
  """

  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> the same shape."""
    shape = x.shape[-1:]
    folded = not (self.is_initializing() or
                  self.has_variable('params', 'scale'))
    if folded and not self.has_variable('params', 'bias'):
      return x
    bias = parameter(self, 'bias', nn.initializers.zeros, shape)
    if folded:
      y = x.astype(jnp.promote_types(x.dtype, jnp.float32)) + bias
      return y.astype(self.dtype or y.dtype)
    scale = parameter(self, 'scale', nn.initializers.ones, shape)
    running_mean = self.variable('batch_stats', 'mean', jnp.zeros, shape)
    running_var = self.variable('batch_stats', 'var', jnp.ones, shape)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean, var = running_mean.value, running_var.value
    if train:
      mean = x.mean(axis=(0, 1, 2))
      var = jnp.square(x - mean).mean(axis=(0, 1, 2))
      if not self.is_initializing():
        count = x.size // x.shape[-1]
        move = lambda old, new: old + _MOMENTUM * (new - old)
        running_mean.value = move(running_mean.value, mean)
        running_var.value = move(
            running_var.value, var * (count / max(count - 1, 1)))
    y = (x - mean) * (jax.lax.rsqrt(var + EPSILON) * scale) + bias
    return y.astype(self.dtype or y.dtype)


class Pointwise(nn.Module):
  """A 1x1 convolution without bias, see `convolutions.pointwise`.

  Attributes:
    features: output channels.
    dtype: of the computation; the kernel stays float32.
    kernel_init: its first values.
  """

  features: int
  dtype: Any = None
  kernel_init: nn.initializers.Initializer = initializers.he

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[b, h, w, c] -> [b, h, w, features]."""
    kernel = parameter(self, 'kernel', self.kernel_init,
                       (1, 1, x.shape[-1], self.features))
    x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
    return pointwise(x, kernel)


class Convolution(nn.Module):
  """A convolution without bias, see `convolutions.convolution`.

  With a 'winograd' in place of the kernel in its variables (inference.py) it is
  computed in that way.

  Attributes: see `ConvBN`.
  """

  features: int
  kernel_size: int
  stride: int
  padding: int
  dilation: int
  dtype: Any
  kernel_init: nn.initializers.Initializer

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', features]; `train` if with a gradient."""
    size = self.kernel_size
    if self.has_variable('params', WINOGRAD):
      assert (size, self.stride) == (3, 1), self.name
      return winograd.convolve(
          x, self.get_variable('params', WINOGRAD), self.padding,
          self.dilation)
    kernel = parameter(self, 'kernel', self.kernel_init,
                       (size, size, x.shape[-1], self.features))
    x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
    if train and wide.suits(
        x, kernel, self.stride, self.padding, self.dilation):
      return wide.convolve(x, kernel, self.padding, self.dilation)
    return convolution(x, kernel, self.stride, self.padding, self.dilation)


class Depthwise(nn.Module):
  """A depth-wise convolution without bias, see `convolutions.depthwise`.

  Attributes:
    kernel_size: side of the square kernel.
    stride: step in both directions.
    padding: rows and columns of zeros on each side.
    dtype: of the computation; the kernel stays float32.
    kernel_init: its first values.
  """

  kernel_size: int
  stride: int = 1
  padding: int = 0
  dtype: Any = None
  kernel_init: nn.initializers.Initializer = initializers.he_depthwise

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', c]."""
    size, pad = self.kernel_size, (self.padding, self.padding)
    kernel = parameter(self, 'kernel', self.kernel_init,
                       (size, size, 1, x.shape[-1]))
    x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)
    x = jnp.pad(x, ((0, 0), pad, pad, (0, 0)))
    return depthwise(x, kernel, self.stride)


class DepthwiseBN(nn.Module):
  """`Depthwise`, then batch normalization; no activation.

  Attributes: see `Depthwise`.
  """

  kernel_size: int
  stride: int = 1
  padding: int = 0
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', c]."""
    x = Depthwise(self.kernel_size, self.stride, self.padding, self.dtype,
                  name='conv')(x)
    return BatchNorm(self.dtype, name='bn')(x, train=train)


class SeparableConvBN(nn.Module):
  """A `ConvBN` of the head with its kernel factored: depth-wise, then 1x1.

  Both kernels start near the identity.

  Attributes:
    features: output channels.
    kernel_size: side of the square depth-wise kernel.
    padding: rows and columns of zeros on each side.
    dtype: of the computation; parameters stay float32.
  """

  features: int
  kernel_size: int = 3
  padding: int = 0
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', features]."""
    x = Depthwise(
        self.kernel_size, padding=self.padding, dtype=self.dtype,
        kernel_init=initializers.near_identity_depthwise, name='depthwise')(x)
    x = Pointwise(self.features, self.dtype, initializers.near_identity,
                  name='conv')(x)
    return BatchNorm(self.dtype, name='bn')(x, train=train)


class ConvBN(nn.Module):
  """Convolution without bias, then batch normalization; no activation.

  Attributes:
    features: output channels.
    kernel_size: side of the square kernel.
    stride: step in both directions.
    padding: rows and columns of zeros on each side.
    dilation: distance of the kernel's taps.
    dtype: of the computation; parameters stay float32.
    kernel_init: first values of the kernel.
  """

  features: int
  kernel_size: int = 3
  stride: int = 1
  padding: int = 0
  dilation: int = 1
  dtype: Any = None
  kernel_init: nn.initializers.Initializer = initializers.he

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', features]."""
    if (self.kernel_size, self.stride, self.padding) == (1, 1, 0):
      x = Pointwise(
          self.features, self.dtype, self.kernel_init, name='conv')(x)
    else:
      x = Convolution(
          self.features, self.kernel_size, self.stride, self.padding,
          self.dilation, self.dtype, self.kernel_init, name='conv')(
              x, train=train)
    return BatchNorm(self.dtype, name='bn')(x, train=train)


def parameter(module: nn.Module, name: str,
              init: nn.initializers.Initializer,
              shape: tuple[int, ...]) -> jax.Array:
  """`module.param`, which traces `init` to know its shape.

  Without that, and with taps as primitives (correlation.py), both programs of
  a tracker of kpn3s_nano are traced in 0.8 s of CPU time instead of 1.4.
  """
  value: jax.Array | None = module.get_variable('params', name)
  if value is None or jnp.shape(value) != shape:  # makes it, or raises
    return module.param(name, init, shape)
  return value


def call(method: Callable, module: nn.Module, *args: jax.Array, train: bool,
         remat: bool) -> Any:
  """`method(module, *args, train=train)`.

  With `remat` only its arguments and results are kept for the gradient; what
  lies between is computed again there: less memory for a second forward pass.
  """
  def run(module, *args):
    return method(module, *args, train=train)
  return (nn.remat(run) if remat else run)(module, *args)
