"""The ONNX model of a graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from siamkpn_jax.tracking.onnx.graph import Graph, Tensor

_OPSET = 17


def build(graph: Graph, inputs: Mapping[str, tuple[Sequence[Any], str]],
          outputs: Mapping[str, Tensor]) -> onnx.ModelProto:
  """The model of the nodes that the outputs need.

  Args:
    graph: the nodes.
    inputs: name -> stored shape and dtype; those that no output needs are
      left out.
    outputs: name -> what it is, a float32 tensor.
  """
  needed, todo = set(), [t.name for t in outputs.values()]
  while todo:
    name = todo.pop()
    if name not in needed:
      needed.add(name)
      todo += [i for i in graph.nodes.get(name, ('', [], {}))[1]
               if isinstance(i, str)]
  constants: dict[bytes, onnx.TensorProto] = {}
  # A node has one output; of TopK it is the second, the places.
  first = lambda op, name: [f'{name}_values'] if op == 'TopK' else []
  nodes = [helper.make_node(op, [_input(i, constants) for i in ins],
                            [*first(op, name), name], **attributes)
           for name, (op, ins, attributes) in graph.nodes.items()
           if name in needed]
  nodes += [helper.make_node('Identity', [t.name], [name])
            for name, t in outputs.items()]
  model = helper.make_model(
      helper.make_graph(
          nodes, 'network',
          [_info(n, *what) for n, what in inputs.items() if n in needed],
          [_info(n, t.stored, 'float32') for n, t in outputs.items()],
          list(constants.values())),
      opset_imports=[helper.make_opsetid('', _OPSET)], ir_version=8)
  onnx.checker.check_model(model)
  return model


def _input(value: Any, constants: dict[bytes, onnx.TensorProto]) -> str:
  """An input's name; an array becomes a constant, equal ones the same."""
  if isinstance(value, str):
    return value
  value = np.asarray(value)
  if value.dtype.kind != 'b':  # indices are int64
    value = value.astype(np.int64 if value.dtype.kind == 'i' else np.float32)
  value = np.ascontiguousarray(value).reshape(value.shape)
  key = f'{value.dtype}{value.shape}'.encode() + value.tobytes()
  return constants.setdefault(key, numpy_helper.from_array(
      value, f'c{len(constants)}')).name


def _info(name: str, shape: Sequence[Any], dtype: str) -> onnx.ValueInfoProto:
  kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
  # The symbol of a size that is not known becomes its name.
  return helper.make_tensor_value_info(
      name, kind, [n if isinstance(n, int) else str(n) for n in shape])
