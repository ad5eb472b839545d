"""Pointwise and depth-wise convolutions in the form that suits the device.

Two forms of equal value each, as of `correlation.correlate`: the convolution is
the reference and what accelerators run. A CPU runs a 1x1 as a product of
matrices, whose gradient is several times faster, and a depth-wise one as
shifted multiply-adds: XLA:CPU's grouped convolution is tens of times slower.
The depth-wise one's gradient is in that form everywhere, see there.
"""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from siamkpn_jax.models.correlation import tap_products


def pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """1x1 convolution: [b, h, w, i], [1, 1, i, o] -> [b, h, w, o]."""
  return jax.lax.platform_dependent(
      x, kernel, cpu=pointwise_product, default=pointwise_convolution)


def pointwise_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """`pointwise` as a convolution."""
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def pointwise_product(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """`pointwise` as one product of matrices."""
  y = x.reshape(-1, x.shape[-1]) @ kernel[0, 0]
  return y.reshape(*x.shape[:-1], kernel.shape[-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
  """Depth-wise convolution without padding, in the form that suits the device.

  Args:
    x: [b, h, w, c], already padded.
    kernel: [kh, kw, 1, c].
    stride: step in both directions.

  Returns:
    [b, (h - kh) // stride + 1, (w - kw) // stride + 1, c].
  """
  return jax.lax.platform_dependent(
      x, kernel,
      cpu=functools.partial(depthwise_shifted, stride=stride),
      default=functools.partial(depthwise_grouped, stride=stride))


def depthwise_grouped(x: jax.Array, kernel: jax.Array,
                      stride: int) -> jax.Array:
  """`depthwise` as a grouped convolution."""
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), 'VALID',
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      feature_group_count=x.shape[-1])


def depthwise_shifted(x: jax.Array, kernel: jax.Array,
                      stride: int) -> jax.Array:
  """`depthwise` as a sum of shifted products."""
  # What makes x would be computed again for every tap.
  x = jax.lax.optimization_barrier(x)
  total = jnp.zeros((), jnp.result_type(x, kernel))
  for (i, j), window in _windows(x, kernel.shape[:2], stride):
    total = total + window * kernel[i, j, 0]
  return total  # b x h' x w' x c


def _windows(x: jax.Array, kernel_size: tuple[int, ...], stride: int
             ) -> Iterator[tuple[tuple[int, int], jax.Array]]:
  """Every tap (i, j) of a kernel with the part of `x` that it meets."""
  kh, kw = kernel_size
  h, w = x.shape[1] - kh + 1, x.shape[2] - kw + 1
  for i in range(kh):
    for j in range(kw):
      yield (i, j), x[:, i:i + h:stride, j:j + w:stride]


def _forward(x, kernel, stride):
  return depthwise(x, kernel, stride), (x, kernel)


def _backward(stride, residuals, g):  # g: b x h' x w' x c
  # By hand because the derivative that JAX finds pads and adds an array for
  # every tap.
  x, kernel = residuals
  x, g = jax.lax.optimization_barrier((x, g))
  kh, kw = kernel.shape[:2]
  spread = lambda size, out, k: (
      k - 1, size - (out - 1) * stride - 1, stride - 1)  # low, high, between
  padded = jax.lax.pad(g, jnp.zeros((), g.dtype), (
      (0, 0, 0), spread(x.shape[1], g.shape[1], kh),
      spread(x.shape[2], g.shape[2], kw), (0, 0, 0)))
  d_x = depthwise_shifted(padded, kernel[::-1, ::-1], 1)
  d_kernel = tap_products(x, g, (kh, kw), stride).sum(0).reshape(kernel.shape)
  return d_x.astype(x.dtype), d_kernel.astype(kernel.dtype)


depthwise.defvjp(_forward, _backward)
