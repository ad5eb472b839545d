"""Our tracker without JAX in the loop: the network in ONNX Runtime, and numpy.

Crops are the package's own; `decode` says in numpy what
siamkpn_jax/tracking/decode.py says in JAX, for the candidates alone.
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime

from perf.onnx_export import SEARCH, export_search, with_template
from siamkpn_jax.core import geometry
from siamkpn_jax.core.boxes import cxcywh_to_xywh
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking import functional
from siamkpn_jax.tracking.crop import (
    frame_size,
    search_crop,
    search_scale,
    template_input,
)
from siamkpn_jax.tracking.decode import DecodeConfig

_MIN_SIDE = 10.0  # pixels
_OUTPUTS = ('heatmap', 'offsets', 'size')


class OnnxTracker:
  """Tracks one target; used like `cv2.Tracker`."""

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig,
               threads: int) -> None:
    """A tracker without a target.

    Args:
      model: the network.
      variables: its weights.
      config: how the box is chosen.
      threads: of ONNX Runtime.
    """
    self._model, self._variables, self._config = model, variables, config
    self._network = export_search(model, variables)
    self._threads = threads

  def init(self, frame: np.ndarray, box_xywh: Any) -> None:
    """Takes the target of the first frame; see `Tracker.init`."""
    first = template_input(frame, box_xywh)
    state = functional.init(
        self._variables, first.crop[None], first.center[None],
        first.size[None], model=self._model)
    self._center, self._size, self._fill = first.center, first.size, first.fill
    self._session = open_session(
        with_template(self._network, state.template), self._threads)

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Finds the target in the next frame; see `Tracker.update`."""
    width, height = frame_size(frame)
    scale = search_scale(self._size)
    crop = search_crop(frame, self._center, scale, self._fill)
    channels_first = np.ascontiguousarray(crop.transpose(2, 0, 1)[None],
                                          np.float32)
    maps = self._session.run(_OUTPUTS, {SEARCH: channels_first})
    shift, size, score = decode(
        *(m[0].reshape(len(m[0]), -1) for m in maps), self._size,
        np.float32(scale), self._config)
    limit = np.array([width, height], np.float32)
    self._center = np.clip(self._center + shift, 0, limit)
    self._size = np.minimum(np.maximum(size, np.float32(_MIN_SIDE)), limit)
    box = cxcywh_to_xywh(
        np.concatenate([self._center, self._size]).astype(np.float64))
    return score > self._config.threshold, box


def open_session(model: onnx.ModelProto,
                 threads: int) -> onnxruntime.InferenceSession:
  """A session on the CPU with every optimization."""
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = threads
  options.graph_optimization_level = (
      onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
  return onnxruntime.InferenceSession(
      model.SerializeToString(), options, providers=['CPUExecutionProvider'])


def decode(heatmap: np.ndarray, offsets: np.ndarray, sizes: np.ndarray,
           last: np.ndarray, scale: np.float32, config: DecodeConfig
           ) -> tuple[np.ndarray, np.ndarray, float]:
  """Chooses the best candidate of one search crop.

  Args:
    heatmap: [1, n] logits of the cells, row by row.
    offsets: [2, n] x, y.
    sizes: [2, n] width, height, crop pixels.
    last: [2] the target's last width and height, frame pixels.
    scale: crop pixels per frame pixel.
    config: settings.

  Returns:
    Shift of the center [2] and new size [2], frame pixels, and the score.
  """
  with np.errstate(all='ignore'):  # sizes may be anything
    score = 1 / (1 + np.exp(-heatmap[0]))
    cells = _candidates(score, config)
    score, predicted = score[cells], sizes[:, cells]
    penalty = _penalty(predicted, last * scale, config.penalty_k)
    final = (score * penalty * (1 - config.window_influence) +
             _WINDOW[cells] * config.window_influence)
    best = int(np.argmax(final))
    rate = penalty[best] * score[best] * config.size_lr
    size = (1 - rate) * last + rate * predicted[:, best] / scale
    shift = _CELLS[:, cells[best]] + (
        config.offset_unit * offsets[:, cells[best]])
  if not np.isfinite(size).all():
    size = last
  return shift / scale, size, float(score[best])


def _candidates(score: np.ndarray, config: DecodeConfig) -> np.ndarray:
  """[n] -> the cells that may be chosen, in the order of the map."""
  some = np.argpartition(-score, config.topk_max - 1)[:config.topk_max]
  some = some[np.argsort(-score[some])]
  chosen = score[some] > config.threshold
  chosen[:config.topk_min] = True
  return np.sort(some[chosen])


def _penalty(predicted: np.ndarray, last: np.ndarray, k: float) -> np.ndarray:
  """[2, n] sizes against the last [2], crop pixels -> [n]."""
  extent = (geometry.context_side(*predicted) / geometry.context_side(*last))
  aspect = (predicted[0] / predicted[1]) / (last[0] / last[1])
  change = np.maximum(extent, 1 / extent) * np.maximum(aspect, 1 / aspect)
  penalty = np.exp(-k * (change - 1))
  return np.where(np.isfinite(penalty), penalty, np.float32(0))


def _cells() -> np.ndarray:
  """[2, n] x, y of every cell from the crop's center, crop pixels."""
  position = geometry.cell_positions() - geometry.CROP_CENTER
  return np.stack(np.meshgrid(position, position)).reshape(2, -1).astype(
      np.float32)


_HANNING = np.hanning(geometry.MAP_SIZE)
_WINDOW = np.outer(_HANNING, _HANNING).reshape(-1).astype(np.float32)
_CELLS = _cells()
