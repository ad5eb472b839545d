"""Tracks any number of targets in ONNX Runtime, each on a core of its own.

A batch would need the kernels of its targets as inputs, which halves the speed
(see `network.with_template`), and one target's network keeps two cores busy for
half of the time only: so each target has a session of one thread, and as many
run at once as there are cores.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from siamkpn_jax.core.cpu_devices import cores, mapper
from siamkpn_jax.tracking.choice import (
    DecodeConfig,
    Hyperparameters,
    checked,
)
from siamkpn_jax.tracking.frames import as_bgr, check_color, frames_of
from siamkpn_jax.tracking.long_term import BELIEVING, Judge
from siamkpn_jax.tracking.onnx.serialized import Serialized
from siamkpn_jax.tracking.onnx.tracker import OnnxTracker, open_session
from siamkpn_jax.tracking.targets import TrackResult, check_slots, known


class OnnxBatchTracker:
  """Tracks any number of targets on a CPU, with `BatchTracker`'s interface.

  Each target has its own copy of the network's weights.

  Attributes:
    slots: expected number of targets; doubles when there are more.
    devices: 1, the CPU.
    crops_seen: number of crops that the network has processed so far.
  """

  def __init__(self, network: Serialized, config: DecodeConfig, *,
               slots: int = 1, judge: Judge = BELIEVING,
               color: str = 'bgr', weights: str | None = None):
    """Creates a tracker without targets.

    Args:
      network: as for `OnnxTracker`.
      config: how boxes are chosen, unless a target has its own hyperparameters.
      slots: expected number of targets; as many as there are cores or more
        leave one thread for each.
      judge: of what the network says.
      color: order of the channels of frames, 'bgr' or 'rgb'.
      weights: what tells them from others, for `state`.

    Raises:
      ValueError: a number of slots that is not whole, or out of range.
      UserError: another color.
    """
    slots, self._rgb = check_slots(slots), check_color(color)
    self.slots, self.devices, self.crops_seen = slots, 1, 0
    self._network, self._config, self._judge = network, config, judge
    self._weights = weights
    self._threads = max(1, cores() // slots)
    self._template = open_session(network.template, cores())
    self._trackers: dict[int, OnnxTracker] = {}
    self._map = mapper(slots)

  @property
  def targets(self) -> Collection[int]:
    """See `BatchTracker`."""
    return self._trackers.keys()

  def add(self, frame: np.ndarray, box_xywh: Any,
          hyperparameters: Hyperparameters | None = None, *,
          replace: int | None = None) -> int:
    """See `BatchTracker.add`; makes a session: slower than a frame."""
    if replace is not None:
      known(self._trackers, replace)
    config = self._config
    if hyperparameters:
      own: dict[str, Any] = {
          name: float(value) for name, value in dataclasses.asdict(
              checked(hyperparameters)).items()}
      config = dataclasses.replace(config, **own)
    tracker = self._new(config)
    tracker.init(as_bgr(frame, rgb=self._rgb), box_xywh)
    return self._keep(tracker, replace)

  def state(self, target: int) -> dict[str, np.ndarray]:
    """See `BatchTracker.state`."""
    return known(self._trackers, target).state()

  def add_state(self, state: Mapping[str, Any], *,
                replace: int | None = None) -> int:
    """See `BatchTracker.add_state`."""
    if replace is not None:
      known(self._trackers, replace)
    tracker = self._new(self._config)
    tracker.restore(state)
    return self._keep(tracker, replace)

  def remove(self, target: int) -> None:
    """See `BatchTracker.remove`."""
    known(self._trackers, target)
    del self._trackers[target]

  def update(self, frames: np.ndarray | Mapping[int, np.ndarray]
             ) -> dict[int, TrackResult]:
    """See `BatchTracker.update`."""
    # All of them before any target has moved.
    each = frames_of(self._trackers, frames, rgb=self._rgb)
    trackers = [known(self._trackers, target) for target in each]
    found = self._map(_update, trackers, each.values())
    results = dict(zip(each, found, strict=True))
    self.crops_seen += len(results)
    return results

  def heatmaps(self, target: int) -> np.ndarray:
    """See `BatchTracker.heatmaps`; of the last stage."""
    return known(self._trackers, target).heatmaps

  def search_crop(self, target: int) -> np.ndarray | None:
    """See `BatchTracker.search_crop`."""
    crop = known(self._trackers, target).search_crop
    return crop if crop.size else None

  def search_window(self, target: int) -> tuple[np.ndarray, float]:
    """See `BatchTracker.search_window`."""
    return known(self._trackers, target).search_window()

  def network_speed(self) -> float | None:
    """None: not known, as crops are cut while other targets' networks run."""
    return None

  def _new(self, config: DecodeConfig) -> OnnxTracker:
    return OnnxTracker(self._network, config, threads=self._threads,
                       judge=self._judge, template=self._template,
                       weights=self._weights)

  def _keep(self, tracker: OnnxTracker, replace: int | None) -> int:
    number = self._free() if replace is None else replace
    self._trackers[number] = tracker
    return number

  def _free(self) -> int:
    number = next(n for n in range(len(self._trackers) + 1)
                  if n not in self._trackers)
    if number >= self.slots:
      self.slots *= 2
      self._threads = max(1, cores() // self.slots)
      self._map = mapper(self.slots)
    return number


def _update(tracker: OnnxTracker, frame: np.ndarray) -> TrackResult:
  found, box_xywh = tracker.update(frame)
  return TrackResult(bool(found), box_xywh, tracker.score, tracker.confidence)
