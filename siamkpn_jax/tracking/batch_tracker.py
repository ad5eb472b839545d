"""Tracks any number of targets, in one video or many, as one batch.

Crops are cut in parallel on the host and processed as one batch, which is split
over the devices of this process. Each target occupies one of a fixed number of
slots, so that adding or removing a target does not recompile anything.

The boxes equal those of `Tracker` up to float32 rounding, which depends on the
batch size.
"""

import functools
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.core.cpu_devices import mapper
from siamkpn_jax.models import inference
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking import functional, packed
from siamkpn_jax.tracking.choice import checked, no_heatmaps
from siamkpn_jax.tracking.correction import Correction, measure
from siamkpn_jax.tracking.crop import TemplateInput, template_input
from siamkpn_jax.tracking.decode import DecodeConfig, Hyperparameters
from siamkpn_jax.tracking.frames import (
    as_bgr,
    check_color,
    frame_size,
    frames_of,
)
from siamkpn_jax.tracking.long_term import BELIEVING, Judge
from siamkpn_jax.tracking.saved_state import (
    Origin,
    Saved,
    from_arrays,
    to_arrays,
)
from siamkpn_jax.tracking.slots import crops_each, put, shardings
from siamkpn_jax.tracking.targets import (
    Search,
    Target,
    TemplateView,
    TrackResult,
    check_slots,
    known,
)


class BatchTracker:
  """Tracks any number of targets, in one video or many, as one batch.

  Attributes:
    slots: number of targets that fit; doubles, with one recompilation, when a
      target is added to a full tracker. The devices stay the same.
    devices: number of devices in use, at most one per slot.
    crops_seen: number of crops that the network has processed so far.

  Examples:
    Two targets in one video:

    >>> import siamkpn_jax
    >>> from siamkpn_jax.datasets.synthetic import Scene
    >>> tracker = siamkpn_jax.load_batch_tracker(slots=2)
    >>> scene = Scene(seed=0, index=0, size=(160, 120))
    >>> frame, box_xywh = scene.render(0)
    >>> first = tracker.add(frame, box_xywh)
    >>> second = tracker.add(frame, [20, 20, 30, 30])
    >>> frame, _ = scene.render(1)
    >>> results = tracker.update(frame)
    >>> results[first].found, results[second].box_xywh.shape
    (True, (4,))
    >>> tracker.remove(second)
    >>> len(tracker.targets)
    1
  """

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig, *,
               slots: int = 1, share_crops: bool = False,
               every_stage: bool = False, judge: Judge = BELIEVING,
               color: str = 'bgr', weights: str | None = None):
    """Creates a tracker without targets.

    Args:
      model: the network.
      variables: its variables, {'params', 'batch_stats'}.
      config: how boxes are chosen, unless a target has its own hyperparameters.
      slots: expected number of targets; rounded up to a multiple of the number
        of devices.
      share_crops: process equal crops of equal templates only once, for targets
        that differ only in their hyperparameters.
      every_stage: keep the heatmaps of every stage, not only of the last.
      judge: of what the network says.
      color: order of the channels of frames, 'bgr' or 'rgb'.
      weights: what tells them from others, for `state`.

    Raises:
      ValueError: a number of slots that is not whole, or out of range.
      UserError: another color.
    """
    slots, self._rgb = check_slots(slots), check_color(color)
    devices = jax.local_devices()[:slots]
    self.devices = len(devices)
    self.slots = -(-slots // self.devices) * self.devices
    self.crops_seen = 0
    everywhere, self._divided = shardings(devices)
    self._state_sharding = everywhere if share_crops else self._divided
    on_cpu = devices[0].platform == 'cpu'
    model = inference.for_cpu(model) if on_cpu else model
    self._variables = jax.device_put(
        inference.inference_variables(model, variables, cpu=on_cpu),
        everywhere)
    self._packed = jax.device_put(
        packed.pack_variables(self._variables), everywhere)
    self._config, self._share, self._judge = config, share_crops, judge
    self._origin = Origin(weights, config, judge)
    self._rows = crops_each() * self.devices  # of a batch of shared crops
    self._init = functools.partial(functional.init, model=model)
    self._update = functools.partial(
        packed.update_packed.jitted, model=model, rule=config.rule,
        every_stage=every_stage, devices=self.devices,
        at_once=inference.crops_at_once(model) if on_cpu else 0)
    self._targets: dict[int, Target] = {}  # by slot
    self._templates: Any = None  # of `Template`, [slots, ...] on the devices
    self._newest: TemplateView | None = None
    self._map: Callable[..., Iterable[None]] = mapper(self.slots)
    self._compiled, self._seconds, self._timed = False, 0.0, 0

  @property
  def targets(self) -> Collection[int]:
    """The current targets, as returned by `add`."""
    return self._targets.keys()

  def add(self, frame: np.ndarray, box_xywh: Any,
          hyperparameters: Hyperparameters | None = None, *,
          replace: int | None = None) -> int:
    """Starts tracking a target.

    Args:
      frame: that shows it, [h, w, 3] or gray, see `load_tracker`.
      box_xywh: [4] left, top, width, height of the target, pixels.
      hyperparameters: those of this target; None for those of the tracker.
      replace: a target to replace, which is kept if the new one is invalid;
        None to use a free slot.

    Returns:
      The number of the target, for `update` and `remove`.

    Raises:
      UserError: the box lies outside the frame, or its width or height is not
        positive; or a hyperparameter that is not in its range.
      KeyError: `replace` is no current target.
      ValueError: the frame has another shape, type or range.
    """
    if replace is not None:
      known(self._targets, replace)
    numbers = (checked(hyperparameters) if hyperparameters else
               self._config.hyperparameters)
    frame = as_bgr(frame, rgb=self._rgb)
    view = self._template(template_input(frame, box_xywh))
    if view.correction is None:
      # By the program of a single slot.
      look = packed.look_with(functools.partial(
          self._update, self._packed, view.template, devices=1))
      view.correction = measure(look, frame, view.input, self._config)
    return self._start(view, numbers, view.correction, replace)

  def _start(self, view: TemplateView, numbers: Hyperparameters,
             correction: Correction, replace: int | None) -> int:
    slot = self._free_slot() if replace is None else replace
    self._templates = put(self._templates, view.template, slot, self.slots,
                          self._state_sharding)
    self._targets[slot] = Target(view, numbers, self._judge, correction)
    return slot

  def state(self, target: int) -> dict[str, np.ndarray]:
    """All that a target's next boxes depend on; see `Tracker.state`."""
    return to_arrays(known(self._targets, target).saved(), self._origin)

  def add_state(self, state: Mapping[str, Any], *,
                replace: int | None = None) -> int:
    """`add`, from a `state`; see `Tracker.restore`."""
    if replace is not None:
      known(self._targets, replace)
    return self._add_saved(from_arrays(state, self._origin), replace)

  def _add_saved(self, saved: Saved, replace: int | None) -> int:
    """`add_state`, of one that has been read and checked."""
    slot = self._start(self._template(saved.first), saved.hyperparameters,
                       saved.correction, replace)
    self._targets[slot].restore(saved)
    return slot

  def remove(self, target: int) -> None:
    """Stops tracking a target and frees its slot.

    Raises:
      KeyError: an unknown target.
    """
    known(self._targets, target)
    del self._targets[target]

  def update(self, frames: np.ndarray | Mapping[int, np.ndarray]
             ) -> dict[int, TrackResult]:
    """Finds targets in their next frames.

    Args:
      frames: one for all targets, as for `add`, or a mapping from target to
        frame, of any sizes; targets that are not in it do not change.

    Returns:
      The result for each target.

    Raises:
      KeyError: an unknown target.
      ValueError: a frame has another shape, type or range.
    """
    searches = [
        Search(slot, known(self._targets, slot), frame,
               self._config.search_size) for slot, frame in
        frames_of(self._targets, frames, rgb=self._rgb).items()]
    for some in self._batches(searches):
      self._update_batch(some)
    return {search.slot: search.target.result() for search in searches}

  def heatmaps(self, target: int) -> np.ndarray:
    """[s, cells, cells] heatmaps of a target's last update; s = 0 before it."""
    seen = known(self._targets, target).seen
    if seen is None:
      return no_heatmaps(self._config)
    return jax.device_get(seen[0])[seen[1]]

  def search_crop(self, target: int) -> np.ndarray | None:
    """[side, side, 3] uint8 search crop of a target's last update, or None."""
    return known(self._targets, target).crop

  def network_speed(self) -> float | None:
    """Crops per second of the network, from crops to boxes on the host.

    Excludes the first batch, which compiles; None before the second one.
    """
    return self._timed / self._seconds if self._timed else None

  def search_window(self, target: int) -> tuple[np.ndarray, float]:
    """Where the next `update` will search for a target.

    Returns:
      The center [2] x, y of the search crop, frame pixels, and its scale: crop
      pixels per frame pixel.
    """
    return known(self._targets, target).window()

  def _template(self, first: TemplateInput) -> TemplateView:
    """The target at its start; that of the last `add` if it is the same."""
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
    self._map = mapper(self.slots)
    return self.slots // 2

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
    crops = self._cut(rows, [group[0] for group in groups])
    numbers, sharing = self._numbers(groups, len(crops))
    start = time.perf_counter()
    found, heatmaps = self._update(
        self._packed, self._templates,
        *self._placed(crops, numbers, sharing))
    center, size, score = packed.unpack(np.asarray(found))
    if self._compiled:
      self._seconds += time.perf_counter() - start
      self._timed += len(groups)
    self._compiled = True
    self.crops_seen += len(groups)
    for row, group in zip(rows, groups, strict=True):
      for search in group:
        slot, target = search.slot, search.target
        target.take(center[slot], size[slot], float(score[slot]),
                    frame_size(search.frame))
        target.crop, target.seen = crops[row], (heatmaps, slot)

  def _cut(self, rows: Sequence[int], searches: Sequence[Search]) -> np.ndarray:
    """[n, side, side, 3] uint8 crops, each in its row."""
    count = self._rows if self._share else self.slots
    if count == 1:  # new memory costs a frame of a compact network 2 %
      return searches[0].crop()[None]
    side = self._config.search_size
    crops = np.zeros((count, side, side, 3), np.uint8)

    def cut(row: int, search: Search) -> None:
      crops[row] = search.crop()

    list(self._map(cut, rows, searches))
    return crops

  def _numbers(self, groups: Sequence[Sequence[Search]], crops: int
               ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """Of `update_packed`; empty slots look at nothing."""
    numbers = np.ones((self.slots, packed.COLUMNS), np.float32)
    shared = np.zeros(self.slots, np.int32)
    for row, group in enumerate(groups):
      for search in group:
        target = search.target
        numbers[search.slot] = packed.pack(
            search.center, target.correction.seen(target.size), search.scale,
            frame_size(search.frame),
            target.memory.settings(target.hyperparameters))
        shared[search.slot] = row
    if not self._share:
      return numbers, None
    owner = np.resize([group[0].slot for group in groups], crops)
    return numbers, (owner.astype(np.int32), shared)

  def _placed(self, crops: np.ndarray, *others: Any) -> Any:
    """Divides the batch over the devices; with `share_crops` the crops alone.

    One device needs no placement, which would take time.
    """
    if self.devices == 1:
      return crops, *others
    return (jax.device_put(crops, self._divided),
            *jax.device_put(others, self._state_sharding))
