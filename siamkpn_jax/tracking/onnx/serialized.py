"""The network as ONNX Runtime reads it."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from siamkpn_jax.core import geometry

if TYPE_CHECKING:
  from siamkpn_jax.models.siamkpn import SiamKPN


@dataclasses.dataclass(frozen=True)
class Serialized:
  """A network with its weights; see `network.Exported`.

  Attributes:
    template: the ONNX model of the template crop.
    search: that of a search crop. Its kernels are constants whose values are
      given when a session is made: as constants they let ONNX Runtime choose
      its faster layout.
  """

  template: bytes
  search: bytes


def serialize(model: 'SiamKPN', variables: Any,
              search_size: int = geometry.SEARCH_SIZE) -> Serialized:
  """Exports a network; arguments and errors as of `network.export`."""
  import onnx

  from siamkpn_jax.tracking.onnx import network

  exported = network.export(model, variables, search_size)
  shapes = {
      output.name: [d.dim_value for d in output.type.tensor_type.shape.dim]
      for output in exported.template.graph.output}
  search = network.with_template(
      exported.search, [np.zeros(s, np.float32) for s in shapes.values()])
  for constant in search.graph.initializer:
    if constant.name in shapes:
      constant.ClearField('raw_data')
      constant.data_location = onnx.TensorProto.EXTERNAL
      constant.external_data.add(key='location', value='given')
  return Serialized(exported.template.SerializeToString(),
                    search.SerializeToString())
