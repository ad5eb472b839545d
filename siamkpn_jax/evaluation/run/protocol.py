"""What can be evaluated: trackers of one target, or of many at once."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Tracker(Protocol):
  """Tracks one target."""

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> Any:
    """Starts on a [h, w, 3] uint8 BGR frame with a [4] 0-based box."""

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """The next frame -> (found, [4] 0-based box)."""


class ManyTracker(Protocol):
  """Tracks a number of targets, as tracking/lockstep.py does.

  Attributes:
    places: how many.
  """

  places: int

  def start(self, place: int, frame: np.ndarray, box_xywh: np.ndarray) -> None:
    """Takes a target; see `Tracker.init`."""

  def update(self, places: Sequence[int], frames: Sequence[np.ndarray]
             ) -> tuple[np.ndarray, np.ndarray]:
    """The next frames of n places -> [n, 4] boxes, [n] scores."""

  def network_speed(self) -> float | None:
    """Frames per second that the network alone reached; None: not known."""


class OneAtATime:
  """A `Tracker` as a `ManyTracker` of one place."""

  places = 1

  def __init__(self, tracker: Tracker) -> None:
    self._tracker = tracker

  def start(self, place: int, frame: np.ndarray, box_xywh: np.ndarray) -> None:
    """See `ManyTracker`."""
    del place
    self._tracker.init(frame, box_xywh)

  def update(self, places: Sequence[int], frames: Sequence[np.ndarray]
             ) -> tuple[np.ndarray, np.ndarray]:
    """See `ManyTracker`; the score is whether the target was found."""
    del places
    (frame,) = frames
    found, box_xywh = self._tracker.update(frame)
    return np.asarray(box_xywh)[None], np.array([float(found)])

  def network_speed(self) -> float | None:
    """See `ManyTracker`."""
    return None


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
