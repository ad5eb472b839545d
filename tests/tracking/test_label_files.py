"""Tracked boxes as labels: written and read again."""

import json

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.given_boxes import GivenBox, read_boxes
from siamkpn_jax.tracking.label_files import KINDS, labels

BOXES = [GivenBox(1, 1, (1.5, 2, 30, 40)), GivenBox(2, 1, (2.5, 2, 30, 40)),
         GivenBox(2, 7, (9, 8, 7, 6)), GivenBox(4, 1, (4.5, 2, 30, 40))]
VIDEO = {'name': 'in.mp4', 'size': (64, 48), 'length': 5}


@pytest.mark.parametrize('kind', KINDS)
def test_there_and_back(tmp_path, kind):
  """Lost in frame 3, and the end before the last frame, stay as they are."""
  text = labels(kind, BOXES, **VIDEO)
  if kind == 'label_studio':  # what it exports of an accepted prediction
    (task,) = json.loads(text)
    text = json.dumps([task | {'annotations': task['predictions']}])
  (tmp_path / 'a').write_text(text)
  found = read_boxes(tmp_path / 'a', size=VIDEO['size'])
  assert [box.frame for box in found] == [1, 2, 2, 4]
  assert len({box.id for box in found}) == 2
  for got, want in zip(found, BOXES, strict=True):
    assert got.box_xywh == pytest.approx(want.box_xywh)
    assert kind == 'label_studio' or got.id == want.id


@pytest.mark.parametrize(('kind', 'boxes', 'words'), [
    ('yolo', BOXES, 'expected one of cvat, label_studio, coco_video'),
    ('cvat', [BOXES[0]._replace(frame=6)], 'frame 6; expected'),
    ('cvat', [BOXES[0]._replace(frame=None)], 'frame None; expected'),
    ('cvat', BOXES[:1] * 2, 'expected one box at most')])
def test_mistakes(kind, boxes, words):
  with pytest.raises(UserError, match=words):
    labels(kind, boxes, **VIDEO)
