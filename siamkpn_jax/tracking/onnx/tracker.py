"""A tracker of one target in ONNX Runtime.

It shares crops with `Tracker`; its network is exported once, when it is made,
and its box is chosen in NumPy. Nothing of a frame runs in JAX.
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime

from siamkpn_jax.core import geometry
from siamkpn_jax.core.boxes import cxcywh_to_xywh
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.crop import (
    frame_size,
    search_crop,
    search_scale,
    template_input,
)
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.functional import MIN_SIDE
from siamkpn_jax.tracking.onnx.decode import decode
from siamkpn_jax.tracking.onnx.network import (
    OUTPUTS,
    SEARCH,
    TEMPLATE,
    export,
    with_template,
)

_NO_TARGET = 'the tracker has no target: call init first'


class OnnxTracker:
  """Tracks one target on a CPU, with the interface of `Tracker`.

  Attributes:
    score: score of the last update, 0..1; 0 before the first one.
    search_crop: [255, 255, 3] uint8 search crop of the last update; empty
      before the first one.
  """

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig, *,
               threads: int = 0):
    """Creates a tracker without a target; call `init` next.

    Args:
      model: the network.
      variables: its variables, {'params', 'batch_stats'}.
      config: how boxes are chosen.
      threads: of ONNX Runtime; 0 for one per core.

    Raises:
      NotImplementedError: the network has an operation that is not exported.
    """
    self._threads = threads or cores()
    self._config = config
    exported = export(model, variables)
    self._template = open_session(exported.template, self._threads)
    self._network = exported.search
    self._session: onnxruntime.InferenceSession | None = None
    self._heatmap: np.ndarray | None = None
    self.score = 0.0
    self.search_crop = np.zeros((0, 0, 3), np.uint8)

  def init(self, frame: np.ndarray, box_xywh: Any) -> None:
    """See `Tracker.init`; makes a session, which takes longer than a frame."""
    first = template_input(frame, box_xywh)
    kernels = self._template.run(None, {TEMPLATE: _input(first.crop)})
    self._session = open_session(
        with_template(self._network, kernels), self._threads)
    self._center, self._size, self._fill = first.center, first.size, first.fill
    self._heatmap, self.score = None, 0.0
    self.search_crop = np.zeros((0, 0, 3), np.uint8)

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """See `Tracker.update`."""
    if self._session is None:
      raise RuntimeError(_NO_TARGET)
    limit = np.array(frame_size(frame), np.float32)
    scale = search_scale(self._size)
    crop = search_crop(frame, self._center, scale, self._fill)
    heatmap, offsets, sizes = (
        m[0] for m in self._session.run(OUTPUTS, {SEARCH: _input(crop)}))
    shift, size, self.score = decode(
        heatmap.reshape(1, -1), offsets.reshape(2, -1), sizes.reshape(2, -1),
        self._size, np.float32(scale), self._config)
    self._center = np.clip(self._center + shift, 0, limit)
    self._size = np.minimum(np.maximum(size, np.float32(MIN_SIDE)), limit)
    self._heatmap, self.search_crop = heatmap, crop
    box = np.concatenate([self._center, self._size]).astype(np.float64)
    return self.score > self._config.threshold, cxcywh_to_xywh(box)

  def search_window(self) -> tuple[np.ndarray, float]:
    """See `Tracker.search_window`."""
    if self._session is None:
      raise RuntimeError(_NO_TARGET)
    return self._center, search_scale(self._size)

  @property
  def heatmaps(self) -> np.ndarray:
    """[1, 31, 31] heatmap of the last stage; [0, 31, 31] before an update."""
    if self._heatmap is None:
      return np.zeros((0, geometry.MAP_SIZE, geometry.MAP_SIZE), np.float32)
    return 1 / (1 + np.exp(-self._heatmap))


def open_session(model: onnx.ModelProto,
                 threads: int) -> onnxruntime.InferenceSession:
  """A session on the CPU with every optimization."""
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = threads
  options.graph_optimization_level = (
      onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
  return onnxruntime.InferenceSession(
      model.SerializeToString(), options, providers=['CPUExecutionProvider'])


def _input(crop: np.ndarray) -> np.ndarray:
  """[h, w, 3] uint8 -> [1, 3, h, w] float32."""
  return np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32)
