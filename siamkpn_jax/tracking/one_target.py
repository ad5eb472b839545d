"""A tracker of one target, used like one of many."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np

from siamkpn_jax.tracking.choice import Hyperparameters
from siamkpn_jax.tracking.targets import TrackResult

_NUMBER = 0  # of the target


class SingleTracker(Protocol):
  """A tracker of one target, as `tracker.Tracker`."""

  @property
  def score(self) -> float:
    """Score of the last update."""

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> Any:
    """Takes the object from a frame, uint8 [h, w, 3] BGR, and its box, [4]."""

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Returns whether the object is found in a frame, and its box, [4]."""


class OneTarget:
  """Makes a `TargetTracker` of any object used like `cv2.Tracker`.

  Attributes:
    targets: the number of the target, if there is one.
  """

  slots = 1

  def __init__(self, tracker: Any):
    """Of an object with `init(frame, box)` and `update(frame)`.

    The latter returns whether the target was found, and its [4] box. Without
    `score` and `confidence` these are nan and None; what was seen must be there
    only if it is asked for.
    """
    self._tracker = tracker
    self.targets: Collection[int] = ()

  def add(self, frame: np.ndarray, box_xywh: Any,
          hyperparameters: Hyperparameters | None = None, *,
          replace: int | None = None) -> int:
    """See `BatchTracker.add`; it has no hyperparameters of ours.

    Raises:
      ValueError: there is a target, and another one is to be replaced, or none.
    """
    assert hyperparameters is None
    if tuple(self.targets) != (() if replace is None else (replace,)):
      raise ValueError(f'replace={replace}: expected the target that there is, '
                       f'of {list(self.targets)}: this tracker has one')
    self._tracker.init(frame, box_xywh)
    self.targets = (_NUMBER,)
    return _NUMBER

  def remove(self, target: int) -> None:
    """Forgets the target."""
    del target
    self.targets = ()

  def update(self, frames: np.ndarray | Mapping[int, np.ndarray]
             ) -> dict[int, TrackResult]:
    """See `BatchTracker.update`."""
    if not isinstance(frames, Mapping):
      frames = dict.fromkeys(self.targets, frames)
    results = {}
    for target, frame in frames.items():
      found, box_xywh = self._tracker.update(frame)
      results[target] = TrackResult(
          found, np.asarray(box_xywh), getattr(self._tracker, 'score', np.nan),
          getattr(self._tracker, 'confidence', None))
    return results

  def heatmaps(self, target: int) -> np.ndarray:
    """See `BatchTracker.heatmaps`."""
    del target
    return self._tracker.heatmaps

  def search_crop(self, target: int) -> np.ndarray | None:
    """See `BatchTracker.search_crop`."""
    del target
    return self._tracker.search_crop

  def search_window(self, target: int) -> tuple[np.ndarray, float]:
    """See `BatchTracker.search_window`."""
    del target
    return self._tracker.search_window()

  def network_speed(self) -> float | None:
    """None: not known."""
    return None
