"""Depth-wise cross-correlation, the operation that compares target and scene.

Two forms of equal value: grouped convolution is the reference and what
accelerators run; shifted multiply-adds is what a CPU runs, because XLA:CPU's
grouped convolution is tens of times slower there. The gradient is in the second
form everywhere: with grouped convolutions, XLA tried ways to compute a training
step on a GPU for minutes (docs/performance.md).
"""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp


@jax.custom_vjp
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


def correlate_shifted(search: jax.Array, kernel: jax.Array) -> jax.Array:
  """`correlate` as a sum of shifted products."""
  # What makes them would be computed again for every tap.
  search, kernel = jax.lax.optimization_barrier((search, kernel))
  return sum_of_taps(search, kernel)


def sum_of_taps(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
  """The sum of what each tap of a kernel meets, times the tap.

  In primitives, because a second run still traces it: operators and indices
  take longer there.

  Args:
    x: [b, h, w, c], already padded.
    kernel: [b or 1, kh, kw, c].
    stride: step in both directions.

  Returns:
    [b, h', w', c].
  """
  dtype = jnp.result_type(x, kernel)
  x, kernel = x.astype(dtype), kernel.astype(dtype)
  b, _, _, c = kernel.shape
  products = []
  for (i, j), window in windows(x, kernel.shape[1:3], stride):
    tap = jax.lax.slice(kernel, (0, i, j, 0), (b, i + 1, j + 1, c))
    products.append(jax.lax.mul(window, jax.lax.broadcast_in_dim(
        tap, window.shape, range(window.ndim))))
  return functools.reduce(jax.lax.add, products)


def tap_products(x: jax.Array, g: jax.Array, kernel_size: tuple[int, ...],
                 stride: int = 1) -> jax.Array:
  """The gradient of each example's kernel.

  One row of the result after the other, each as a sum of shifted products in
  which the row takes the kernel's part: XLA:CPU's reduction of a product of
  shifted arrays is tens of times slower, and a total that still has the row's
  cells does not fit its caches.

  Args:
    x: [b, h, w, c] what the kernels met, already padded.
    g: [b, h', w', c] gradient of the result.
    kernel_size: kh, kw.
    stride: step in both directions.

  Returns:
    [b, kh, kw, c].
  """
  kh, kw = kernel_size
  b, h, w, c = g.shape
  wide = jnp.promote_types(jnp.result_type(x, g), jnp.float32)

  def add(total, r):
    rows = jax.lax.dynamic_slice_in_dim(x, r * stride, kh, axis=1)
    row = jax.lax.dynamic_slice_in_dim(g, r, 1, axis=1)  # b x 1 x w' x c
    rows, row = rows.astype(wide), row.astype(wide)
    for k in range(w):
      at = k * stride
      total = total + rows[:, :, at:at + kw] * row[:, :, k:k + 1]
    return total, None

  start = jnp.zeros((b, kh, kw, c), wide)
  return jax.lax.scan(add, start, jnp.arange(h))[0]


def windows(x: jax.Array, kernel_size: tuple[int, ...], stride: int
            ) -> Iterator[tuple[tuple[int, int], jax.Array]]:
  """Every tap (i, j) of a kernel with the part of `x` that it meets."""
  kh, kw = kernel_size
  b, h, w, c = x.shape
  for i in range(kh):
    for j in range(kw):
      yield (i, j), jax.lax.slice(
          x, (0, i, j, 0), (b, i + h - kh + 1, j + w - kw + 1, c),
          (1, stride, stride, 1))


def _forward(search, kernel):
  return correlate(search, kernel), (search, kernel)


def _backward(residuals, g):  # g: b x h' x w' x c
  # By hand because the derivative that JAX finds pads and adds 25 arrays.
  search, kernel = residuals
  search, g = jax.lax.optimization_barrier((search, g))
  kh, kw = kernel.shape[1:3]
  padded = jnp.pad(g, ((0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1), (0, 0)))
  d_search = correlate_shifted(padded, kernel[:, ::-1, ::-1])
  d_kernel = tap_products(search, g, kernel.shape[1:3])
  return d_search.astype(search.dtype), d_kernel.astype(kernel.dtype)


correlate.defvjp(_forward, _backward)
