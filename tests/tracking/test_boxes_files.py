"""Files of boxes: by their suffix, read back, and when writing fails."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.box_formats import LABELS, SUFFIXES, boxes_format
from siamkpn_jax.tracking.callers_boxes import starts
from siamkpn_jax.tracking.given_boxes import GivenBox, read_boxes
from siamkpn_jax.tracking.track_files import Outputs, track_to_files
from siamkpn_jax.tracking.video import FrameSource
from tests.limits import files_of_at_most
from tests.tracking.shifting import BOX, Shifting, source


@pytest.mark.parametrize('kind', sorted({*SUFFIXES} - {*LABELS}))
def test_own_files_are_read_back(tmp_path: Path, kind: str) -> None:
  boxes = [GivenBox(1, 1, BOX)]
  if kind != 'otb':
    boxes.append(GivenBox(3, 2, (9.0, 9.0, 9.5, 9.0)))
  path = tmp_path / 'boxes'
  track_to_files(Shifting(), source(6, lost=(4,)), boxes,
                 Outputs(None, path, kind), progress=False)
  found = read_boxes(path, 6)
  assert starts(found, 1, path) == boxes
  assert all(np.isfinite(box.box_xywh).all() for box in found)
  text = path.read_text()
  if kind == 'json':
    assert json.loads(text)['boxes'][3] == {
        'frame': 3, 'time': 0.2, 'id': 2, 'x': 9.0, 'y': 9.0, 'w': 9.5,
        'h': 9.0, 'score': 1.0, 'state': 'tracked', 'confidence': None}
    assert json.loads(text)['boxes'][4]['x'] is None
  elif kind == 'csv':
    assert '4,0.300000,1,nan,nan,nan,nan,nan,lost,nan\n' in text
    assert ('5,0.400000,1,8.0000,6.0000,20.0000,10.0000,0.5000,lost,nan\n'
            in text)
  elif kind == 'mot':
    assert '3,2,9.0000,9.0000,9.5000,9.0000,1.0000,-1,-1,-1\n' in text
    assert '\n4,' not in text
  else:
    assert text.splitlines()[3] == 'nan,nan,nan,nan'


def test_otb_text_has_a_line_for_frames_that_were_passed_over(
    tmp_path: Path) -> None:
  """The n-th line is frame n, wherever the first box is."""
  path = tmp_path / 'boxes.txt'
  track_to_files(Shifting(), source(6, start=4), [GivenBox(4, 1, BOX)],
                 Outputs(None, path), progress=False)
  lines = path.read_text().splitlines()
  assert len(lines) == 6 and lines[:3] == ['nan,nan,nan,nan'] * 3
  assert starts(read_boxes(path, 6), 1, path) == [GivenBox(4, 1, BOX)]


@pytest.mark.parametrize('kind', SUFFIXES)
def test_what_fails_elsewhere_is_no_story_about_the_boxes(
    tmp_path: Path, kind: str) -> None:
  """As a disk that does not give the next frame; nothing is left."""

  def frames():
    yield np.zeros((48, 64, 3), np.uint8)
    raise OSError(errno.EIO, 'Input/output error', 'in/2.jpg')

  path = tmp_path / 'boxes'
  with pytest.raises(OSError, match='in/2.jpg') as found:
    track_to_files(Shifting(), FrameSource('video', frames()),
                   [GivenBox(1, 1, BOX)], Outputs(None, path, kind),
                   progress=False)
  assert found.value.errno == errno.EIO
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', ['boxes.csv', 'out.avi'])
def test_a_full_disk_names_the_file_that_was_wanted(
    tmp_path: Path, name: str) -> None:
  path = tmp_path / name
  outputs = Outputs(path) if path.suffix == '.avi' else Outputs(None, path)
  with files_of_at_most(500), pytest.raises(
      UserError, match=f'/{name}: .* space'):
    track_to_files(Shifting(), source(40), [GivenBox(1, 1, BOX)], outputs,
                   progress=False)
  assert not list(tmp_path.iterdir())


def test_formats_by_suffix() -> None:
  kinds = {name: [boxes_format(Path(name), None, targets)
                  for targets in (1, 2)]
           for name in ('a.CSV', 'a.json', 'a.txt', 'a')}
  assert kinds == {'a.CSV': ['csv', 'csv'], 'a.json': ['json', 'json'],
                   'a.txt': ['otb', 'mot'], 'a': ['otb', 'mot']}
  with pytest.raises(UserError, match='has room for one target, not 2'):
    boxes_format(Path('a.txt'), 'otb', 2)
