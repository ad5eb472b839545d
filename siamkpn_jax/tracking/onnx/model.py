"""The ONNX model of a graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from siamkpn_jax.tracking.onnx.graph import Graph, Tensor

_OPSET = 17


def build(graph: Graph, inputs: Mapping[str, Sequence[int]],
          outputs: Mapping[str, Tensor]) -> onnx.ModelProto:
  """The model of the nodes that the outputs need.

  Args:
    graph: the nodes.
    inputs: name -> stored shape; those that no output needs are left out.
    outputs: name -> what it is.
  """
  needed, todo = set(), [t.name for t in outputs.values()]
  while todo:
    name = todo.pop()
    if name not in needed:
      needed.add(name)
      todo += [i for i in graph.nodes.get(name, ('', [], {}))[1]
               if isinstance(i, str)]
  constants: dict[bytes, onnx.TensorProto] = {}
  nodes = [helper.make_node(op, [_input(i, constants) for i in ins], [name],
                            **attributes)
           for name, (op, ins, attributes) in graph.nodes.items()
           if name in needed]
  nodes += [helper.make_node('Identity', [t.name], [name])
            for name, t in outputs.items()]
  model = helper.make_model(
      helper.make_graph(
          nodes, 'network',
          [_info(n, shape) for n, shape in inputs.items() if n in needed],
          [_info(n, t.stored) for n, t in outputs.items()],
          list(constants.values())),
      opset_imports=[helper.make_opsetid('', _OPSET)], ir_version=8)
  onnx.checker.check_model(model)
  return model


def _input(value: Any, constants: dict[bytes, onnx.TensorProto]) -> str:
  """An input's name; an array becomes a constant, equal ones the same."""
  if isinstance(value, str):
    return value
  value = np.asarray(value)
  if value.dtype.kind not in 'bi':
    value = value.astype(np.float32)
  value = np.ascontiguousarray(value).reshape(value.shape)
  key = f'{value.dtype}{value.shape}'.encode() + value.tobytes()
  return constants.setdefault(key, numpy_helper.from_array(
      value, f'c{len(constants)}')).name


def _info(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
  return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
