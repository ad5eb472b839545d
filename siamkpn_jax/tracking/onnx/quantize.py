"""The backbone of the search network in int8, for processors that suit.

Weights are int8, one scale for each channel, and activations uint8, whose
ranges are those on crops of rendered videos: nobody's data are needed, and the
result is the same each time. What is measured (docs/tracking.md#int8):

- The first three convolutions stay in float32: they have few channels and many
  pixels, which ONNX Runtime computes no faster in int8.
- So does the head. Its correlations with a target's kernels are faster in
  float32, and its maps hold offsets below one and sizes of hundreds of pixels.
- A depth-wise kernel finds edges: its weights cancel out. Rounded one by one
  they do not, and most of the error was from there; so they are rounded to
  keep their sum.
- Other weights have seven bits. With eight, sums of two products overflow on
  x86 processors without VNNI instructions, and ONNX Runtime does not say so.
"""

import copy
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime import quantization

from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.tracking.crop import (
    search_crop,
    search_scale,
    template_input,
)
from siamkpn_jax.tracking.onnx.serialized import Serialized

_SEED, _SCENES = 8, 12
_FRAMES = range(0, 20, 4)  # of a scene, the first one is the template
_FLOATS = 3  # the first convolutions
_MOST = 127  # of int8 weights; there is no -128


def quantize(network: Serialized) -> Serialized:
  """The same with a search network in int8; takes seconds.

  Args:
    network: in float32, of a compact network.
  """
  search = onnx.load_model_from_string(network.search)
  kernels = _take_constants(search)
  result = quantize_backbone(search)
  for value in [i for i in result.graph.input if i.name in kernels]:
    result.graph.input.remove(value)
  result.graph.initializer.extend(kernels.values())
  return Serialized(network.template, result.SerializeToString())


def quantize_backbone(model: onnx.ModelProto) -> onnx.ModelProto:
  """A search network whose backbone is in int8.

  Args:
    model: in float32; its first input is a crop, [1, 3, n, n] float32 or [b, n,
      n, 3] uint8. It is changed.
  """
  for number, node in enumerate(model.graph.node):
    node.name = f'{node.op_type}{number}'
  body = backbone(model.graph)
  convolutions = [node for node in body if node.op_type == 'Conv']
  _keep_sums(model.graph, filter(_depthwise, convolutions))
  seven = [{'axis': 0, 'quant_type': quantization.QuantType.QInt8,
            'symmetric': True, 'reduce_range': True}]
  # Shapes are known and nothing is left to fold; without this, it warns.
  onnx.helper.set_model_props(
      model, {'onnx.quant.pre_process': 'onnxruntime.quant'})
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, 'int8.onnx')
    quantization.quantize_static(
        model, path, _Reader(model.graph),
        quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        op_types_to_quantize=sorted({node.op_type for node in body}),
        nodes_to_quantize=[node.name for node in body],
        extra_options={'TensorQuantOverrides': {
            node.input[1]: seven for node in convolutions
            if not _depthwise(node)}},
        calibrate_method=quantization.CalibrationMethod.MinMax)
    return onnx.load(path)


def backbone(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
  """The nodes that become int8.

  They are activations of an EfficientNet, sums, and the convolutions on either
  side of them (so the head's first ones, too), as far as the crop alone decides
  on their values.
  """
  crop, *others = [value.name for value in graph.input]
  body = _after(graph, crop) - _after(graph, *others)
  marks = [node for node in graph.node
           if node.op_type in ('Add', 'Clip') and node.output[0] in body]
  beside = {name for node in marks for name in (*node.input, *node.output)}
  convolutions = [node for node in graph.node if node.op_type == 'Conv' and
                  node.output[0] in body and
                  not beside.isdisjoint((node.input[0], node.output[0]))]
  early = {name for node in convolutions[:_FLOATS] for name in node.output}
  return [*convolutions[_FLOATS:],
          *(node for node in marks if early.isdisjoint(node.input))]


def crops(side: int) -> Iterator[np.ndarray]:
  """[side, side, 3] uint8 crops of rendered targets, as a tracker's."""
  for index in range(_SCENES):
    scene = Scene(_SEED, index)
    fill = template_input(*scene.render(_FRAMES[0])).fill
    for before, now in itertools.pairwise(_FRAMES):
      box_xywh = scene.box(before)
      yield search_crop(
          scene.render(now)[0], box_xywh[:2] + (box_xywh[2:] - 1) / 2,
          search_scale(box_xywh[2:]), fill, side)


def keep_sum(weights: np.ndarray) -> np.ndarray:
  """[c, 1, h, w] weights on the grid of int8, each channel's sum near its own.

  The sum differs by half a step at most: those that were nearest to the other
  side are rounded there.
  """
  steps = np.abs(weights).max((1, 2, 3), keepdims=True) / _MOST
  exact = np.divide(weights, steps, out=np.zeros_like(weights),
                    where=steps > 0).reshape(len(weights), -1)
  whole = np.rint(exact)
  for channel, rest in zip(whole, exact - whole, strict=True):
    short = np.rint(rest.sum())
    channel[np.argsort(-rest * short)[:int(abs(short))]] += np.sign(short)
  return whole.reshape(weights.shape) * steps


def _keep_sums(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
  constants = {constant.name: constant for constant in graph.initializer}
  for node in nodes:
    weights = constants[node.input[1]]
    weights.CopyFrom(numpy_helper.from_array(
        keep_sum(numpy_helper.to_array(weights)), weights.name))


def _depthwise(node: onnx.NodeProto) -> bool:
  return any(a.name == 'group' and a.i > 1 for a in node.attribute)


def _after(graph: onnx.GraphProto, *names: str) -> set[str]:
  """What is computed from any of these."""
  found = set(names)
  for node in graph.node:
    if not found.isdisjoint(node.input):
      found.update(node.output)
  return found


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
  """Hands crops to ONNX Runtime; no range depends on the other inputs."""

  def __init__(self, graph: onnx.GraphProto):
    (self._name, self._type, shape), *others = [
        (i.name, i.type.tensor_type.elem_type,
         [d.dim_value or 1 for d in i.type.tensor_type.shape.dim])
        for i in graph.input]
    self._first = shape[1] == 3
    self._others: dict[str, Any] = {
        name: np.ones(size, onnx.helper.tensor_dtype_to_np_dtype(kind))
        for name, kind, size in others}
    self._crops = crops(shape[2])

  def get_next(self) -> dict[str, np.ndarray] | None:
    crop = next(self._crops, None)
    if crop is None:
      return None
    pixels = (crop.transpose(2, 0, 1) if self._first else crop)[None]
    kind = onnx.helper.tensor_dtype_to_np_dtype(self._type)
    return {self._name: np.ascontiguousarray(pixels, kind), **self._others}
