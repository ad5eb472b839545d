"""What can be evaluated: a tracker of any number of targets."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from siamkpn_jax.tracking.decode import Hyperparameters


class Result(Protocol):
  """Where a target was found, as `tracking.targets.TrackResult`."""

  @property
  def box_xywh(self) -> np.ndarray:
    """[4] 0-based box."""


class MultiTargetTracker(Protocol):
  """Tracks targets, as `tracking.batch_tracker.BatchTracker` does.

  Attributes:
    slots: targets at once that suit it.
  """

  slots: int

  def add(self, frame: np.ndarray, box_xywh: np.ndarray,
          hyperparameters: Hyperparameters | None = None) -> int:
    """Takes a target of a [h, w, 3] uint8 BGR frame; returns its number."""

  def remove(self, target: int) -> None:
    """Forgets a target."""

  def update(self, frames: Mapping[int, np.ndarray]) -> Mapping[int, Result]:
    """Target -> its next frame; target -> where it was found."""

  def network_speed(self) -> float | None:
    """Frames per second that the network alone reached; None: not known."""


class FirstBoxTracker:
  """Never moves: the score that any tracker must beat."""

  def __init__(self) -> None:
    self._box_xywh = np.zeros(4)

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> None:
    """Keeps the box."""
    del frame
    self._box_xywh = np.array(box_xywh, np.float64)

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Gives the first box back."""
    del frame
    return True, self._box_xywh.copy()
