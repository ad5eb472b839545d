"""Boxes from and to supervision: numbers by hand, and its own class."""

import sys
import types

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking import detections
from siamkpn_jax.tracking.targets import TrackResult

RESULTS = {3: TrackResult(True, np.array([10.0, 20, 30, 40]), 0.75),
           1: TrackResult(False, np.array([-5.0, 0, 7.5, 8]), 0.5, 0.25)}


def test_numbers():
  fields = detections._fields(RESULTS)
  np.testing.assert_array_equal(
      fields['xyxy'], [[10, 20, 40, 60], [-5, 0, 2.5, 8]])
  np.testing.assert_array_equal(fields['confidence'], [0.75, 0.25])
  assert fields['tracker_id'].tolist() == [3, 1]
  assert fields['data']['state'].tolist() == ['tracked', 'lost']
  back = detections.boxes_from_supervision(types.SimpleNamespace(**fields))
  assert list(back) == [3, 1]
  for target, box in back.items():
    np.testing.assert_array_equal(box, RESULTS[target].box_xywh)


def test_boxes_without_ids_and_with_equal_ones():
  found = types.SimpleNamespace(
      xyxy=np.float32([[1, 2, 4, 6], [0, 0, 1, 1]]), tracker_id=None)
  assert list(detections.boxes_from_supervision(found)) == [1, 2]
  found.tracker_id = np.array([7, 7])
  with pytest.raises(UserError, match='two boxes have one tracker_id'):
    detections.boxes_from_supervision(found)


def test_without_the_package(monkeypatch):
  monkeypatch.setitem(sys.modules, 'supervision', None)
  with pytest.raises(UserError, match='supervision is not installed'):
    detections.to_supervision(RESULTS)


@pytest.mark.parametrize('results', [RESULTS, {}])
def test_the_class_itself(results):
  supervision = pytest.importorskip('supervision', exc_type=ImportError)
  found = detections.to_supervision(results)
  assert isinstance(found, supervision.Detections)
  assert len(found) == len(results)
  back = detections.boxes_from_supervision(found)
  assert list(back) == list(results)
