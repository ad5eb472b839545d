"""Many targets, each in frames of its own, tracked as one batch.

What `Tracker` does for one target is done here for a number of places, on all
devices of this process: the crops are cut side by side on the host, the network
sees them as one batch, divided over the devices, and the boxes come back
together. A place that has no frame computes nothing useful; give its targets
out so that few are empty (evaluation/run/batch_runner.py).

The boxes are those of `Tracker` but for the rounding of float32, which depends
on the size of the batch.
"""

import dataclasses
import functools
import heapq
import time
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.checkpoints.weights_file import fingerprint
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.core import geometry
from siamkpn_jax.core.boxes import cxcywh_to_xywh
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.models.siamkpn import SiamKPN, build_model
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.tracker import (
  decode_config,
  first_sight,
  frame_size,
  move,
  search_crop,
  search_scale,
)


@dataclasses.dataclass
class Targets:
  """What is known of the target in each of n places, on the host.

  Attributes:
    center: [n, 2] float32 x, y, frame pixels.
    size: [n, 2] float32 width, height, frame pixels.
    fill: [n, 3] uint8 color outside the frame.
  """

  center: np.ndarray
  size: np.ndarray
  fill: np.ndarray


class Lockstep:
  """Tracks up to `places` targets at once.

  Attributes:
    places: how many; a multiple of the number of devices.
    devices: how many devices share them; not all where places are fewer.
  """

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig,
               places: int):
    """A tracker without targets.

    Args:
      model: the network.
      variables: {'params', 'batch_stats'}.
      config: how boxes are chosen.
      places: at least so many; rounded up to a multiple of the devices.
    """
    devices = jax.local_devices()[:places]
    self._everywhere, self._divided = shardings(devices)
    self._model, self._config = model, config
    self._variables = jax.device_put(variables, self._everywhere)
    self.devices = len(devices)
    self.places = -(-places // self.devices) * self.devices
    self._targets = Targets(
        np.zeros((self.places, 2), np.float32),
        np.ones((self.places, 2), np.float32),
        np.zeros((self.places, 3), np.uint8))
    self._templates: Any = None  # of `Template`, [places, ...] on the devices
    self._pool = futures.ThreadPoolExecutor(cores(), 'crops')
    self._compiled = False
    self._seconds, self._crops = 0.0, 0  # on the devices

  def start(self, place: int, frame: np.ndarray, box_xywh: Any) -> None:
    """Takes a target; args and errors as of `Tracker.init`."""
    first = first_sight(frame, box_xywh)
    targets = self._targets
    targets.center[place] = first.center
    targets.size[place] = first.size
    targets.fill[place] = first.fill
    template = make_template(self._variables, first.crop, model=self._model)
    if self._templates is None:
      self._templates = jax.tree.map(self._room, template)
    self._templates = _put(self._templates, template, np.int32(place))

  def update(self, places: Sequence[int],
             frames: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Finds the targets of some places in their next frames.

    Args:
      places: n different ones, each with a target.
      frames: n of [h, w, 3] uint8 BGR, of any sizes.

    Returns:
      [n, 4] boxes x, y, w, h in pixels, and [n] scores, 0..1.
    """
    targets = self._targets
    scales = np.ones(self.places, np.float32)
    sizes = np.ones((self.places, 2), np.float32)
    crops = np.zeros((self.places, geometry.SEARCH_SIZE, geometry.SEARCH_SIZE,
                      3), np.uint8)

    def cut(place: int, frame: np.ndarray) -> None:
      scale = search_scale(targets.size[place])
      crops[place] = search_crop(frame, targets.center[place], scale,
                                 targets.fill[place])
      scales[place] = scale
      sizes[place] = frame_size(frame)[::-1]

    list(self._pool.map(cut, places, frames))
    start = time.perf_counter()
    batch = jax.device_put(
        (crops, targets.center, targets.size, scales, sizes), self._divided)
    center, size, score = jax.device_get(_update(
        self._variables, self._templates, *batch, model=self._model,
        config=self._config))
    if self._compiled:
      self._seconds += time.perf_counter() - start
      self._crops += len(places)
    self._compiled = True
    chosen = np.array(places, np.int64)
    targets.center[chosen], targets.size[chosen] = center[chosen], size[chosen]
    boxes = np.concatenate([center[chosen], size[chosen]], axis=1)
    return cxcywh_to_xywh(boxes.astype(np.float64)), score[chosen]

  def network_speed(self) -> float | None:
    """Crops per second on the devices, from crops to boxes on the host.

    Without the first batch, which compiles. None before there is another.
    """
    return self._crops / self._seconds if self._crops else None

  def _room(self, leaf: jax.Array) -> jax.Array:
    """[1, ...] -> zeros [places, ...]."""
    return jnp.zeros((self.places, *leaf.shape[1:]), leaf.dtype,
                     device=self._divided)


def shardings(devices: Sequence[Any]) -> tuple[NamedSharding, NamedSharding]:
  """For what every device has, and for what is divided along its first axis."""
  mesh = jax.sharding.Mesh(
      np.array(devices), ('place',), axis_types=(AxisType.Auto,))
  return NamedSharding(mesh, P()), NamedSharding(mesh, P('place'))


def crops_each() -> int:
  """Crops that suit a device in one batch."""
  return 4 if jax.local_devices()[0].platform == 'cpu' else 16


@functools.partial(jax.jit, static_argnames='model')
def make_template(variables: Any, crop: jax.Array, *, model: SiamKPN) -> Any:
  """[127, 127, 3] -> `Template` of a batch of 1."""
  return model.apply(variables, crop[None].astype(jnp.float32), train=False,
                     method=SiamKPN.template)


@functools.partial(jax.jit, donate_argnames='templates')
def _put(templates: Any, template: Any, place: jax.Array) -> Any:
  """`templates` with that of one place."""
  return jax.tree.map(
      lambda all_of, one: jax.lax.dynamic_update_slice_in_dim(
          all_of, one, place, axis=0), templates, template)


@functools.partial(jax.jit, static_argnames=('model', 'config'))
def _update(variables: Any, templates: Any, crops: jax.Array, center: jax.Array,
            size: jax.Array, scale: jax.Array, frame_sizes: jax.Array, *,
            model: SiamKPN, config: DecodeConfig
            ) -> tuple[jax.Array, jax.Array, jax.Array]:
  """[n, ...] of everything -> centers [n, 2], sizes [n, 2], scores [n]."""
  maps: Any = model.apply(variables, templates, crops.astype(jnp.float32),
                          train=False, method=SiamKPN.search)
  return jax.vmap(functools.partial(move, config=config))(
      maps[-1], center, size, scale, frame_sizes)


def load_lockstep(weights: str | Path | None, lengths: Sequence[int], *,
                  batch: int | None = None, settings: str = ''
                  ) -> tuple[Lockstep, dict[str, Any]]:
  """A tracker with the weights and settings of a checkpoint.

  Args:
    weights: as for `load_tracker`.
    lengths: of the sequences that it will be given, in frames.
    batch: targets at once, at most; None: what suits the devices.
    settings: 'penalty_k=0.1,...', other tracking settings than its own.

  Returns:
    The tracker, and what decides about its boxes, as JSON can hold it.

  Raises:
    UserError: it is not a checkpoint, or a damaged one, or settings that are
      not known.
  """
  config, variables = load_model(find_weights(weights))
  config = with_tracking(config, settings)
  places = good_places(lengths, len(jax.local_devices()), batch)
  tracker = Lockstep(build_model(config.model), variables,
                     decode_config(config), places)
  return tracker, {'weights': fingerprint(variables),
                   'tracking': {**dataclasses.asdict(config.tracking),
                                'offset_target':
                                config.targets.offset_target}}


def good_places(lengths: Sequence[int], devices: int,
                batch: int | None = None) -> int:
  """How many targets at once take the least time.

  Many share what a batch costs whatever its size; but when a few sequences are
  left at the end, the other places compute nothing useful.

  Args:
    lengths: of the sequences, in frames.
    devices: that share the places.
    batch: targets at most; None: what suits the devices.
  """
  # What a batch costs beside its targets, in targets.
  fixed = devices * crops_each() / 4
  useful = -(-len(lengths) // devices) * devices
  batch = min(batch or crops_each() * devices, max(useful, devices))
  devices = min(devices, batch)
  return min(range(devices, batch + 1, devices),
             key=lambda places: _steps(lengths, places) * (places + fixed))


def _steps(lengths: Sequence[int], places: int) -> int:
  """How many batches it takes, where the longest sequences begin first."""
  busy_until = [0] * places  # a heap
  for length in sorted(lengths, reverse=True):
    heapq.heapreplace(busy_until, busy_until[0] + length)
  return max(busy_until)
