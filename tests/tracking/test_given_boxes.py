"""Boxes that a file gives, whatever its kind."""

import json
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.boxes_files import CSV_HEADER
from siamkpn_jax.tracking.callers_boxes import as_given, starts
from siamkpn_jax.tracking.given_boxes import GivenBox, read_boxes

A, B = (1.0, 2.0, 30.0, 40.0), (5.5, 6.0, 7.0, 8.0)
TWO = [GivenBox(1, 1, A), GivenBox(9, 4, B)]


def written(tmp_path: Path, text: str) -> Path:
  path = tmp_path / 'boxes'
  path.write_text(text)
  return path


@pytest.mark.parametrize('text', [
    'frame,id,x,y,w,h\n1,1,1,2,30,40\n9,4,5.5,6,7,8\n',
    'frame,time,id,x,y,w,h,score,state\n1,0.0,1,1,2,30,40,1,tracked\n'
    '8,0.2,4,nan,nan,nan,nan,nan,lost\n9,0.3,4,5.5,6,7,8,0.5,tracked\n',
    f'{CSV_HEADER}\n1,0.0,1,1,2,30,40,1,tracked,nan\n'
    '9,0.3,4,5.5,6,7,8,0.5,tracked,0.4\n',
    '\ufeffid;Left;Top;Width;Height;Frame\r\n1;1;2;30;40;1\r\n'
    '4;5.5;6;7;8;9\r\n',
    '9,4,5.5,6,7,8,0.9,-1,-1,-1\n1,1,1,2,30,40,1,-1,-1,-1\n',
    '1 1 1 2 30 40\n9 4 5.5 6 7 8\n',
    json.dumps([{'frame': 1, 'id': 1, 'x': 1, 'y': 2, 'w': 30, 'h': 40},
                {'frame': 9, 'id': 4, 'box': B}]),
    json.dumps({'boxes': [{'frame': 1, 'id': 1, 'bbox': A},
                          {'frame': 9, 'track_id': 4, 'box_xywh': B}]})])
def test_kinds_of_files(tmp_path: Path, text: str) -> None:
  assert read_boxes(written(tmp_path, text)) == TWO


@pytest.mark.parametrize('text', ['x,y,w,h\n1,2,30,40\n5.5,6,7,8\n',
                                  json.dumps([A, B])])
def test_boxes_of_the_first_frame_are_numbered(
    tmp_path: Path, text: str) -> None:
  found = read_boxes(written(tmp_path, text))
  assert found == [GivenBox(None, 1, A), GivenBox(None, 2, B)]
  assert [box.frame for box in starts(found, 7, tmp_path)] == [7, 7]


def test_lines_of_a_target_are_known_by_their_number(tmp_path: Path) -> None:
  path = written(tmp_path, '1,2,30,40\nnan,nan,nan,nan\n5.5,6,7,8\n')
  assert read_boxes(path, 3) == [GivenBox(1, 1, A), GivenBox(3, 1, B)]
  for frames in (None, 2):
    with pytest.raises(UserError, match='as many targets or frames of one'):
      read_boxes(path, frames)
  assert read_boxes(written(tmp_path, '1,2,30,40')) == [GivenBox(None, 1, A)]


def test_a_target_begins_at_its_first_box_from_a_frame_on() -> None:
  boxes = [GivenBox(1, 1, A), GivenBox(2, 1, B), GivenBox(3, 2, A)]
  path = Path('file')
  assert starts(boxes, 1, path) == [boxes[0], boxes[2]]
  assert starts(boxes, 2, path) == [boxes[1], boxes[2]]
  with pytest.raises(UserError, match='id 1 is in frame 2, before --start-fr'):
    starts(boxes, 3, path)
  with pytest.raises(UserError, match='two boxes of id 1 in frame 1'):
    starts([boxes[0], *boxes], 1, path)


@pytest.mark.parametrize(('text', 'message'), [
    ('', 'no box in it'), ('\n \n', 'no box in it'),
    ('x,y,w,h\n', 'no box in it'), ('[]', 'no box in it'),
    ('hello', "columns 'hello'"), ('a b c d', 'line 1'),
    ('<svg/>', 'of no known kind'), ('{"a": 1}', 'of no known kind'),
    ('[1', 'boxes as JSON'), ('[1]', "box 1: '1' is no box"),
    ('1,2,3,4,5', '5 columns without a header'),
    ('120,90,160,90,160,130,120,130', '8 columns without a header'),
    ('10,5;20,5;30,5;40,5', 'line 1'),
    ('1,-1,5,5,9,9,1,-1,-1,-1', 'ids of -1'),
    ('1,1,5,5,9,9\n1,2,5,5', 'line 2'),
    ('x,y,w,h\n1,2,3,four', "line 2: h is 'four'; expected a number"),
    ('x,y,w,h\n1,2,3', 'line 2: h is empty; expected a number'),
    ('frame,id,x,y,w,h\n1,1,1,2,3,4\n\n2,1,1, ,3,4', 'line 4: y is empty'),
    ('"Left\n",Top,Width,Height\n1,,3,4', 'line 3: Top is empty'),
    ('Left,Top,Width,Height\n,2,3,4', 'line 2: Left is empty'),
    ('[{"x":1,"y":null,"w":3,"h":4}]', 'box 1: y is empty'),
    ('frame,x,y,w,h\n1b,2,3,4,5', "line 2: frame is '1b'; expected a whole"),
    ('frame,x,y,w,h\n0,2,3,4,5', 'line 2: frame 0; expected frames counted'),
    ('frame,x,y,w,h\n1.5,2,3,4,5', 'line 2'),
    ('id,x,y,w,h\n1e300,2,3,4,5', 'line 2'),
    ('id,x,y,w,h\n1,2,3,4,5\n,2,3,4,5', 'line 3: some rows have an id'),
    ('[{"x":1,"y":2,"w":3,"h":4},{"id":1,"x":1,"y":2,"w":3,"h":4}]',
     'box 2: some rows have an id'),
    ('x1,y1,x2,y2\n1,2,3,4', 'columns')])
def test_what_is_no_file_of_boxes(
    tmp_path: Path, text: str, message: str) -> None:
  with pytest.raises(UserError, match=message) as caught:
    read_boxes(written(tmp_path, text))
  assert '\n' not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
  for path in (tmp_path, tmp_path / 'none'):
    with pytest.raises(UserError, match='cannot be read'):
      read_boxes(path)
  binary = tmp_path / 'binary'
  binary.write_bytes(b'\0\xff' * 99)
  with pytest.raises(UserError, match='not a text file'):
    read_boxes(binary)


@pytest.mark.parametrize('side', [
    '1_0', True, np.True_, '\u0661', 'x', None, [1], 10**400])
def test_what_a_caller_gives_is_no_number(side: object) -> None:
  """As in files and flags."""
  box = [side, 2, 30, 40]
  for boxes in (box, [box], {7: box}, iter([box])):
    with pytest.raises(UserError, match='expected four numbers left, top'):
      as_given(boxes, 1)


@pytest.mark.parametrize('boxes', [5, 5.0, None, True, np.float32(5),
                                   np.array(5), object()])
def test_what_a_caller_gives_is_no_boxes(boxes: object) -> None:
  with pytest.raises(UserError, match='boxes: .*; expected four numbers'):
    as_given(boxes, 1)


@pytest.mark.parametrize('boxes', [
    A, ['1', '2.0', ' 30', '4e1'], np.float32(A), np.array([A]), [A], {1: A},
    np.int64(A), (A,)])
def test_boxes_of_a_caller(boxes: object) -> None:
  assert as_given(boxes, 1) == [GivenBox(None, 1, A)]


@pytest.mark.parametrize('boxes', [[], {}, np.zeros([0, 4])])
def test_a_caller_gives_no_box(boxes: object) -> None:
  with pytest.raises(UserError, match='boxes: none'):
    as_given(boxes, 1)
