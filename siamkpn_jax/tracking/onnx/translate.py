"""A traced JAX program as an ONNX model, operation by operation.

What does not depend on an input is computed here; bfloat16 becomes float32.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax.extend.core import ClosedJaxpr, Literal

from siamkpn_jax.tracking.onnx import selection
from siamkpn_jax.tracking.onnx.graph import (
    CHANNELS_FIRST,
    Graph,
    Tensor,
    stored_as,
)
from siamkpn_jax.tracking.onnx.model import build
from siamkpn_jax.tracking.onnx.products import dot

# Operations that ONNX has too; arrays broadcast over axes of length 1.
_SAME = {
    'add': 'Add', 'sub': 'Sub', 'mul': 'Mul', 'div': 'Div', 'max': 'Max',
    'min': 'Min', 'pow': 'Pow', 'exp': 'Exp', 'log': 'Log', 'tanh': 'Tanh',
    'neg': 'Neg', 'abs': 'Abs', 'sqrt': 'Sqrt', 'logistic': 'Sigmoid',
    'erf': 'Erf', 'floor': 'Floor', 'lt': 'Less', 'le': 'LessOrEqual',
    'gt': 'Greater', 'ge': 'GreaterOrEqual', 'and': 'And', 'or': 'Or',
    'not': 'Not'}
_REDUCTIONS = {'reduce_sum': 'ReduceSum', 'reduce_max': 'ReduceMax',
               'reduce_min': 'ReduceMin'}
# Those of constants that are frequent: JAX would compile each for each shape.
_IN_NUMPY: dict[str, Callable[..., Any]] = {
    'add': np.add, 'sub': np.subtract, 'mul': np.multiply, 'div': np.divide,
    'max': np.maximum, 'exp': np.exp, 'rsqrt': lambda x: 1 / np.sqrt(x)}
_NOTHING = ('stop_gradient', 'copy')


class Input(NamedTuple):
  """An input of a program.

  Attributes:
    shape: of the JAX array; the first size may be a symbol of `jax.export`.
    axes: the order in which the model's input has its axes.
    dtype: of both.
  """

  shape: Sequence[Any]
  axes: Sequence[int]
  dtype: str = 'float32'


def convert(function: Callable[..., Any], inputs: Mapping[str, Input],
            outputs: Callable[[int], Sequence[str]]
            ) -> tuple[onnx.ModelProto, Any]:
  """The ONNX model of a function.

  Args:
    function: of arrays, traceable; returns a tree of float32 arrays, each of
      which depends on an input.
    inputs: by name, in the function's order; symbols are the size of the batch.
    outputs: how many leaves the tree has -> their names.

  Returns:
    A model with these inputs and outputs, [b, h, w, c] as [b, c, h, w]; and
    what the function returns, as shapes.

  Raises:
    NotImplementedError: an operation that is not known here.
  """
  traced, result = jax.make_jaxpr(function, return_shape=True)(*(
      jax.ShapeDtypeStruct(tuple(one.shape), one.dtype)
      for one in inputs.values()))
  tensors = [stored_as(name, one.shape, one.axes)
             for name, one in inputs.items()]
  graph = Graph(batch=tensors[0].name)
  found = _Translator(graph).run(traced, tensors)
  names = outputs(len(found))
  return build(
      graph, {t.name: (t.stored, inputs[t.name].dtype) for t in tensors}, {
          name: graph.lay(value, CHANNELS_FIRST if len(value.shape) == 4 else
                          range(len(value.shape)))
          for name, value in zip(names, found, strict=True)}), result


class _Translator:
  """Walks through a program and adds its operations to a graph."""

  def __init__(self, graph: Graph) -> None:
    self._graph = graph

  def run(self, program: ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
    """The program's results; arguments are arrays or tensors."""
    jaxpr = program.jaxpr
    known = dict(zip(jaxpr.constvars, map(np.asarray, program.consts),
                     strict=True))
    known |= dict(zip(jaxpr.invars, arguments, strict=True))
    read = lambda v: np.asarray(v.val) if isinstance(v, Literal) else known[v]
    for equation in jaxpr.eqns:
      known |= dict(zip(equation.outvars, self._results(
          equation, [read(v) for v in equation.invars]), strict=True))
    return [read(v) for v in jaxpr.outvars]

  def _results(self, equation: Any, values: list[Any]) -> list[Any]:
    name, params = equation.primitive.name, equation.params
    inner = params.get('jaxpr') or params.get('call_jaxpr')
    if name == 'platform_index':
      # The default: the correlation as a grouped convolution, which takes
      # ONNX Runtime half the time of the CPU's shifted products.
      return [np.int32(params['platforms'].index(None))]
    if name == 'cond':
      return self.run(params['branches'][int(values[0])], values[1:])
    if inner is not None:
      return self.run(inner, values)
    if not any(isinstance(v, Tensor) for v in values):
      return _of_constants(equation, values)
    if name == 'optimization_barrier':
      return values
    return self._tensors(equation, values)

  def _tensors(self, equation: Any, values: list[Any]) -> list[Any]:
    """The results of an operation of which an input is a tensor."""
    name, params = equation.primitive.name, equation.params
    if name == 'top_k':
      return selection.top_k(self._graph, values[0], params)
    if name == 'convert_element_type' and not jnp.issubdtype(
        equation.invars[0].aval.dtype, jnp.floating):
      values = [selection.to_float(self._graph, values[0])]
    return [self._tensor(name, values, equation.outvars[0].aval.shape, params)]

  def _tensor(self, name: str, values: list[Any], shape: tuple[int, ...],
              params: dict[str, Any]) -> Any:
    """The one result of such an operation; among floats all are float32."""
    graph, x = self._graph, values[0]
    if name in _SAME:
      return graph.elementwise(_SAME[name], values, shape)
    if name in _REDUCTIONS:
      return graph.reduce(_REDUCTIONS[name], x, shape, params['axes'])
    if name in _NOTHING or (name == 'convert_element_type' and
                            jnp.issubdtype(params['new_dtype'], jnp.floating)):
      return x
    ways: dict[str, Callable[[], Tensor]] = {
        'conv_general_dilated': lambda: graph.convolution(
            x, values[1], shape, params),
        'reduce_window_max': lambda: graph.pool(x, shape, params),
        'dot_general': lambda: dot(graph, x, values[1], shape, params),
        'slice': lambda: graph.slice(x, shape, params),
        'pad': lambda: graph.pad(x, values[1], shape, params),
        'squeeze': lambda: graph.reshape(x, shape),
        'reshape': lambda: graph.reshape(
            x if params['dimensions'] is None
            else graph.transpose(x, params['dimensions']), shape),
        'transpose': lambda: graph.transpose(x, params['permutation']),
        'broadcast_in_dim': lambda: graph.broadcast(x, shape, params),
        'concatenate': lambda: graph.concatenate(
            values, params['dimension'], shape),
        'stack': lambda: graph.stack(values, params['axis'], shape),
        'square': lambda: graph.elementwise('Mul', [x, x], shape),
        'integer_pow': lambda: graph.elementwise(
            'Pow', [x, np.float32(params['y'])], shape),
        'rsqrt': lambda: graph.elementwise(
            'Pow', [x, np.float32(-0.5)], shape),
        'select_n': lambda: graph.elementwise(
            'Where', [x, *values[:0:-1]], shape),
        'argmax': lambda: selection.argmax(graph, x, shape, params),
        'gather': lambda: selection.gather(
            graph, x, values[1], shape, params),
        'scatter': lambda: selection.scatter(
            graph, x, values[1], values[2], shape, params),
        'is_finite': lambda: selection.is_finite(graph, x),
        'reduce_and': lambda: selection.reduce_and(
            graph, x, shape, params['axes']),
    }
    if name not in ways:
      raise NotImplementedError(f'{name}: this operation of JAX has no '
                                'translation to ONNX here; add it')
    return ways[name]()


def _of_constants(equation: Any, values: list[np.ndarray]) -> list[np.ndarray]:
  """The results of an operation of which no input is a tensor."""
  name, params = equation.primitive.name, equation.params
  if name in _IN_NUMPY:
    return [_IN_NUMPY[name](*values)]
  if name == 'broadcast_in_dim':
    sides = np.ones(len(params['shape']), int)
    sides[list(params['broadcast_dimensions'])] = values[0].shape
    return [np.broadcast_to(values[0].reshape(sides), [
        n if isinstance(n, int) else 1 for n in params['shape']])]
  found = equation.primitive.bind(*map(jnp.asarray, values), **params)
  return [np.asarray(v) for v in (
      found if equation.primitive.multiple_results else [found])]
