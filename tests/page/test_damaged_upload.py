"""A video with frames that cannot be decoded: shown, tracked and drawn."""

import csv
import re

import cv2
import numpy as np
import pytest

from siamkpn_jax.tracking.frame_numbers import FrameNumbers
from siamkpn_jax.tracking.video import open_frames
from tests.page.still import opened, settled
from tests.tracking.numbered_video import COUNT, shown, write_video
from tests.tracking.test_damaged_video import damage


def with_a_hole(path, lost):
  """The bytes of a video of which these frames, in a row, are junk."""
  data = write_video(path, 'MJPG')
  movie, index = data.index(b'movi'), data.rindex(b'idx1')
  begins = [movie + found.start()
            for found in re.finditer(b'00dc', data[movie:index])]
  assert len(begins) == COUNT
  # The first one keeps its header, without which there would be no video.
  first, behind = begins[lost[0] - 1] + 10, begins[lost[-1]]
  damage(path, data, (first + 0.5) / len(data), behind - first)
  return path.read_bytes()


def test_frames_that_are_lost_at_the_end_are_told(
    server, tmp_path, monkeypatch):
  """The video that is shown ends before them."""
  path = tmp_path / 'v.avi'
  data = write_video(path, 'MJPG')
  monkeypatch.setattr(FrameNumbers, 'lost_at_the_end', lambda numbers: 7)
  client, _ = server()
  state = client.get(opened(client, data)).json()
  path.unlink()
  assert state['frames'] == COUNT
  assert state['notes'] == [f'damaged: its last 7 of {COUNT + 7} frames cannot '
                            'be decoded and are not here']


@pytest.mark.parametrize('lost', [[20, 21, 22, 23, 24, 25], [1]])
def test_the_frame_before_stands_in(server, tmp_path_factory, lost):
  """Or the one behind; the film that is drawn is as long as the video."""
  folder = tmp_path_factory.mktemp('damaged')
  data = with_a_hole(folder / 'v.avi', lost)
  expected = [max(lost[0] - 1, 2) if number in lost else number
              for number in range(1, COUNT + 1)]

  client, _ = server()
  clip = opened(client, data)
  state = client.get(clip).json()
  assert state['frames'] == COUNT and state['error'] == ''
  assert state['notes'] == [
      f'damaged: {len(lost)} of {COUNT} frames cannot be decoded; the frame '
      'before is shown']
  served = [client.get(f'{clip}/frames/{number}').content
            for number in range(1, COUNT + 1)]
  assert [1 + shown(cv2.imdecode(np.frombuffer(jpeg, np.uint8),
                                 cv2.IMREAD_COLOR)) for jpeg in served
          ] == expected

  client.post(f'{clip}/targets', json={
      'targets': [{'frame': 1, 'box': [0, 88, 6, 6]}]})
  settled(client, clip)
  rows = csv.DictReader(client.get(f'{clip}/boxes.csv').text.splitlines())
  assert [int(row['frame']) for row in rows] == [
      number for number in range(1, COUNT + 1) if number not in lost]
  client.post(f'{clip}/film')
  assert settled(client, clip)['film']
  film = folder / 'film.mp4'
  film.write_bytes(client.get(f'{clip}/film.mp4').content)
  with open_frames(film) as source:
    assert [1 + shown(frame) for frame in source] == expected
