"""Our search network as an ONNX model, to measure it in another engine.

The traced JAX program is translated operation by operation. What does not
depend on an input is computed here; bfloat16 becomes float32. The model looks
for the target as `SiamKPN.search` does and has the last stage's maps alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax.extend.core import ClosedJaxpr, Literal
from onnx import numpy_helper

from perf.onnx_graph import CHANNELS_FIRST, Graph, Tensor, build, stored_as
from siamkpn_jax.core import geometry
from siamkpn_jax.models import resnet
from siamkpn_jax.models.head import Predictions, Template
from siamkpn_jax.models.siamkpn import SiamKPN

# The only input besides the template's; a [1, 3, 255, 255] float32 crop.
SEARCH = 'search'
_KERNEL_LAST = (3, 0, 1, 2)  # [1, h, w, c] as the weights of c groups

# Operations that ONNX has too; arrays broadcast over axes of length 1.
_SAME = {
    'add': 'Add', 'sub': 'Sub', 'mul': 'Mul', 'div': 'Div', 'max': 'Max',
    'min': 'Min', 'pow': 'Pow', 'exp': 'Exp', 'log': 'Log', 'tanh': 'Tanh',
    'neg': 'Neg', 'abs': 'Abs', 'sqrt': 'Sqrt', 'logistic': 'Sigmoid',
    'erf': 'Erf', 'floor': 'Floor'}
_REDUCTIONS = {'reduce_sum': 'ReduceSum', 'reduce_max': 'ReduceMax',
               'reduce_min': 'ReduceMin'}
_NOTHING = ('stop_gradient', 'copy')


def export_search(model: SiamKPN, variables: Any) -> onnx.ModelProto:
  """The ONNX model of a network with its weights.

  Args:
    model: the network.
    variables: its weights.

  Returns:
    A model with the inputs `SEARCH` and kernel0, kernel1 ... (the template's,
    [c, 1, 5, 5] each), and the outputs heatmap [1, 1, 31, 31], offsets and size
    [1, 2, 31, 31].

  Raises:
    NotImplementedError: an operation that is not known here.
  """
  # Only what is computed may be lower than float32, so the weights stay.
  model = model.clone(dtype='float32', remat=False)
  side = geometry.SEARCH_SIZE
  template = jax.eval_shape(
      lambda v: model.apply(
          v, jnp.zeros((1, geometry.TEMPLATE_SIZE, geometry.TEMPLATE_SIZE, 3)),
          train=False, method=SiamKPN.template), variables)
  kernels, tree = jax.tree.flatten(template)

  def search(x: jax.Array, *kernels: jax.Array) -> Predictions:
    # ONNX has the maximum that the network takes by slices.
    with mock.patch.object(resnet, 'max_pool', _max_pool):
      return model.apply(variables, jax.tree.unflatten(tree, kernels), x,
                         train=False, method=SiamKPN.search)[-1]

  shapes = {SEARCH: ((1, side, side, 3), CHANNELS_FIRST)} | {
      f'kernel{k}': (kernel.shape, _KERNEL_LAST)
      for k, kernel in enumerate(kernels)}
  return convert(search, shapes)


def with_template(network: onnx.ModelProto,
                  template: Template) -> onnx.ModelProto:
  """The model for one target, whose kernels are constants of it.

  As constants they let ONNX Runtime choose its faster layout, which halves the
  time of the compact network.

  Args:
    network: made by `export_search`.
    template: of a batch of one.
  """
  model = onnx.ModelProto()
  model.CopyFrom(network)
  for k, kernel in enumerate(jax.tree.leaves(template)):
    weights = np.asarray(kernel, np.float32).transpose(_KERNEL_LAST)
    model.graph.initializer.append(numpy_helper.from_array(
        np.ascontiguousarray(weights), f'kernel{k}'))
  del model.graph.input[:]
  model.graph.input.extend(i for i in network.graph.input if i.name == SEARCH)
  return model


def _max_pool(x: jax.Array) -> jax.Array:
  return nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))


def convert(function: Callable[..., Any],
            inputs: Mapping[str, tuple[Sequence[int], Sequence[int]]]
            ) -> onnx.ModelProto:
  """The ONNX model of a function.

  Args:
    function: of float32 arrays, traceable; returns a dataclass of [b, h, w, c]
      arrays, each of which depends on an input.
    inputs: in the function's order: name -> the array's shape, and the order
      in which the model's input has its axes.

  Returns:
    A model with these inputs, and an output [b, c, h, w] of each field's name.

  Raises:
    NotImplementedError: an operation that is not known here.
  """
  traced, result = jax.make_jaxpr(function, return_shape=True)(*(
      jax.ShapeDtypeStruct(tuple(shape), jnp.float32)
      for shape, _ in inputs.values()))
  tensors = [stored_as(name, shape, axes)
             for name, (shape, axes) in inputs.items()]
  graph = Graph()
  found = _Translator(graph).run(traced, tensors)
  names = [path[0].name for path, _ in
           jax.tree_util.tree_leaves_with_path(result)]
  return build(graph, {t.name: t.stored for t in tensors}, {
      name: graph.lay(value, CHANNELS_FIRST)
      for name, value in zip(names, found, strict=True)})


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
      found = equation.primitive.bind(*map(jnp.asarray, values), **params)
      return [np.asarray(v) for v in (
          found if equation.primitive.multiple_results else [found])]
    return [self._tensor(name, values, equation.outvars[0].aval.shape, params)]

  def _tensor(self, name: str, values: list[Any], shape: tuple[int, ...],
              params: dict[str, Any]) -> Any:
    """The result of one operation of which an input is a tensor."""
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
        'dot_general': lambda: graph.dot(x, values[1], shape, params),
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
    }
    if name not in ways:
      raise NotImplementedError(f'{name}: this operation of JAX has no '
                                'translation to ONNX here; add it')
    return ways[name]()
