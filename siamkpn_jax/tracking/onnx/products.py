"""Products of matrices, for `Graph`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from siamkpn_jax.tracking.onnx.graph import (
    Graph,
    Tensor,
    Value,
    name_of,
    stored_as,
)


def dot(graph: Graph, a: Value, b: Value, shape: Sequence[int],
        p: Mapping[str, Any]) -> Tensor:
  """dot_general over one axis of each."""
  (a_axes, b_axes), (a_batch, b_batch) = p['dimension_numbers']
  if len(a_axes) != 1:
    raise NotImplementedError('a product over several axes')
  if not a_batch:
    if not isinstance(a, Tensor) and a.ndim == 1:  # a weighted mean
      wide = [-1 if k == b_axes[0] else 1 for k in range(len(b.shape))]
      weighted = graph.elementwise('Mul', [a.reshape(wide), b], b.shape)
      return graph.reduce('ReduceSum', weighted, shape, b_axes)
    near = _dot_where_it_lies(graph, a, a_axes[0], b, b_axes[0], shape)
    if near is not None:
      return near
  left = _matrix(graph, a, a_axes[0], a_batch, last=True)
  right = _matrix(graph, b, b_axes[0], b_batch, last=False)
  name = graph.add('MatMul', [name_of(left), name_of(right)])
  flat = *left.shape[:-1], right.shape[-1]
  return graph.reshape(stored_as(name, flat, range(len(flat))), shape)


def _dot_where_it_lies(graph: Graph, a: Value, a_axis: int, b: Value,
                       b_axis: int, shape: Sequence[int]) -> Tensor | None:
  """Tensor times constant matrix, where the axis is stored as a last one.

  It moves nothing. None for other products.
  """
  first = isinstance(a, Tensor)
  (x, axis), (matrix, k) = ((a, a_axis), (b, b_axis))[::1 if first else -1]
  if isinstance(matrix, Tensor) or matrix.ndim != 2:
    return None
  x = graph.lay(x, x.axes)
  from_end = x.axes[::-1].index(axis)
  if from_end > 1:
    return None
  matrix = np.moveaxis(matrix, k, 1)  # o x n
  name = graph.add('MatMul', [x.name, matrix.T] if from_end == 0 else
                   [matrix, x.name])
  rest = [n for n in range(len(x.shape)) if n != axis]
  new = len(rest) if first else 0  # where the result has o
  return stored_as(name, shape, [
      new if n == axis else rest.index(n) + (not first) for n in x.axes])


def _matrix(graph: Graph, value: Value, axis: int, batch: Sequence[int], *,
            last: bool) -> Value:
  """A value as matrices whose last or first axis is the given one."""
  rest = [k for k in range(len(value.shape)) if k not in (axis, *batch)]
  axes = [*batch, *rest, axis] if last else [*batch, axis, *rest]
  size = math.prod(value.shape[k] for k in rest)
  flat = [value.shape[k] for k in batch] + (
      [size, value.shape[axis]] if last else [value.shape[axis], size])
  if not isinstance(value, Tensor):
    return value.transpose(axes).reshape(flat)
  return graph.lay(graph.reshape(graph.transpose(value, axes), flat),
                    range(len(flat)))
