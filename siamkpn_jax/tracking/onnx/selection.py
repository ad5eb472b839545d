"""Operations by which a cell is chosen, for `Graph`.

Indices of a JAX program are int32, those of ONNX int64: all are int64 there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from siamkpn_jax.tracking.onnx.graph import Graph, Tensor, Value, stored_as

_FLOAT = onnx.TensorProto.FLOAT


def top_k(graph: Graph, x: Tensor, p: Mapping[str, Any]) -> list[Tensor]:
  """The k largest values along an axis, and where they are."""
  x, axis = _in_order(graph, x), p['axis']
  shape = [p['k'] if a == axis else n for a, n in enumerate(x.shape)]
  cells = graph.add('TopK', [x.name, np.array([p['k']])], axis=axis)
  values = graph.add('GatherElements', [x.name, cells], axis=axis)
  return [stored_as(name, shape, range(len(shape))) for name in (values, cells)]


def argmax(graph: Graph, x: Tensor, shape: Sequence[int],
           p: Mapping[str, Any]) -> Tensor:
  """Where the first of the largest values along an axis is."""
  x = _in_order(graph, x)
  name = graph.add('ArgMax', [x.name], axis=int(p['axes'][0]), keepdims=0)
  return stored_as(name, shape, range(len(shape)))


def gather(graph: Graph, x: Value, start: Value, shape: Sequence[int],
           p: Mapping[str, Any]) -> Tensor:
  """x[b, start[b]] of every example b; other axes are taken whole.

  Or a part of x at a known place, which is what slices become where the size
  of the batch is not known.
  """
  numbers, sizes = p['dimension_numbers'], p['slice_sizes']
  if not isinstance(start, Tensor) and start.ndim == 1:
    return _part(graph, x, start, shape, p)
  axes = [a for a in numbers.start_index_map if sizes[a] != x.shape[a]]
  whole = [n if a in (0, 1) else sizes[a] for a, n in enumerate(x.shape)]
  if (axes != [1] or sizes[1] != 1 or whole != list(x.shape) or
      tuple(numbers.operand_batching_dims) != (0,) or len(start.shape) != 2):
    raise NotImplementedError('gather: other than one cell of each example')
  column = list(numbers.start_index_map).index(1)
  # A start along a whole axis is clamped to 0, so one column counts.
  index = _in_order(graph, start)
  one = graph.add('Slice', [index.name, np.array([column]),
                            np.array([column + 1]), np.array([1])])
  one = graph.add('Clip', [one, np.array(0), np.array(x.shape[1] - 1)])
  name = graph.add('GatherND', [_in_order(graph, x).name, one], batch_dims=1)
  rest = (x.shape[0], *x.shape[2:])
  return graph.reshape(stored_as(name, rest, range(len(rest))), shape)


def _part(graph: Graph, x: Tensor, start: np.ndarray, shape: Sequence[int],
          p: Mapping[str, Any]) -> Tensor:
  sizes, first = p['slice_sizes'], [0] * len(x.shape)
  for axis, place in zip(p['dimension_numbers'].start_index_map, start,
                         strict=True):
    first[axis] = int(place)
  end = [n + size for n, size in zip(first, sizes, strict=True)]
  part = graph.slice(x, sizes, {
      'start_indices': first, 'limit_indices': end, 'strides': None})
  return graph.reshape(part, shape)


def scatter(graph: Graph, x: Value, start: Tensor, update: Tensor,
            shape: Sequence[int], p: Mapping[str, Any]) -> Tensor:
  """What x is with x[b, start[b, i]] = update[b, i] of every example b."""
  numbers = p['dimension_numbers']
  if (p['update_jaxpr'] is not None or numbers.update_window_dims or
      tuple(numbers.operand_batching_dims) != (0,) or len(shape) != 2):
    raise NotImplementedError('scatter: other than to cells of each example')
  whole = (_in_order(graph, x).name if isinstance(x, Tensor) else
           graph.expand(x, shape))
  cells = _in_order(graph, graph.reshape(start, start.shape[:-1]))
  name = graph.add('ScatterElements', [
      whole, cells.name, _in_order(graph, update).name], axis=1)
  return stored_as(name, shape, (0, 1))


def is_finite(graph: Graph, x: Tensor) -> Tensor:
  """Neither infinite nor NaN, which is less than nothing."""
  magnitude = graph.elementwise('Abs', [x], x.shape)
  return graph.elementwise('Less', [magnitude, np.float32(np.inf)], x.shape)


def reduce_and(graph: Graph, x: Tensor, shape: Sequence[int],
               axes: Sequence[int]) -> Tensor:
  """Whether all along some axes are true."""
  least = graph.reduce('ReduceMin', to_float(graph, x), shape, axes)
  return graph.elementwise('Greater', [least, np.float32(0)], shape)


def to_float(graph: Graph, x: Tensor) -> Tensor:
  """Truth values or whole numbers as float32."""
  name = graph.add('Cast', [x.name], to=_FLOAT)
  return Tensor(name, x.shape, x.stored, x.order)


def _in_order(graph: Graph, x: Tensor) -> Tensor:
  """The tensor, stored as JAX has it."""
  return graph.lay(x, range(len(x.shape)))
