"""3x3 convolutions by Winograd's method: a quarter of the products, or half.

A tile of 4x4 results needs 6x6 inputs and, instead of 144 products for each
pair of channels, 36 in transformed coordinates; one of 2x2 needs 16 instead of
36 (A. Lavin and S. Gray: Fast Algorithms for Convolutional Neural Networks,
CVPR 2016). A tracker's kernel is transformed once, to 4 or 1.8 times its size.
Rounding grows to some 1e-5 of the largest value, which suits float32 alone.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Matrix = Sequence[Sequence[float]]


class _Form(NamedTuple):
  """F(m, 3) along one axis: m results of m + 2 inputs.

  Attributes:
    input: [m + 2, m + 2].
    kernel: [m + 2, 3].
    result: [m, m + 2].
  """

  input: Matrix
  kernel: Matrix
  result: Matrix


_FORMS = {
    2: _Form(
        ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
        ((1, 1, 1, 0), (0, 1, -1, -1))),
    4: _Form(
        ((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
         (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1)),
        ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
         (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1)),
        ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0),
         (0, 1, -1, 8, -8, 1)))}


def transform_kernel(kernel: Any, step: int) -> Any:
  """For `convolve`; an array of numpy or JAX, as the kernel is.

  Args:
    kernel: [3, 3, i, o].
    step: results along a side of a tile, 2 or 4.

  Returns:
    [(step + 2)^2, i, o].
  """
  both = _both(step).astype(kernel.dtype)
  return (both @ kernel.reshape(9, -1)).reshape(-1, *kernel.shape[2:])


def _both(step: int) -> np.ndarray:
  """[(step + 2)^2, 9] of a kernel's two axes."""
  one = np.array(_FORMS[step].kernel)
  # Column by row: `convolve` transforms rows first, and stacks columns outside.
  return np.einsum('ay,bx->bayx', one, one).reshape(-1, 9)


def convolve(x: jax.Array, transformed: jax.Array, padding: int,
             dilation: int) -> jax.Array:
  """A 3x3 convolution of stride 1.

  Args:
    x: [b, h, w, i].
    transformed: [36, i, o] or [16, i, o], of the kernel.
    padding: rows and columns of zeros on each side.
    dilation: distance of the kernel's taps.

  Returns:
    [b, h', w', o].
  """
  batch = x.shape[0]
  side = math.isqrt(len(transformed))
  step = side - 2
  form = _FORMS[step]
  out = [size + 2 * (padding - dilation) for size in x.shape[1:3]]
  tiles = [-(-size // (dilation * step)) for size in out]
  v = _inputs(x, step, tiles, padding, dilation)
  y = jnp.matmul(v, transformed)
  y = y.reshape(side, side, batch * dilation**2, *tiles, -1)
  y = _sums(form.result, y, axis=4)  # k x b' x th x tw x step x o
  y = _sums(form.result, y, axis=2)  # b' x th x step x tw x step x o
  y = _join(y.reshape(-1, *(step * n for n in tiles), y.shape[-1]), dilation)
  return y[:, :out[0], :out[1]]


def gradients(x: jax.Array, kernel: jax.Array, g: jax.Array, *, step: int,
              padding: int, dilation: int) -> tuple[jax.Array, jax.Array]:
  """Of x and of a kernel that is not transformed.

  Args:
    x: as of `convolve`.
    kernel: [3, 3, i, o].
    g: [b, h', w', o] gradient of the result.
    step: results along a side of a tile.
    padding: as of `convolve`.
    dilation: as of `convolve`.

  Returns:
    [b, h, w, i] and [3, 3, i, o].
  """
  side, form = step + 2, _FORMS[step]
  tiles = [-(-size // (dilation * step)) for size in g.shape[1:3]]
  v = _inputs(x, step, tiles, padding, dilation)
  g = _split(g, [step * n for n in tiles], 0, dilation)
  spread = _transposed(form.result)
  g = _tiles(spread, g, step, tiles[0], axis=1)
  g = _tiles(spread, g, step, tiles[1], axis=3)
  g = jax.lax.optimization_barrier(g.reshape(side**2, -1, kernel.shape[-1]))
  products = jnp.einsum('kti,kto->kio', v, g).reshape(side**2, -1)
  d_kernel = jnp.matmul(_both(step).T.astype(kernel.dtype), products)
  d_v = jnp.einsum('kto,kio->kti', g, transform_kernel(kernel, step))
  d_v = d_v.reshape(side, side, -1, *tiles, x.shape[-1])
  d_x = _overlaps(form.input, d_v, axis=3)
  d_x = _overlaps(form.input, d_x, axis=1)
  d_x = _join(d_x, dilation)
  h, w = x.shape[1:3]
  d_x = d_x[:, padding:padding + h, padding:padding + w]
  return d_x, d_kernel.reshape(kernel.shape)


def _inputs(x: jax.Array, step: int, tiles: Sequence[int], padding: int,
            dilation: int) -> jax.Array:
  """[b, h, w, i] -> [(step + 2)^2, b d d th tw, i], transformed."""
  form = _FORMS[step]
  parts = _split(x, [step * n + 2 for n in tiles], padding, dilation)
  # From here b' = b d d, and k x k are the coordinates of a tile.
  v = _tiles(form.input, parts, step, tiles[0], axis=1)  # k x b' x th x w' x i
  v = _tiles(form.input, v, step, tiles[1], axis=3)
  # From k x k x b' x th x tw x i. XLA:CPU would compute what makes an array
  # again for each of its uses.
  return jax.lax.optimization_barrier(
      v.reshape((step + 2)**2, -1, x.shape[-1]))


def _split(x: jax.Array, sides: Sequence[int], padding: int,
           dilation: int) -> jax.Array:
  """[b, h, w, c] -> [b d d, *sides, c]: padded, every d-th row and column."""
  b, c = x.shape[0], x.shape[-1]
  x = jnp.pad(x, ((0, 0), *(
      (padding, dilation * side - padding - size)
      for side, size in zip(sides, x.shape[1:3], strict=True)), (0, 0)))
  if dilation > 1:
    x = x.reshape(b, sides[0], dilation, sides[1], dilation, c)
    x = x.transpose(0, 2, 4, 1, 3, 5).reshape(-1, *sides, c)
  return x


def _join(x: jax.Array, dilation: int) -> jax.Array:
  """[b d d, h, w, c] -> [b, d h, d w, c], `_split` undone."""
  if dilation == 1:
    return x
  _, h, w, c = x.shape
  x = x.reshape(-1, dilation, dilation, h, w, c).transpose(0, 3, 1, 4, 2, 5)
  return x.reshape(-1, h * dilation, w * dilation, c)


def _tiles(matrix: Matrix, x: jax.Array, step: int, tiles: int,
           axis: int) -> jax.Array:
  """Tiles every `step` along an axis, transformed; stacked in front."""
  x = jax.lax.optimization_barrier(x)
  parts = [jax.lax.slice_in_dim(x, i, i + step * (tiles - 1) + 1, step, axis)
           for i in range(len(matrix[0]))]
  return jnp.stack([_sum(row, parts) for row in matrix])


def _overlaps(matrix: Matrix, v: jax.Array, axis: int) -> jax.Array:
  """`_tiles` of overlapping ones transposed: the sum over all tiles."""
  v = jax.lax.optimization_barrier(v)
  step = len(v) - 2
  parts = [_sum(column, list(v)) for column in _transposed(matrix)]
  inside = jnp.stack(parts[:step], axis + 1)  # ... x tiles x step x ...
  beyond = jnp.stack(parts[step:], axis + 1)  # the next tile's first two
  pad = lambda x, tiles, cells: jnp.pad(
      x, [(0, 0)] * axis + [tiles, cells] + [(0, 0)] * (x.ndim - axis - 2))
  total = pad(inside, (0, 1), (0, 0)) + pad(beyond, (1, 0), (0, step - 2))
  return total.reshape(*total.shape[:axis], -1, *total.shape[axis + 2:])


def _transposed(matrix: Matrix) -> Matrix:
  return tuple(zip(*matrix, strict=True))


def _sums(matrix: Matrix, x: jax.Array, axis: int) -> jax.Array:
  """What is stacked in front, transformed; stacked at an axis."""
  x = jax.lax.optimization_barrier(x)
  return jnp.stack([_sum(row, list(x)) for row in matrix], axis=axis)


def _sum(factors: Sequence[float], terms: Sequence[jax.Array]) -> jax.Array:
  parts = [term * factor if factor != 1 else term
           for factor, term in zip(factors, terms, strict=True) if factor]
  return sum(parts[1:], parts[0])
