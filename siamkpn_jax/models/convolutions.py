"""Convolutions in the form that suits the device and the shape.

Two forms of equal value each, as of `correlation.correlate`: the convolution is
the reference and what accelerators run. A CPU runs a 1x1 as a product of
matrices, whose gradient is several times faster, and a depth-wise one as
shifted multiply-adds: XLA:CPU's grouped convolution is tens of times slower.
The depth-wise one's gradient is in that form everywhere, see there. The first
convolution of a compact backbone is a sum of products on a CPU, in half the
time; its gradient is the convolution's.
"""

import functools

import jax
import jax.numpy as jnp

from siamkpn_jax.models.correlation import sum_of_taps, tap_products, windows

_NHWC = ('NHWC', 'HWIO', 'NHWC')
FEW_TAPS = 9  # of a kernel on an image; ResNet's 7x7 is faster otherwise
_COLORS = 3

def convolution(x: jax.Array, kernel: jax.Array, stride: int, padding: int,
                dilation: int) -> jax.Array:
  """A convolution of all channels, in the form that suits device and shape.

  Args:
    x: [b, h, w, i].
    kernel: [kh, kw, i, o].
    stride: step in both directions.
    padding: rows and columns of zeros on each side.
    dilation: distance of the kernel's taps.

  Returns:
    [b, h', w', o].
  """
  kh, kw, channels, _ = kernel.shape
  if (kh * kw <= FEW_TAPS and channels == _COLORS and
      (padding, dilation) == (0, 1)):
    return narrow(x, kernel, stride)
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), [(padding, padding)] * 2,
      rhs_dilation=(dilation, dilation), dimension_numbers=_NHWC)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def narrow(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  """`convolution` without padding of an image, by a kernel of few taps."""
  return jax.lax.platform_dependent(
      x, kernel,
      cpu=functools.partial(narrow_shifted, stride=stride),
      default=functools.partial(narrow_convolution, stride=stride))


def narrow_convolution(x: jax.Array, kernel: jax.Array,
                       stride: int) -> jax.Array:
  """`narrow` as a convolution."""
  return jax.lax.conv_general_dilated(
      x, kernel, (stride, stride), 'VALID', dimension_numbers=_NHWC)


def narrow_shifted(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
  """`narrow` as a sum of products, one for each tap and channel."""
  x = jax.lax.optimization_barrier(x)
  total = jnp.zeros((), jnp.result_type(x, kernel))
  for (i, j), window in windows(x, kernel.shape[:2], stride):
    for c in range(x.shape[-1]):
      total = total + window[..., c:c + 1] * kernel[i, j, c]
  return total  # b x h' x w' x o


def _narrow_forward(x, kernel, stride):
  return narrow(x, kernel, stride), (x, kernel)


def _narrow_backward(stride, residuals, g):
  _, gradient = jax.vjp(functools.partial(narrow_convolution, stride=stride),
                        *residuals)
  return gradient(g)


narrow.defvjp(_narrow_forward, _narrow_backward)


def pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """1x1 convolution: [b, h, w, i], [1, 1, i, o] -> [b, h, w, o]."""
  return jax.lax.platform_dependent(
      x, kernel, cpu=pointwise_product, default=pointwise_convolution)


def pointwise_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """`pointwise` as a convolution."""
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), 'VALID', dimension_numbers=_NHWC)


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
      x, kernel, (stride, stride), 'VALID', dimension_numbers=_NHWC,
      feature_group_count=x.shape[-1])


def depthwise_shifted(x: jax.Array, kernel: jax.Array,
                      stride: int) -> jax.Array:
  """`depthwise` as a sum of shifted products."""
  # What makes x would be computed again for every tap.
  x = jax.lax.optimization_barrier(x)
  return sum_of_taps(x, jnp.moveaxis(kernel, 2, 0), stride)


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
