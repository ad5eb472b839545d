"""Wide 3x3 convolutions in training: Winograd's method on a CPU.

The same products in transformed coordinates give the result and both gradients
with fewer operations. The kernel is transformed in every step, which pays for
many channels and maps that are not small.
"""

import functools

import jax
import jax.numpy as jnp

from siamkpn_jax.models import winograd
from siamkpn_jax.models.convolutions import convolution

CHANNELS = 256  # from which it is faster
_MAP = 9  # side of the smallest result for which it is
_STEP = 4  # results along a side of a tile


def suits(x: jax.Array, kernel: jax.Array, stride: int, padding: int,
          dilation: int) -> bool:
  """Whether `convolve` may be faster; always equal up to rounding."""
  side = min(x.shape[1:3]) + 2 * (padding - dilation)
  return (kernel.shape[:2] == (3, 3) and stride == 1 and side >= _MAP and
          min(kernel.shape[2:]) >= CHANNELS and
          jnp.result_type(x, kernel) == jnp.float32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x: jax.Array, kernel: jax.Array, padding: int,
             dilation: int) -> jax.Array:
  """A 3x3 convolution of stride 1, in the form that suits the device.

  Args:
    x: [b, h, w, i].
    kernel: [3, 3, i, o].
    padding: rows and columns of zeros on each side.
    dilation: distance of the kernel's taps.

  Returns:
    [b, h', w', o].
  """
  return jax.lax.platform_dependent(
      x, kernel,
      cpu=functools.partial(transformed, padding=padding, dilation=dilation),
      default=functools.partial(direct, padding=padding, dilation=dilation))


def direct(x: jax.Array, kernel: jax.Array, padding: int,
           dilation: int) -> jax.Array:
  """`convolve` as a convolution."""
  return convolution(x, kernel, 1, padding, dilation)


def transformed(x: jax.Array, kernel: jax.Array, padding: int,
                dilation: int) -> jax.Array:
  """`convolve` by Winograd's method."""
  return winograd.convolve(
      x, winograd.transform_kernel(kernel, _STEP), padding, dilation)


def _forward(x, kernel, padding, dilation):
  return convolve(x, kernel, padding, dilation), (x, kernel)


def _backward(padding, dilation, residuals, g):
  def as_convolution(x, kernel, g):
    form = functools.partial(direct, padding=padding, dilation=dilation)
    return jax.vjp(form, x, kernel)[1](g)
  # Nothing of the forward pass is kept for this one: transformed kernels are
  # four times as large.
  return jax.lax.platform_dependent(
      *jax.lax.optimization_barrier((*residuals, g)), default=as_convolution,
      cpu=functools.partial(
          winograd.gradients, step=_STEP, padding=padding, dilation=dilation))


convolve.defvjp(_forward, _backward)
