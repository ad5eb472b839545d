"""An ONNX graph that is built from the operations of a JAX program.

An array that is only transposed, or gains and loses axes of length 1, stays as
it is stored: see `Tensor`. So a convolution's result keeps its channels first,
as ONNX has them, through all that follows. Scales and shifts after a
convolution go into its weights, zeros around it into its padding.

The size of the batch may be unknown: a symbol of `jax.export`. A constant that
JAX repeats along it keeps a size of 1 there, which broadcasts.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CHANNELS_FIRST = (0, 3, 1, 2)  # of [b, h, w, c]


@dataclasses.dataclass(frozen=True)
class Tensor:
  """How the ONNX graph stores an array of the JAX program.

  Attributes:
    name: in the graph.
    shape: of the JAX array.
    stored: shape in the graph; axes of length 1 are anywhere, or missing.
    order: the JAX axes longer than 1, in the order in which they are stored.
  """

  name: str
  shape: tuple[int, ...]
  stored: tuple[int, ...]
  order: tuple[int, ...]

  @property
  def axes(self) -> tuple[int, ...]:
    """All JAX axes, in an order that needs no transposing."""
    short = [a for a, n in enumerate(self.shape) if n == 1]
    if len(self.stored) != len(self.shape):
      return (*short, *self.order)
    one, many = iter(short), iter(self.order)
    return tuple(next(one if n == 1 else many) for n in self.stored)


def stored_as(name: str, shape: Sequence[int], axes: Sequence[int]) -> Tensor:
  """An array whose axes are all stored, in this order."""
  return Tensor(name, tuple(shape), tuple(shape[a] for a in axes),
                tuple(a for a in axes if shape[a] != 1))


# What a variable of the JAX program is: constant or not.
Value = Any  # np.ndarray | Tensor


class Graph:
  """Nodes, each with one output, and the operations that make them.

  Attributes:
    nodes: output's name -> operation, inputs (names or arrays), attributes.
  """

  def __init__(self, batch: str = '') -> None:
    """An empty graph.

    Args:
      batch: the input whose first size is that of the batch, where it is not
        known.
    """
    self.nodes: dict[str, tuple[str, list[Any], dict[str, Any]]] = {}
    self._batch = batch

  def add(self, op: str, inputs: Sequence[Any], **attributes: Any) -> str:
    """A new node; returns its output's name."""
    name = f't{len(self.nodes)}'
    self.nodes[name] = op, list(inputs), attributes
    return name

  def lay(self, value: Value, axes: Sequence[int]) -> Any:
    """The value with its axes in this order: a `Tensor` or an array."""
    if not isinstance(value, Tensor):
      return value.transpose(axes) if value.ndim else value
    laid = stored_as(value.name, value.shape, axes)
    name, stored = value.name, value.stored
    if laid.order != value.order:
      place = dict(zip(value.order, (k for k, n in enumerate(stored) if n != 1),
                       strict=True))
      turn = [place[a] for a in laid.order]
      turn = [k for k, n in enumerate(stored) if n == 1] + turn
      name = self.add('Transpose', [name], perm=turn)
      stored = tuple(stored[k] for k in turn)
    if stored != laid.stored:
      name = self.add('Reshape', [name, _sizes(laid.stored)])
    return dataclasses.replace(laid, name=name)

  def elementwise(self, op: str, values: Sequence[Value],
                  shape: Sequence[int]) -> Tensor:
    """`op` of arrays that broadcast, in the order of the largest."""
    leader = max((v for v in values if isinstance(v, Tensor)),
                 key=lambda v: math.prod(map(abs, _sizes(v.shape))))
    if all(v is leader or (not isinstance(v, Tensor) and np.size(v) == 1)
           for v in values):
      laid = [v if isinstance(v, Tensor) else np.reshape(v, ())
              for v in values]
      return dataclasses.replace(leader, name=self._apply(op, laid))
    axes = leader.axes
    laid = [self.lay(v, axes) for v in values]
    return stored_as(self._apply(op, laid), shape, axes)

  def _apply(self, op: str, laid: Sequence[Value]) -> str:
    """`op` of values as they are stored."""
    folded = self._folded(op, laid)
    if folded is not None:
      return folded
    if op == 'Max' and not isinstance(laid[1], Tensor) and not np.any(laid[1]):
      op, laid = 'Relu', laid[:1]
    if op == 'Min' and not isinstance(laid[1], Tensor) and (
        np.size(laid[1]) == 1):
      kind, inputs, _ = self.nodes.get(name_of(laid[0]), ('', [], {}))
      if kind == 'Relu':  # ReLU6: as one it goes into the convolution before
        return self.add('Clip', [*inputs, np.float32(0), np.float32(laid[1])])
    return self.add(op, [name_of(v) for v in laid])

  def _folded(self, op: str, laid: Sequence[Value]) -> str | None:
    """A constant per channel, taken into the convolution before it."""
    if op not in ('Add', 'Sub', 'Mul', 'Div'):
      return None
    first = isinstance(laid[0], Tensor)
    tensor, constant = laid if first else laid[::-1]
    kind, inputs, attributes = self.nodes.get(name_of(tensor), ('', [], {}))
    if (kind != 'Conv' or isinstance(inputs[1], str) or
        isinstance(constant, Tensor) or (op == 'Div' and not first)):
      return None
    x, weights, bias = inputs
    c = np.asarray(constant, np.float64)
    if c.size > 1 and (c.ndim != 4 or c.shape[1] != c.size):
      return None
    c = c.reshape(-1)
    scale, shift = np.ones(1), np.zeros(1)
    if op in ('Mul', 'Div'):
      scale = c if op == 'Mul' else 1 / c
    elif op == 'Add':
      shift = c
    else:
      scale, shift = (scale, -c) if first else (-scale, c)
    weights = weights * np.reshape(scale, (-1, 1, 1, 1))
    return self.add('Conv', [x, weights, bias * scale + shift], **attributes)

  def convolution(self, x: Value, kernel: Value, shape: Sequence[int],
                  p: Mapping[str, Any]) -> Tensor:
    """conv_general_dilated."""
    if any(n != 1 for n in p['lhs_dilation']) or p['batch_group_count'] != 1:
      raise NotImplementedError('a transposed or batch-grouped convolution')
    numbers = p['dimension_numbers']
    source = name_of(self.lay(x, numbers.lhs_spec))
    pads = np.array(p['padding']).T.reshape(-1)
    kind, inputs, _ = self.nodes.get(source, ('', [], {}))
    if kind == 'Pad' and not inputs[2] and not inputs[1][[0, 1, 4, 5]].any():
      source, pads = inputs[0], pads + inputs[1][[2, 3, 6, 7]]
    inputs = [source, self.lay(kernel, numbers.rhs_spec)]
    if isinstance(inputs[1], Tensor):
      inputs[1] = inputs[1].name
    else:
      inputs[1] = inputs[1].astype(np.float64)
      inputs.append(np.zeros(len(inputs[1])))
    name = self.add(
        'Conv', inputs, group=p['feature_group_count'], pads=pads.tolist(),
        strides=list(p['window_strides']), dilations=list(p['rhs_dilation']))
    return stored_as(name, shape, numbers.out_spec)

  def pool(self, x: Tensor, shape: Sequence[int],
           p: Mapping[str, Any]) -> Tensor:
    """reduce_window_max over the two middle axes."""
    window, strides = p['window_dimensions'], p['window_strides']
    if window[0] * window[-1] * strides[0] * strides[-1] != 1:
      raise NotImplementedError('a maximum over batch or channels')
    name = self.add(
        'MaxPool', [self.lay(x, CHANNELS_FIRST).name],
        kernel_shape=list(window[1:3]), strides=list(strides[1:3]),
        pads=np.array(p['padding'][1:3]).T.reshape(-1).tolist())
    return stored_as(name, shape, CHANNELS_FIRST)

  def slice(self, x: Tensor, shape: Sequence[int],
            p: Mapping[str, Any]) -> Tensor:
    """Slice, with steps."""
    x = self.lay(x, x.axes)
    steps = p['strides'] or (1,) * len(shape)
    cut = [(k, p['start_indices'][a], p['limit_indices'][a], steps[a])
           for k, a in enumerate(x.axes) if shape[a] != x.shape[a]]
    if not cut:
      return x
    places, starts, limits, steps = map(np.array, zip(*cut, strict=True))
    name = self.add('Slice', [x.name, starts, limits, places, steps])
    return stored_as(name, shape, x.axes)

  def pad(self, x: Tensor, fill: np.ndarray, shape: Sequence[int],
          p: Mapping[str, Any]) -> Tensor:
    """Pads with a constant."""
    x = self.lay(x, x.axes)
    low, high, inside = np.array([p['padding_config'][a] for a in x.axes]).T
    if min(*low, *high) < 0 or inside.any():
      raise NotImplementedError('padding that cuts or spreads')
    name = self.add('Pad', [x.name, np.concatenate([low, high]),
                            np.float32(fill)])
    return stored_as(name, shape, x.axes)

  def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
    """In C order; axes of length 1 come and go without a node."""
    old, new = (
        [a for a, n in enumerate(s) if n != 1] for s in (x.shape, shape))
    if [x.shape[a] for a in old] == [shape[a] for a in new]:
      move = dict(zip(old, new, strict=True))
      return Tensor(x.name, tuple(shape), x.stored,
                    tuple(move[a] for a in x.order))
    x = self.lay(x, range(len(x.shape)))
    return stored_as(self.add('Reshape', [x.name, _sizes(shape)]), shape,
                   range(len(shape)))

  def transpose(self, x: Tensor, permutation: Sequence[int]) -> Tensor:
    """Another numbering of the axes; no node."""
    return Tensor(x.name, tuple(x.shape[a] for a in permutation), x.stored,
                  tuple(tuple(permutation).index(a) for a in x.order))

  def broadcast(self, x: Tensor, shape: Sequence[int],
                p: Mapping[str, Any]) -> Tensor:
    """broadcast_in_dim."""
    places = dict(zip(p['broadcast_dimensions'], x.shape, strict=True))
    x = self.reshape(x, [places.get(a, 1) for a in range(len(shape))])
    if x.shape == tuple(shape):
      return x
    x = self.lay(x, x.axes)
    wide = self.expand(x.name, [shape[a] for a in x.axes])
    return stored_as(wide, shape, x.axes)

  def expand(self, value: Any, stored: Sequence[Any]) -> str:
    """What is stored with sizes of 1, repeated to the given sizes."""
    target: Any = _sizes(stored)
    if min(target) < 0:
      batch = self.add('Shape', [self._batch], start=0, end=1)
      target = self.add('Concat', [
          batch if n < 0 else np.array([n]) for n in target], axis=0)
    return self.add('Expand', [value, target])

  def reduce(self, op: str, x: Tensor, shape: Sequence[int],
             axes: Sequence[int]) -> Tensor:
    """A sum or maximum over some axes."""
    if all(x.shape[a] == 1 for a in axes):
      return self.reshape(x, shape)
    kept = [1 if a in axes else n for a, n in enumerate(x.shape)]
    x = self.lay(x, x.axes)
    places = sorted(x.axes.index(a) for a in axes)
    name = (self.add(op, [x.name, np.array(places)]) if op == 'ReduceSum' else
            self.add(op, [x.name], axes=places))
    return self.reshape(stored_as(name, kept, x.axes), shape)

  def concatenate(self, values: Sequence[Value], axis: int,
                  shape: Sequence[int]) -> Tensor:
    """Along one axis."""
    axes = next(v for v in values if isinstance(v, Tensor)).axes
    laid = [self._part(v, axes, axis, shape) for v in values]
    name = (laid[0] if len(laid) == 1 else
            self.add('Concat', laid, axis=axes.index(axis)))
    return stored_as(name, shape, axes)

  def _part(self, value: Value, axes: Sequence[int], axis: int,
            shape: Sequence[int]) -> Any:
    """A value to be joined; a constant may lack the batch."""
    laid = self.lay(value, axes)
    if isinstance(laid, Tensor):
      return laid.name
    whole = tuple(value.shape[a] if a == axis else shape[a] for a in axes)
    return laid if laid.shape == whole else self.expand(laid, whole)

  def stack(self, values: Sequence[Value], axis: int,
            shape: Sequence[int]) -> Tensor:
    """Along a new axis."""
    one = [*shape[:axis], 1, *shape[axis + 1:]]
    return self.concatenate(
        [self.reshape(v, one) if isinstance(v, Tensor) else v.reshape(one)
         for v in values], axis, shape)


def name_of(value: Value) -> Any:
  """What a node has as its input for a value."""
  return value.name if isinstance(value, Tensor) else value


def _sizes(shape: Sequence[Any]) -> np.ndarray:
  """Sizes as ONNX has them: -1 for one that is not known."""
  return np.array([n if isinstance(n, int) else -1 for n in shape], np.int64)
