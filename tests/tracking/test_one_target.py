"""A tracker of one target behind the interface of one of many."""

import numpy as np
import pytest

from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.targets import TrackResult

FRAME = np.zeros((8, 9, 3), np.uint8)


class Plain:
  """All that `cv2.Tracker` has; its box moves to the right."""

  def init(self, frame, box_xywh):
    self.box = np.array(box_xywh, float)

  def update(self, frame):
    self.box = self.box + np.array([1, 0, 0, 0])
    return self.box[0] < 3, tuple(self.box)


class Ours(Plain):
  score, confidence = 0.5, 0.25
  heatmaps, search_crop = 'maps', 'crop'

  def search_window(self):
    return 'center', 2.0


def test_a_tracker_of_any_kind():
  tracker = OneTarget(Plain())
  assert tracker.slots == 1 and not tracker.targets
  assert tracker.update(FRAME) == {}
  target = tracker.add(FRAME, (1, 2, 3, 4))
  assert list(tracker.targets) == [target]
  (found,) = tracker.update(FRAME).values()
  assert found.found and found.box_xywh.tolist() == [2, 2, 3, 4]
  assert np.isnan(found.score) and found.confidence is None
  ((number, found),) = tracker.update({target: FRAME}).items()
  assert number == target and not found.found
  assert tracker.update({}) == {}
  tracker.remove(target)
  assert tracker.update(FRAME) == {} and not tracker.targets


def test_what_the_tracker_knows():
  tracker = OneTarget(Ours())
  target = tracker.add(FRAME, (1, 2, 3, 4))
  found = tracker.update(FRAME)[target]
  assert isinstance(found, TrackResult)
  assert (found.score, found.confidence) == (0.5, 0.25)
  assert tracker.heatmaps(target) == 'maps'
  assert tracker.search_crop(target) == 'crop'
  assert tracker.search_window(target) == ('center', 2.0)
  assert tracker.network_speed() is None


def test_one_target_at_a_time():
  tracker = OneTarget(Plain())
  with pytest.raises(ValueError, match='replace=0'):
    tracker.add(FRAME, (1, 2, 3, 4), replace=0)
  target = tracker.add(FRAME, (1, 2, 3, 4))
  with pytest.raises(ValueError, match='this tracker has one'):
    tracker.add(FRAME, (5, 2, 3, 4))
  assert tracker.add(FRAME, (5, 2, 3, 4), replace=target) == target
  assert tracker.update(FRAME)[target].box_xywh.tolist() == [6, 2, 3, 4]
