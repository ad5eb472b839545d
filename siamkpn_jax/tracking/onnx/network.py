"""The network as two ONNX models: of the template crop and of a search crop."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import onnx
from onnx import numpy_helper

from siamkpn_jax.core import geometry
from siamkpn_jax.models.inference import inference_variables
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.onnx.graph import CHANNELS_FIRST
from siamkpn_jax.tracking.onnx.translate import Input, convert

TEMPLATE, SEARCH = 'template', 'search'  # inputs
OUTPUTS = ('heatmap', 'offsets', 'size')  # of a search


class Exported(NamedTuple):
  """A network with its weights, as ONNX models.

  Attributes:
    template: `SiamKPN.template`: input `TEMPLATE`, a [1, 3, 127, 127] float32
      crop, BGR 0..255; outputs kernel0, kernel1 ..., [1, c, 5, 5] each.
    search: `SiamKPN.search` up to the last stage: inputs `SEARCH`, a [1, 3,
      255, 255] crop, and the kernels; `OUTPUTS`: [1, 1, 31, 31] logits, [1, 2,
      31, 31] offsets and sizes (see `Predictions`). Another `search_size` has
      other sides.
  """

  template: onnx.ModelProto
  search: onnx.ModelProto


def export(model: SiamKPN, variables: Any,
           search_size: int = geometry.SEARCH_SIZE) -> Exported:
  """Exports a network, in float32.

  Args:
    model: the network.
    variables: its weights.
    search_size: side of the search crop, one of `geometry.SEARCH_SIZES`.

  Raises:
    NotImplementedError: an operation that is not known here.
  """
  # Only what is computed may be lower than float32, so the weights stay.
  model = model.clone(dtype='float32', remat=False, max_pool=max_pool)
  variables = inference_variables(model, variables)

  apply = functools.partial(model.apply, variables, train=False)
  crop = lambda side: Input((1, side, side, 3), CHANNELS_FIRST)
  template, kernels = convert(
      functools.partial(apply, method=SiamKPN.template),
      {TEMPLATE: crop(geometry.TEMPLATE_SIZE)}, _names)
  leaves, tree = jax.tree.flatten(kernels)
  search, _ = convert(
      lambda x, *kernels: apply(
          jax.tree.unflatten(tree, kernels), x, method=SiamKPN.search)[-1],
      {SEARCH: crop(search_size)} | {
          name: Input(kernel.shape, CHANNELS_FIRST) for name, kernel in zip(
              _names(len(leaves)), leaves, strict=True)},
      lambda count: OUTPUTS)
  return Exported(template, search)


def with_template(network: onnx.ModelProto,
                  kernels: Sequence[np.ndarray]) -> onnx.ModelProto:
  """The model for one target, whose kernels are constants of it.

  As constants they let ONNX Runtime choose its faster layout, which halves the
  time of the compact network.

  Args:
    network: the search of a network, see `Exported`.
    kernels: the outputs of its template.
  """
  model = onnx.ModelProto()
  model.CopyFrom(network)
  model.graph.initializer.extend(
      numpy_helper.from_array(np.ascontiguousarray(kernel), name)
      for name, kernel in zip(_names(len(kernels)), kernels, strict=True))
  del model.graph.input[:]
  model.graph.input.extend(i for i in network.graph.input if i.name == SEARCH)
  return model


def _names(count: int) -> list[str]:
  return [f'kernel{k}' for k in range(count)]


def max_pool(x: jax.Array) -> jax.Array:
  """The maximum that `resnet.max_pool` takes by slices: ONNX has it."""
  return nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
