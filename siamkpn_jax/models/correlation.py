"""Depth-wise cross-correlation, the operation that compares target and scene.

Two forms of equal value and gradient: grouped convolution is the reference and
what accelerators run; shifted multiply-adds is what a CPU runs, because
XLA:CPU's grouped convolution is tens of times slower there, in training too.
"""

import functools

import jax
import jax.numpy as jnp


def correlate(search: jax.Array, kernel: jax.Array) -> jax.Array:
  """Depth-wise cross-correlation in the form that suits the device.

  Args:
    search: [b, h, w, c] search features, already padded.
    kernel: [b, kh, kw, c] one kernel per example and channel.

  Returns:
    [b, h - kh + 1, w - kw + 1, c] responses.
  """
  return jax.lax.platform_dependent(
      search, kernel, cpu=correlate_shifted, default=correlate_grouped)


def correlate_grouped(search: jax.Array, kernel: jax.Array) -> jax.Array:
  """`correlate` as a grouped convolution."""
  def one(s, k):  # [h, w, c], [kh, kw, c]
    return jax.lax.conv_general_dilated(
        s[None], k[:, :, None, :], (1, 1), 'VALID',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=s.shape[-1])[0]
  return jax.vmap(one)(search, kernel)


@jax.custom_vjp
def correlate_shifted(search: jax.Array, kernel: jax.Array) -> jax.Array:
  """`correlate` as a sum of shifted products."""
  # What makes them would be computed again for every tap.
  search, kernel = jax.lax.optimization_barrier((search, kernel))
  total = jnp.zeros((), jnp.result_type(search, kernel))
  for (i, j), window in _windows(search, kernel.shape[1:3]):
    total = total + window * kernel[:, i, j][:, None, None]
  return total  # b x h' x w' x c


def tap_products(x: jax.Array, g: jax.Array, kernel_size: tuple[int, ...],
                 stride: int = 1) -> jax.Array:
  """The gradient of one example's kernel.

  A chain of sums over the rows, then one over the columns: XLA:CPU's own
  reductions are ten times slower, and one example at a time stays in the cache.

  Args:
    x: [h, w, c] what the kernel met, already padded.
    g: [h', w', c] gradient of the result.
    kernel_size: kh, kw.
    stride: step in both directions.

  Returns:
    [kh, kw, c].
  """
  kh, kw = kernel_size
  h, w = x.shape[0] - kh + 1, x.shape[1] - kw + 1
  taps = [_sum_first(x[i:i + h:stride, j:j + w:stride] * g)  # w' x c
          for i in range(kh) for j in range(kw)]
  total = _sum_first(jax.lax.optimization_barrier(jnp.stack(taps, axis=1)))
  return total.reshape(kh, kw, -1)


def _sum_first(x: jax.Array) -> jax.Array:
  """[n, ...] -> [...]."""
  return functools.reduce(jnp.add, list(x))


def _windows(search, kernel_size):
  """Every tap (i, j) of a kernel with the part of `search` that it meets."""
  kh, kw = kernel_size
  h, w = search.shape[1] - kh + 1, search.shape[2] - kw + 1
  for i in range(kh):
    for j in range(kw):
      yield (i, j), search[:, i:i + h, j:j + w]


def _shifted_forward(search, kernel):
  return correlate_shifted(search, kernel), (search, kernel)


def _shifted_backward(residuals, g):  # g: b x h' x w' x c
  # By hand because the derivative that JAX finds pads and adds 25 arrays.
  search, kernel = residuals
  search, g = jax.lax.optimization_barrier((search, g))
  kh, kw = kernel.shape[1:3]
  padded = jnp.pad(g, ((0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1), (0, 0)))
  d_search = correlate_shifted(padded, kernel[:, ::-1, ::-1])
  d_kernel = jax.lax.map(
      lambda one: tap_products(one[0], one[1], kernel.shape[1:3]), (search, g))
  return d_search.astype(search.dtype), d_kernel.astype(kernel.dtype)


correlate_shifted.defvjp(_shifted_forward, _shifted_backward)
