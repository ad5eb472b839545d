"""Any number of targets, in one video or many, tracked as one batch.

The crops are cut side by side on the host, the network sees them as one batch,
divided over the devices of this process, and the boxes come back together.
Targets lie in slots, of which there are more than targets: one that comes or
goes compiles nothing.

The boxes are those of `Tracker` but for the rounding of float32, which depends
on the size of the batch.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent import futures
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking import functional
from siamkpn_jax.tracking.crop import (
    frame_size,
    search_scale,
    template_input,
)
from siamkpn_jax.tracking.decode import DecodeConfig, Hyperparameters
from siamkpn_jax.tracking.functional import SearchInput, TrackerState
from siamkpn_jax.tracking.slots import crops_each, shardings
from siamkpn_jax.tracking.targets import (
    Search,
    Target,
    TemplateView,
    TrackResult,
)


class BatchTracker:
  """Tracks many targets.

  Attributes:
    slots: targets that there is room for; doubles, and compiles once more,
      when another one comes.
    devices: how many devices share them; not all where slots are fewer.
    crops_seen: crops that the network saw so far.
  """

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig, *,
               slots: int = 1, share_crops: bool = False,
               every_stage: bool = False):
    """A tracker without targets.

    Args:
      model: the network.
      variables: {'params', 'batch_stats'}.
      config: how boxes are chosen, where a target has no other numbers.
      slots: targets that are expected; rounded up to a multiple of the devices.
      share_crops: targets of one template that look at the same pixels share
        their pass through the network: for targets that differ in their
        hyperparameters alone.
      every_stage: keep the heatmaps of every stage, not of the last one alone.
    """
    devices = jax.local_devices()[:slots]
    self.devices = len(devices)
    self.slots = -(-slots // self.devices) * self.devices
    self.crops_seen = 0
    everywhere, self._divided = shardings(devices)
    self._state_sharding = everywhere if share_crops else self._divided
    self._variables = jax.device_put(variables, everywhere)
    self._config, self._share = config, share_crops
    self._rows = crops_each() * self.devices  # of a batch of shared crops
    self._init = functools.partial(functional.init, model=model)
    self._update = functools.partial(
        functional.update, model=model, rule=config.rule,
        every_stage=every_stage)
    self._targets: dict[int, Target] = {}  # by slot
    self._templates: Any = None  # of `Template`, [slots, ...] on the devices
    self._newest: TemplateView | None = None
    self._map: Callable[..., Iterable[None]] = map
    if self.slots > 1:
      self._map = futures.ThreadPoolExecutor(cores(), 'crops').map
    self._compiled, self._seconds, self._timed = False, 0.0, 0

  @property
  def targets(self) -> Collection[int]:
    """The targets that are tracked."""
    return self._targets.keys()

  def add(self, frame: np.ndarray, box_xywh: Any,
          hyperparameters: Hyperparameters | None = None, *,
          replace: int | None = None) -> int:
    """Takes a target.

    Args:
      frame: [h, w, 3] uint8 BGR.
      box_xywh: left, top, width, height; pixels.
      hyperparameters: of this target; None: those of the tracker.
      replace: a target whose slot this one takes; it stays where the box is
        refused. None: a free slot.

    Returns:
      The target, for `update` and `remove`.

    Raises:
      UserError: the box is outside the frame or has a side that is not
        positive.
      ValueError: another kind of frame.
    """
    view = self._template(frame, box_xywh)
    slot = self._free_slot() if replace is None else replace
    if self._templates is None:
      self._templates = jax.tree.map(self._room, view.template)
    self._templates = _put(self._templates, view.template, np.int32(slot))
    self._targets[slot] = Target(
        view, hyperparameters or self._config.hyperparameters,
        view.input.center, view.input.size)
    return slot

  def remove(self, target: int) -> None:
    """Forgets a target; its slot is free for another one."""
    del self._targets[target]

  def update(self, frames: np.ndarray | Mapping[int, np.ndarray]
             ) -> dict[int, TrackResult]:
    """Finds targets in their next frames.

    Args:
      frames: [h, w, 3] uint8 BGR of all targets, or target -> its frame, of
        any sizes; targets that are not named stay as they are.

    Returns:
      Target -> where it was found.

    Raises:
      KeyError: a target that there is not.
      ValueError: another kind of frame.
    """
    if isinstance(frames, np.ndarray):
      frames = dict.fromkeys(self._targets, frames)
    searches = [Search(slot, self._targets[slot], frame)
                for slot, frame in frames.items()]
    for some in self._batches(searches):
      self._update_batch(some)
    return {search.slot: search.target.result() for search in searches}

  def heatmaps(self, target: int) -> np.ndarray:
    """[s, 31, 31] of a target's last update; s = 0 before the first."""
    seen = self._targets[target].seen
    if seen is None:
      return np.zeros((0, geometry.MAP_SIZE, geometry.MAP_SIZE), np.float32)
    return jax.device_get(seen[0])[seen[1]]

  def search_crop(self, target: int) -> np.ndarray | None:
    """[255, 255, 3] uint8, what a target's last update looked at."""
    return self._targets[target].crop

  def network_speed(self) -> float | None:
    """Crops per second on the devices, from crops to boxes on the host.

    Without the first batch, which compiles. None before there is another.
    """
    return self._timed / self._seconds if self._timed else None

  def search_window(self, target: int) -> tuple[np.ndarray, float]:
    """Where the next `update` looks.

    Returns:
      The center [2] x, y of the search crop in the frame, pixels, and its
      scale: crop pixels per frame pixel.
    """
    found = self._targets[target]
    return found.center, search_scale(found.size)

  def _template(self, frame: np.ndarray, box_xywh: Any) -> TemplateView:
    """The target at its start; that of the last `add` if it is the same."""
    first = template_input(frame, box_xywh)
    if self._share and self._newest and self._newest.equals(first):
      return self._newest
    template = self._init(
        self._variables, first.crop[None], first.center[None],
        first.size[None]).template
    self._newest = TemplateView(first, template)
    return self._newest

  def _free_slot(self) -> int:
    for slot in range(self.slots):
      if slot not in self._targets:
        return slot
    self._templates = jax.tree.map(
        lambda leaf: jnp.concatenate([leaf, jnp.zeros_like(leaf)]),
        self._templates)
    self.slots *= 2
    return self.slots // 2

  def _room(self, leaf: jax.Array) -> jax.Array:
    """[1, ...] -> zeros [slots, ...]."""
    return jnp.zeros((self.slots, *leaf.shape[1:]), leaf.dtype,
                     device=self._state_sharding)

  def _batches(self, searches: Sequence[Search]) -> list[list[list[Search]]]:
    """What fits into a batch each; those that share a crop in a list."""
    if not self._share:
      return [[[search] for search in searches]] if searches else []
    groups: dict[Any, list[Search]] = {}
    for search in searches:
      groups.setdefault(search.pixels(), []).append(search)
    crops = list(groups.values())
    return [crops[i:i + self._rows] for i in range(0, len(crops), self._rows)]

  def _update_batch(self, groups: Sequence[Sequence[Search]]) -> None:
    """One pass of the network; those of a group share a crop."""
    rows = (range(len(groups)) if self._share else
            [search.slot for (search,) in groups])
    crops = np.zeros((self._rows if self._share else self.slots,
                      geometry.SEARCH_SIZE, geometry.SEARCH_SIZE, 3), np.uint8)

    def cut(row: int, search: Search) -> None:
      crops[row] = search.crop()

    list(self._map(cut, rows, [group[0] for group in groups]))
    arguments = self._arguments(groups, crops)
    start = time.perf_counter()
    state, seen = self._update(self._variables, *self._placed(*arguments))
    center, size, score = jax.device_get(
        (state.center, state.size, seen.score))
    if self._compiled:
      self._seconds += time.perf_counter() - start
      self._timed += len(groups)
    self._compiled = True
    self.crops_seen += len(groups)
    for row, group in zip(rows, groups, strict=True):
      for search in group:
        slot, target = search.slot, search.target
        target.center, target.size = center[slot], size[slot]
        target.score = float(score[slot])
        target.crop, target.seen = crops[row], (seen.heatmaps, slot)

  def _arguments(self, groups: Sequence[Sequence[Search]], crops: np.ndarray
                 ) -> tuple[TrackerState, SearchInput, Hyperparameters]:
    """Of `functional.update`, on the host; empty slots look at nothing."""
    center, size, frame, numbers = (
        np.ones((self.slots, n), np.float32) for n in (2, 2, 2, 4))
    scale = np.ones(self.slots, np.float32)
    shared = np.zeros(self.slots, np.int32)
    for row, group in enumerate(groups):
      for search in group:
        slot, target = search.slot, search.target
        center[slot], size[slot] = target.center, target.size
        scale[slot], frame[slot] = search.scale, frame_size(search.frame)
        numbers[slot] = dataclasses.astuple(target.hyperparameters)
        shared[slot] = row
    owner = np.resize([group[0].slot for group in groups], len(crops))
    inputs = SearchInput(crops, scale, frame)
    if self._share:
      inputs = dataclasses.replace(
          inputs, owner=owner.astype(np.int32), crop=shared)
    return (TrackerState(self._templates, center, size), inputs,
            Hyperparameters(*numbers.T))

  def _placed(self, *arguments: Any) -> Any:
    """Divides the batch over the devices; with `share_crops` the crops alone.

    One device needs no placement, which would take time.
    """
    if self.devices == 1:
      return arguments
    state, inputs, numbers = arguments
    crops = jax.device_put(inputs.crops, self._divided)
    state, inputs, numbers = jax.device_put(
        (state, dataclasses.replace(inputs, crops=None), numbers),
        self._state_sharding)
    return state, dataclasses.replace(inputs, crops=crops), numbers


@functools.partial(jax.jit, donate_argnames='templates')
def _put(templates: Any, template: Any, slot: jax.Array) -> Any:
  """`templates` with that of one slot."""
  return jax.tree.map(
      lambda every, one: jax.lax.dynamic_update_slice_in_dim(
          every, one, slot, axis=0), templates, template)
