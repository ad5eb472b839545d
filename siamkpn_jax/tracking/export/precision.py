"""ONNX programs with smaller weights than float32."""

import numpy as np
import onnx
from onnx import numpy_helper

from siamkpn_jax.tracking.onnx.quantize import quantize_backbone


def reduce(programs: dict[str, onnx.ModelProto], precision: str
           ) -> dict[str, onnx.ModelProto]:
  """'template' and 'update' in one of `formats.PRECISIONS`; may change them.

  In int8 it is the update alone, as in `load_tracker`.
  """
  if precision == 'int8':
    programs = programs | {'update': quantize_backbone(programs['update'])}
  elif precision == 'float16':
    for program in programs.values():
      _halve(program.graph)
  return programs


def _halve(graph: onnx.GraphProto) -> None:
  """Stores convolutions' weights as float16, where their range suits it.

  Every processor computes in float32: a session casts them once. Depth-wise
  kernels stay: they are small, and cancel out (see `quantize`).
  """
  for constant in graph.initializer:
    with np.errstate(over='ignore'):
      weights = numpy_helper.to_array(constant).astype(np.float16)
    if (weights.ndim != 4 or weights.shape[1] == 1 or
        not np.isfinite(weights).all()):
      continue
    name = constant.name
    constant.CopyFrom(numpy_helper.from_array(weights, f'{name}_float16'))
    graph.node.insert(0, onnx.helper.make_node(
        'Cast', [constant.name], [name], to=onnx.TensorProto.FLOAT))
