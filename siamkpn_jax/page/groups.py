"""Trackers of one target or of many, behind one interface, kept for later."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.tracking.load import load_batch_tracker, load_tracker
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.targets import (
    LoadedBatchTracker,
    TargetTracker,
    TrackResult,
)


class Seen(NamedTuple):
  """A target in a frame.

  Attributes:
    result: where it is.
    heatmaps: [s, n, n] uint8, 255 for 1; of every stage, or the last.
    place_xywh: [4] where the heatmaps lie, frame pixels.
  """

  result: TrackResult
  heatmaps: np.ndarray
  place_xywh: np.ndarray


class Group:
  """Targets that are tracked together, by numbers of their own."""

  def __init__(self, tracker: TargetTracker, most: int | None = None):
    """Of no target; `most` at once, None for any number."""
    self._tracker, self._most = tracker, most
    for left in tuple(tracker.targets):
      tracker.remove(left)

  @property
  def full(self) -> bool:
    """Whether no target can be added."""
    return len(self._tracker.targets) == self._most

  def add(self, frame: np.ndarray, box_xywh: Any) -> int:
    """Starts a target, in a uint8 [h, w, 3] BGR frame; returns its number.

    Raises:
      UserError: a box that cannot be followed.
    """
    return self._tracker.add(frame, box_xywh)

  def remove(self, target: int) -> None:
    """Forgets a target."""
    self._tracker.remove(target)

  def update(self, frame: np.ndarray) -> dict[int, Seen]:
    """Finds all targets in their next frame."""
    tracker = self._tracker
    windows = {target: tracker.search_window(target)
               for target in tracker.targets}
    return {target: _seen(result, tracker.heatmaps(target), windows[target])
            for target, result in tracker.update(frame).items()}


def _seen(result: TrackResult, heatmaps: np.ndarray,
          window: tuple[np.ndarray, float]) -> Seen:
  center, scale = window
  side = geometry.STRIDE * heatmaps.shape[-1] / scale
  corner = center - side / 2
  shades = np.round(255 * np.clip(heatmaps, 0, 1)).astype(np.uint8)
  return Seen(result, shades, np.array([*corner, side, side], np.float64))


class Trackers:
  """Makes trackers when they are first needed; for one thread."""

  def __init__(self, weights: str | Path | None = None, **tracking: Any):
    """Loads nothing yet.

    Args:
      weights: as for `load_tracker`.
      **tracking: hyperparameters, as for `load_tracker`.
    """
    self._weights, self._tracking = weights, tracking
    self._one: OneTarget | None = None
    # By slots and whether every stage is kept.
    self._batches: dict[tuple[int, bool], LoadedBatchTracker] = {}

  def group(self, targets: int, *, stages: bool) -> Group:
    """An empty group, in place of the last one.

    Args:
      targets: how many there will be, about.
      stages: whether the heatmaps of every stage are wanted.
    """
    if targets == 1 and not stages:
      if self._one is None:
        self._one = OneTarget(load_tracker(self._weights, **self._tracking))
      return Group(self._one, most=1)
    slots = 1 << (targets - 1).bit_length()  # few sizes: each is compiled
    if (slots, stages) not in self._batches:
      self._batches[slots, stages] = load_batch_tracker(
          self._weights, slots=slots, every_stage=stages, **self._tracking)
    tracker = self._batches[slots, stages]
    # Not beyond its slots: it would compile anew, and stay as large.
    return Group(tracker, most=tracker.slots)
