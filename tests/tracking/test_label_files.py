"""Tracked boxes as labels: written and read again."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.interchange import label_studio, labeled
from siamkpn_jax.datasets.tracks import Dropped
from siamkpn_jax.tracking.box_formats import LABELS
from siamkpn_jax.tracking.boxes_files import boxes_writer
from siamkpn_jax.tracking.follow import FrameResult
from siamkpn_jax.tracking.given_boxes import GivenBox, read_boxes
from siamkpn_jax.tracking.label_files import labels
from siamkpn_jax.tracking.targets import TrackResult
from siamkpn_jax.tracking.video import open_frames

BOXES = [GivenBox(1, 1, (1.5, 2, 30, 40)), GivenBox(2, 1, (2.5, 2, 30, 40)),
         GivenBox(2, 7, (9, 8, 7, 6)), GivenBox(4, 1, (4.5, 2, 30, 40))]
VIDEO = {'name': 'in.mp4', 'size': (64, 48), 'length': 5}


@pytest.mark.parametrize('kind', LABELS)
def test_there_and_back(tmp_path, kind):
  """Lost in frame 3, and the end before the last frame, stay as they are."""
  text = labels(kind, BOXES, **VIDEO)
  (tmp_path / 'a').write_text(text)
  found = read_boxes(tmp_path / 'a', size=VIDEO['size'])
  assert [box.frame for box in found] == [1, 2, 2, 4]
  assert len({box.id for box in found}) == 2
  for got, want in zip(found, BOXES, strict=True):
    assert got.box_xywh == pytest.approx(want.box_xywh)
    assert kind == 'label_studio' or got.id == want.id


def test_what_people_say_comes_before_what_a_tracker_found():
  (task,) = json.loads(labels('label_studio', BOXES, **VIDEO))
  assert not label_studio.parse([task])[0].targets  # no truth to train on
  (first, _) = task['predictions'][0]['result']
  task['annotations'] = [{'result': [first]}]
  assert len(label_studio.parse([task], predictions=True)[0].targets) == 1
  task['annotations'][0]['was_cancelled'] = True
  assert len(label_studio.parse([task], predictions=True)[0].targets) == 2


@pytest.mark.parametrize(('kind', 'boxes', 'words'), [
    ('yolo', BOXES, 'expected one of cvat, label_studio, coco_video'),
    ('cvat', [BOXES[0]._replace(frame=6)], 'frame 6; expected'),
    ('cvat', [BOXES[0]._replace(frame=None)], 'frame None; expected'),
    ('cvat', BOXES[:1] * 2, 'expected one box at most')])
def test_mistakes(kind, boxes, words):
  with pytest.raises(UserError, match=words):
    labels(kind, boxes, **VIDEO)


@pytest.mark.parametrize('kind', LABELS)
def test_written_while_tracking(tmp_path, kind):
  """Without the frames in which a target is lost; read back, all is there."""
  frame = np.zeros((48, 64, 3), np.uint8)
  path = tmp_path / 'out'
  with boxes_writer(path, kind, 'in.mp4') as write:
    for number in (1, 2, 3):
      write(FrameResult(number, number / 25, frame, {
          4: TrackResult(True, np.array([number, 2.0, 10, 12]), 0.9),
          7: TrackResult(number != 2, np.array([30.0, 20, 10, 12]), 0.1)}))
  boxes = read_boxes(path, 3, (64, 48))
  ids = dict.fromkeys([b.id for b in boxes])  # Label Studio's are its own
  names = dict(zip(ids, (4, 7), strict=True))
  assert [(b.frame, names[b.id]) for b in boxes] == [
      (1, 4), (1, 7), (2, 4), (3, 4), (3, 7)]
  assert boxes[3].box_xywh == pytest.approx((3, 2, 10, 12), abs=0.01)


@pytest.mark.parametrize('kind', LABELS)
def test_as_many_as_were_tracked_are_written(monkeypatch, kind):
  """What is read is limited; an hour of tracking is not lost at its end."""
  monkeypatch.setattr(labeled, 'MOST', 2)
  boxes = [GivenBox(frame, 1, (1.0, 2.0, 3.0, 4.0)) for frame in range(1, 6)]
  assert labels(kind, boxes, name='in.mp4', size=(64, 48), length=5)


def test_images_keep_their_names(tmp_path):
  """So a set of images with such labels beside them is read."""
  for name in ('shot_9.png', 'shot_10.png', 'shot_11.png'):
    cv2.imwrite(str(tmp_path / name), np.zeros((48, 64, 3), np.uint8))
  with open_frames(tmp_path) as source, boxes_writer(
      tmp_path / 'annotations.json', 'coco_video', 'shots', source.files
      ) as write:
    for number, frame in enumerate(source, start=1):
      write(FrameResult(number, 0.0, frame, {
          1: TrackResult(True, np.array([number, 2.0, 10, 12]), 0.9)}))
  (track,) = catalog.LAYOUTS['coco'].tracks(tmp_path, dropped := Dropped())
  assert [Path(path).name for path in track.images] == [
      'shot_9.png', 'shot_10.png', 'shot_11.png']
  assert not dropped.counts


@pytest.mark.parametrize('kind', LABELS)
def test_labels_without_a_target(tmp_path, kind):
  """Of a target that begins behind the end: a file of its kind, not empty."""
  path = tmp_path / 'out'
  with boxes_writer(path, kind, 'in.mp4') as write:
    write(FrameResult(1, 0.0, np.zeros((48, 64, 3), np.uint8), {}))
  with pytest.raises(UserError, match='no box in it'):
    read_boxes(path, 1, (64, 48))
