"""The search network in int8, for processors that multiply bytes fast.

Weights are int8, one scale for each channel, and activations uint8, whose
ranges are those on crops of rendered videos: nobody's data are needed, and the
result is the same each time. In float32 stay the first convolution, which sees
pixels, and the last ones: their maps hold offsets below one and sizes of
hundreds of pixels, for which one step would be too coarse. The kernels of a
target are still given when a session is made; ONNX Runtime quantizes them then.
"""

import copy
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnxruntime import quantization

from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.tracking.crop import (
    search_crop,
    search_scale,
    template_input,
)
from siamkpn_jax.tracking.onnx.serialized import Serialized
from siamkpn_jax.tracking.onnx.tracker import open_session, run_crop

_SEED, _SCENES = 8, 12
_FRAMES = range(0, 20, 4)  # of a scene, the first one is the template
_PRODUCTS = ('Conv', 'MatMul')
_QUANTIZED = ('Conv', 'Add', 'Clip', 'Relu')


def quantize(network: Serialized) -> Serialized:
  """The same with a search network in int8; takes seconds.

  Args:
    network: in float32, of a compact network.
  """
  search = onnx.load_model_from_string(network.search)
  (side,) = {dim.dim_value for pixels in search.graph.input
             for dim in pixels.type.tensor_type.shape.dim[2:]}
  kernels = _take_constants(search)
  for number, node in enumerate(search.graph.node):
    node.name = f'{node.op_type}{number}'
  # Shapes are known and nothing is left to fold; without this, it warns.
  onnx.helper.set_model_props(
      search, {'onnx.quant.pre_process': 'onnxruntime.quant'})
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, 'int8.onnx')
    quantization.quantize_static(
        search, path, _Reader(examples(network.template, side)),
        quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        nodes_to_quantize=nodes_to_quantize(search.graph, kernels),
        calibrate_method=quantization.CalibrationMethod.MinMax)
    result = onnx.load(path)
  for value in [i for i in result.graph.input if i.name in kernels]:
    result.graph.input.remove(value)
  result.graph.initializer.extend(kernels.values())
  return Serialized(network.template, result.SerializeToString())


def examples(template: bytes, side: int) -> Iterator[dict[str, np.ndarray]]:
  """Inputs of a search, with the target's kernels, as a tracker gives them.

  Args:
    template: the model of the template crop.
    side: of the search crop, pixels.
  """
  session = open_session(template, threads=1)
  names = [output.name for output in session.get_outputs()]
  for index in range(_SCENES):
    scene = Scene(_SEED, index)
    first = template_input(*scene.render(_FRAMES[0]))
    kernels = dict(zip(names, run_crop(session, first.crop), strict=True))
    for before, now in itertools.pairwise(_FRAMES):
      box_xywh = scene.box(before)
      crop = search_crop(
          scene.render(now)[0], box_xywh[:2] + (box_xywh[2:] - 1) / 2,
          search_scale(box_xywh[2:]), first.fill, side)
      pixels = crop.transpose(2, 0, 1)[None]
      yield {'search': np.ascontiguousarray(pixels, np.float32), **kernels}


def nodes_to_quantize(graph: onnx.GraphProto,
                      kernels: Mapping[str, object]) -> list[str]:
  """Names of all but the ends, and the correlations with the kernels."""
  made_by = {name: node for node in graph.node for name in node.output}
  def last(name: str) -> Iterator[str]:  # from an output back to products
    node = made_by.get(name)
    if node is not None:
      yield node.name
      if node.op_type not in _PRODUCTS:
        for before in node.input:
          yield from last(before)
  left = {name for output in graph.output for name in last(output.name)}
  given = set(kernels)
  for node in graph.node:
    if node.op_type == 'Reshape' and node.input[0] in given:
      given |= set(node.output)
    elif node.op_type in _PRODUCTS and (
        given & set(node.input) or 'search' in node.input):
      left.add(node.name)
  return [node.name for node in graph.node
          if node.op_type in _QUANTIZED and node.name not in left]


def _take_constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
  """Makes inputs of the constants that have no values; returns those."""
  kernels = {i.name: copy.copy(i) for i in model.graph.initializer
             if i.data_location == onnx.TensorProto.EXTERNAL}
  others = [i for i in model.graph.initializer if i.name not in kernels]
  del model.graph.initializer[:]
  model.graph.initializer.extend(others)
  model.graph.input.extend(
      onnx.helper.make_tensor_value_info(name, value.data_type, value.dims)
      for name, value in kernels.items())
  return kernels


class _Reader(quantization.CalibrationDataReader):
  """Hands examples to ONNX Runtime."""

  def __init__(self, examples: Iterator[dict[str, np.ndarray]]):
    self._examples = examples

  def get_next(self) -> dict[str, np.ndarray] | None:
    return next(self._examples, None)
