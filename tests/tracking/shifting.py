"""A tracker that needs no weights, and frames for it."""

import numpy as np

from siamkpn_jax.tracking.targets import TrackResult
from siamkpn_jax.tracking.video import FrameSource

BOX = (5.0, 6.0, 20.0, 10.0)


class Shifting:
  """A tracker whose boxes move to the right; odd frames lose the first."""

  def __init__(self) -> None:
    self.boxes: dict[int, np.ndarray] = {}

  def add(self, frame, box_xywh, *, replace=None) -> int:
    target = len(self.boxes) + 1 if replace is None else replace
    self.boxes[target] = box_xywh
    return target

  def update(self, frame) -> dict[int, TrackResult]:
    for target in self.boxes:
      self.boxes[target] = self.boxes[target] + np.array([1.0, 0, 0, 0])
    return {target: TrackResult(target > 1, box, 0.5)
            for target, box in self.boxes.items()}

  def heatmaps(self, target):
    return np.zeros((0, 31, 31))

  def search_crop(self, target):
    return None


def source(count: int, lost: tuple[int, ...] = (), **options) -> FrameSource:
  frames = (None if number in lost else np.full((48, 64, 3), number % 250,
                                                np.uint8)
            for number in range(1, count + 1))
  return FrameSource('video', frames, count=count, fps=10, **options)
