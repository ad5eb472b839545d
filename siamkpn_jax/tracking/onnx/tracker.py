"""A tracker of one target in ONNX Runtime.

It shares crops with `Tracker`, and its box is chosen in plain Python. Nothing
of a frame runs in JAX, which is not even imported.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import onnxruntime

from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.tracking.choice import (
    DecodeConfig,
    Hyperparameters,
    no_heatmaps,
)
from siamkpn_jax.tracking.correction import LOOKING, Correction, measure
from siamkpn_jax.tracking.crop import (
    TemplateInput,
    search_crop,
    template_input,
)
from siamkpn_jax.tracking.frames import as_bgr, check_color
from siamkpn_jax.tracking.long_term import BELIEVING, Judge
from siamkpn_jax.tracking.onnx.decode import decode
from siamkpn_jax.tracking.onnx.serialized import Serialized
from siamkpn_jax.tracking.saved_state import Origin, from_arrays, to_arrays
from siamkpn_jax.tracking.targets import Target, TemplateView

# Microseconds for which an idle thread waits for work without sleeping. ONNX
# Runtime's default, without end, takes the core of whatever else runs. Ms of a
# frame of kpn3s_nano on two cores, quiet / beside one busy process: without
# end 6.9 / 18.1, 1000 us 6.4 / 15.3, 100 us 6.7 / 13.0, 50 us 7.1 / 12.1, none
# 9.6 / 9.0. Versions that do not know the setting ignore it.
_SPIN = '100'

onnxruntime.disable_telemetry_events()  # nobody asked the user


class OnnxTracker:
  """Tracks one target on a CPU, with the interface of `Tracker`.

  Attributes:
    score: score of the last update, 0..1; 0 before the first one.
    confidence: as of `Tracker`.
    search_crop: as of `Tracker`.
  """

  def __init__(self, network: Serialized, config: DecodeConfig, *,
               threads: int = 0, judge: Judge = BELIEVING,
               template: onnxruntime.InferenceSession | None = None,
               color: str = 'bgr', weights: str | None = None):
    """Creates a tracker without a target; call `init` next.

    Args:
      network: with its weights, for crops of `config.search_size`.
      config: how boxes are chosen.
      threads: of ONNX Runtime; 0 for one per core.
      judge: of what the network says.
      template: the session of `network.template`, if there is one already.
      color: order of the channels of frames, 'bgr' or 'rgb'.
      weights: what tells them from others, for `state`.
    """
    self._threads, self._rgb = threads or cores(), check_color(color)
    self._origin = Origin(weights, config, judge)
    self._template = template or open_session(network.template, self._threads)
    self._network = network.search
    self._target: Target | None = None
    self._heatmap: np.ndarray | None = None
    self.score = 0.0
    self.confidence: float | None = None
    self.search_crop = np.zeros((0, 0, 3), np.uint8)

  def init(self, frame: np.ndarray, box_xywh: Any) -> None:
    """See `Tracker.init`; makes a session, which takes longer than a frame."""
    frame = as_bgr(frame, rgb=self._rgb)
    first, config = template_input(frame, box_xywh), self._origin.config
    self._open(first)
    looking = dataclasses.replace(config, **vars(LOOKING))

    def look(crop: np.ndarray, size: np.ndarray
             ) -> tuple[np.ndarray, np.ndarray, float]:
      side = crop.shape[0]
      middle = np.array([side / 2] * 2, np.float32)
      return self._find(crop, middle, size, 1.0, (side, side), looking)[:3]

    self._start(first, config.hyperparameters,
                measure(look, frame, first, config))

  def state(self) -> dict[str, np.ndarray]:
    """See `Tracker.state`."""
    return to_arrays(self._known().saved(), self._origin)

  def restore(self, state: Mapping[str, Any]) -> None:
    """See `Tracker.restore`."""
    saved = from_arrays(state, self._origin)
    self._open(saved.first)
    self._start(saved.first, saved.hyperparameters, saved.correction
                ).restore(saved)
    self.score = saved.score
    self.confidence = saved.confidence(self._origin.judge)

  def _open(self, first: TemplateInput) -> None:
    """Makes a session that knows the target."""
    template = OneCrop(self._template)
    kernels = dict(zip(template.outputs, template(first.crop), strict=True))
    self._session = open_session(self._network, self._threads, kernels)
    self._search = OneCrop(self._session)

  def _start(self, first: TemplateInput, hyperparameters: Hyperparameters,
             correction: Correction) -> Target:
    """Forgets the target before, if any."""
    self._config = dataclasses.replace(
        self._origin.config, **vars(hyperparameters))
    self._target = target = Target(
        TemplateView(first, None), hyperparameters, self._origin.judge,
        correction)
    self.score, self.confidence, self._heatmap = 0.0, None, None
    self.search_crop = np.zeros((0, 0, 3), np.uint8)
    return target

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """See `Tracker.update`."""
    target, frame = self._known(), as_bgr(frame, rgb=self._rgb)
    width_height = frame.shape[1], frame.shape[0]
    center, scale = target.window()
    crop = search_crop(frame, center, scale, target.view.input.fill,
                       self._config.search_size)
    center, size, score, self._heatmap = self._find(
        crop, center, target.correction.seen(target.size), scale, width_height,
        target.memory.settings(self._config))
    target.take(center, size, score, width_height)
    result = target.result()
    self.score, self.confidence = score, result.confidence
    self.search_crop = crop
    return result.found, result.box_xywh

  def _find(self, crop: np.ndarray, center: np.ndarray, size: np.ndarray,
            scale: float, limit: tuple[int, int], config: DecodeConfig
            ) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """`functional.update` of one target: center, size, score, heatmap."""
    heatmap, offsets, sizes = (maps[0] for maps in self._search(crop))
    shift, sides, score = decode(
        heatmap.reshape(-1), offsets.reshape(2, -1), sizes.reshape(2, -1),
        size, scale, config)
    place = [min(max(old + change, 0.0), float(most)) for old, change, most in
             zip(center.tolist(), shift, limit, strict=True)]
    sides = [min(max(side, 0.0), float(most)) for side, most in
             zip(sides, limit, strict=True)]
    return (np.array(place, np.float32), np.array(sides, np.float32), score,
            heatmap)

  def search_window(self) -> tuple[np.ndarray, float]:
    """See `Tracker.search_window`."""
    return self._known().window()

  @property
  def heatmaps(self) -> np.ndarray:
    """[1, n, n] heatmap of the last stage; [0, n, n] before an update."""
    if self._heatmap is None:
      return no_heatmaps(self._origin.config)
    return 1 / (1 + np.exp(-self._heatmap))

  def _known(self) -> Target:
    if self._target is None:
      raise RuntimeError('the tracker has no target: call init first')
    return self._target


def open_session(model: bytes, threads: int,
                 constants: Mapping[str, np.ndarray] | None = None
                 ) -> onnxruntime.InferenceSession:
  """A session on the CPU with every optimization.

  Args:
    model: serialized.
    threads: how many.
    constants: values of those that the model lacks, by name.
  """
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = threads
  options.add_session_config_entry('session.intra_op.spin_duration_us', _SPIN)
  # Nor after a run: another target's session would get half of the cores.
  options.add_session_config_entry('session.force_spinning_stop', '1')
  options.graph_optimization_level = (
      onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
  if constants:
    options.add_external_initializers(list(constants), [
        onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value))
        for value in constants.values()])
  return onnxruntime.InferenceSession(
      model, options, providers=['CPUExecutionProvider'])


class OneCrop:
  """A session whose input is one crop.

  Its memory is kept. Right after a network has run nothing else is in the
  caches, and what comes then takes twice its time.

  Attributes:
    outputs: their names.
  """

  def __init__(self, session: onnxruntime.InferenceSession):
    """Its input is [1, 3, h, w] float32."""
    (given,) = session.get_inputs()
    self.outputs = [output.name for output in session.get_outputs()]
    self._session, self._name = session, given.name
    self._pixels = np.empty(given.shape, np.float32)
    self._planes = list(np.empty(given.shape[1:], np.uint8))

  def __call__(self, crop: np.ndarray) -> list[np.ndarray]:
    """[h, w, 3] uint8 -> all outputs."""
    # A third of the time of one transposing copy to floats.
    planes = cv2.split(crop, self._planes)
    for channel, plane in zip(self._pixels[0], planes, strict=True):
      channel[:] = plane
    return self._session.run(self.outputs, {self._name: self._pixels})
