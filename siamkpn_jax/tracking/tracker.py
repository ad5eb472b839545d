"""The tracker: pure jitted functions, and a small object that calls them."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.config.settings import Config, config_from_dict
from siamkpn_jax.core import geometry
from siamkpn_jax.core.boxes import check_box, cxcywh_to_xywh
from siamkpn_jax.models.head import Maps, Template
from siamkpn_jax.models.siamkpn import SiamKPN, build_model
from siamkpn_jax.tracking.crop import crop_square, mean_color
from siamkpn_jax.tracking.decode import DecodeConfig, decode

_MIN_SIDE = 10.0  # pixels


@flax.struct.dataclass
class TrackerState:
  """Everything that the tracker remembers between frames.

  Attributes:
    template: of the first frame.
    center: [2] x, y, frame pixels.
    size: [2] width, height, frame pixels.
  """

  template: Template
  center: jax.Array
  size: jax.Array


@flax.struct.dataclass
class Observation:
  """What one frame showed.

  Attributes:
    score: () of the chosen cell, 0..1.
    heatmaps: [s, 31, 31] of every stage, 0..1.
  """

  score: jax.Array
  heatmaps: jax.Array


@functools.partial(jax.jit, static_argnames='model')
def init(variables: Any, crop: jax.Array, center: jax.Array, size: jax.Array,
         *, model: SiamKPN) -> TrackerState:
  """The state after the first frame.

  Args:
    variables: of the network.
    crop: [127, 127, 3] uint8 template crop.
    center: [2] of the given box.
    size: [2] of the given box.
    model: the network.
  """
  template: Any = model.apply(
      variables, crop[None].astype(jnp.float32), train=False,
      method=SiamKPN.template)
  return TrackerState(template, center, size)


@functools.partial(jax.jit, static_argnames=('model', 'config'))
def update(variables: Any, state: TrackerState, crop: jax.Array,
           scale: jax.Array, frame_size: jax.Array, *, model: SiamKPN,
           config: DecodeConfig) -> tuple[TrackerState, Observation]:
  """Finds the target in the next frame.

  Args:
    variables: of the network.
    state: after the last frame.
    crop: [255, 255, 3] uint8 search crop around `state.center`.
    scale: () crop pixels per frame pixel.
    frame_size: [2] width, height.
    model: the network.
    config: how the box is chosen.
  """
  maps: Any = model.apply(
      variables, state.template, crop[None].astype(jnp.float32), train=False,
      method=SiamKPN.search)
  center, size, score = move(
      jax.tree.map(lambda m: m[0], maps[-1]), state.center, state.size, scale,
      frame_size, config)
  heatmaps = jnp.stack(
      [jax.nn.sigmoid(stage.heatmap[0, ..., 0]) for stage in maps])
  return (dataclasses.replace(state, center=center, size=size),
          Observation(score, heatmaps))


def move(maps: Maps, center: jax.Array, size: jax.Array, scale: jax.Array,
         frame_size: jax.Array, config: DecodeConfig
         ) -> tuple[jax.Array, jax.Array, jax.Array]:
  """The target's next place, kept inside the frame.

  Args:
    maps: of the last stage and one crop, without the batch axis.
    center: [2] of the search crop, frame pixels.
    size: [2] the target's last width and height, frame pixels.
    scale: () crop pixels per frame pixel.
    frame_size: [2] width, height.
    config: how the box is chosen.

  Returns:
    The new center [2] and size [2], and the score () of the chosen cell.
  """
  found = decode(maps, size, scale, config)
  return (jnp.clip(center + found.shift, 0, frame_size),
          jnp.clip(found.size, _MIN_SIDE, frame_size), found.score)


class Tracker:
  """Tracks one target; used like `cv2.Tracker`.

  Attributes, empty or 0 before the first update:
    score: of the last update, 0..1.
    heatmaps: [s, 31, 31] of every stage at the last update.
    search_crop: [255, 255, 3] uint8, what the last update looked at.
  """

  score: float
  heatmaps: np.ndarray
  search_crop: np.ndarray

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig):
    """A tracker without a target; `init` gives it one."""
    self._model = model
    self._variables = variables
    self._config = config
    self._state: TrackerState | None = None
    self._forget()

  def _forget(self) -> None:
    self.score = 0.0
    self.heatmaps = np.zeros((0, geometry.MAP_SIZE, geometry.MAP_SIZE))
    self.search_crop = np.zeros((0, 0, 3), np.uint8)

  def init(self, frame: np.ndarray, box_xywh: Any) -> None:
    """Takes the target of the first frame.

    Args:
      frame: [h, w, 3] uint8 BGR.
      box_xywh: left, top, width, height; pixels.

    Raises:
      UserError: the box is outside the frame or has a side that is not
        positive.
      ValueError: another kind of frame.
    """
    first = first_sight(frame, box_xywh)
    self._fill = first.fill
    self._forget()
    self._state = init(self._variables, first.crop, first.center, first.size,
                       model=self._model)

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Finds the target in the next frame.

    Args:
      frame: [h, w, 3] uint8 BGR.

    Returns:
      Whether the score is above the candidates' threshold, and the box
      [x, y, w, h] in pixels, which is the best guess in either case.

    Raises:
      RuntimeError: `init` has not been called.
      ValueError: another kind of frame.
    """
    height, width = frame_size(frame)
    center, scale = self.search_window()
    self.search_crop = search_crop(frame, center, scale, self._fill)
    self._state, seen = update(
        self._variables, self._state, self.search_crop, np.float32(scale),
        np.asarray([width, height], np.float32), model=self._model,
        config=self._config)
    center, size, seen = jax.device_get(
        (self._state.center, self._state.size, seen))
    self.score, self.heatmaps = float(seen.score), seen.heatmaps
    box = cxcywh_to_xywh(np.concatenate([center, size]).astype(np.float64))
    return self.score > self._config.threshold, box

  def search_window(self) -> tuple[np.ndarray, float]:
    """Where the next `update` looks.

    Returns:
      The center [2] x, y of the search crop in the frame, pixels, and its
      scale: crop pixels per frame pixel.

    Raises:
      RuntimeError: `init` has not been called.
    """
    if self._state is None:
      raise RuntimeError('the tracker has no target; call init first')
    center, size = jax.device_get((self._state.center, self._state.size))
    return center, search_scale(size)


@dataclasses.dataclass(frozen=True)
class FirstSight:
  """What is kept of the first frame.

  Attributes:
    crop: [127, 127, 3] uint8 template crop.
    center: [2] float32 of the box, frame pixels.
    size: [2] float32 width and height, frame pixels.
    fill: [3] uint8 color outside the frame.
  """

  crop: np.ndarray
  center: np.ndarray
  size: np.ndarray
  fill: np.ndarray


def first_sight(frame: np.ndarray, box_xywh: Any) -> FirstSight:
  """Looks at the target of the first frame; args and errors as `init`."""
  height, width = frame_size(frame)
  x, y, w, h = check_box(box_xywh, width, height)
  # Reference: the released program takes x + (w - 1) / 2 as the center.
  center = np.asarray([x + (w - 1) / 2, y + (h - 1) / 2], np.float32)
  fill = mean_color(frame)
  crop = crop_square(frame, center, geometry.context_side(w, h),
                     geometry.TEMPLATE_SIZE, fill)
  return FirstSight(crop, center, np.asarray([w, h], np.float32), fill)


def search_scale(size: np.ndarray) -> float:
  """Crop pixels per frame pixel, for a target of [2] width and height."""
  return geometry.TEMPLATE_SIZE / geometry.context_side(*map(float, size))


def search_crop(frame: np.ndarray, center: np.ndarray, scale: float,
                fill: np.ndarray) -> np.ndarray:
  """[255, 255, 3] uint8 part of a frame around a center [2]."""
  return crop_square(frame, center, geometry.SEARCH_SIZE / scale,
                     geometry.SEARCH_SIZE, fill)


def frame_size(frame: np.ndarray) -> tuple[int, int]:
  """Height and width of a [h, w, 3] uint8 frame; another is a ValueError."""
  if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
    raise ValueError(f'frame of shape {frame.shape}, {frame.dtype}; expected '
                     '[h, w, 3] uint8 BGR')
  return frame.shape[:2]


def decode_config(config: Config | Mapping[str, Any]) -> DecodeConfig:
  """The `DecodeConfig` of a configuration, or of a stored one."""
  if not isinstance(config, Config):
    config = config_from_dict(config)
  return DecodeConfig(
      **dataclasses.asdict(config.tracking),
      offset_unit=geometry.offset_unit(config.targets.offset_target))


def load_tracker(weights: str | Path | None = None,
                 settings: str = '') -> Tracker:
  """A tracker with the weights and settings of a checkpoint.

  Args:
    weights: a run's workdir, one of its checkpoints, a file of weights, or the
      name of a packaged model; None: the default one.
    settings: 'penalty_k=0.1,...', other tracking settings than its own.

  Raises:
    UserError: it is not a checkpoint, or a damaged one, the package came
      without the default one, or settings that are not known.
  """
  config, variables = load_model(find_weights(weights))
  config = with_tracking(config, settings)
  return Tracker(build_model(config.model), variables,
                 decode_config(config))
