"""Frames of a camera, over a WebSocket."""

import asyncio
import json
import time

import cv2
import numpy as np
import pytest

from siamkpn_jax.page.limits import SECONDS_OF_CAMERA, Limits
from siamkpn_jax.page.turns import Turns
from tests.page.still import BOX, SIZE, StillTrackers


def jpeg(size=SIZE):
  frame = np.full((size[1], size[0], 3), 90, np.uint8)
  return cv2.imencode('.jpg', frame)[1].tobytes()


def leave(client, camera):
  """As a browser that is closed; the server has its place again."""
  camera.close()
  page = client.app.state.page
  until = time.monotonic() + 5
  while page.store._opening and time.monotonic() < until:
    time.sleep(0.01)
  assert page.store._opening == 0


def test_a_camera_is_tracked(server):
  """Of frames that come while another is looked at, the newest counts."""
  client, trackers = server()
  with client.websocket_connect('ws://127.0.0.1:8765/api/camera') as camera:
    def answer():
      while 'rows' not in (found := camera.receive_json()):
        pass
      return found

    camera.send_text(json.dumps({'add': BOX}))
    camera.send_bytes(jpeg())
    assert answer()['rows'] == [[1, *BOX, 1., 'tracked', None]]
    for text in ('no JSON', '[' * 60000, f'{{"remove": {"9" * 5000}}}'):
      camera.send_text(text)
    camera.send_text(json.dumps({'add': [900, 900, 9, 9]}))
    camera.send_bytes(jpeg())
    found = answer()
    assert 'outside' in found['error']
    assert found['rows'][0][:7] == [1, *BOX, 0.75, 'tracked']
    assert len(found['rows'][0][7][0]) == 961
    trackers.gate.clear()
    for _ in range(6):
      camera.send_bytes(jpeg())
      time.sleep(0.05)
    trackers.gate.set()
    answer()
    assert answer()['dropped'] == 4
    for data, word in ((b'text', 'JPEG'), (jpeg((2000, 20)), '2000x20')):
      camera.send_bytes(data)
      assert word in answer()['error']
    camera.send_text(json.dumps({'remove': 1}))
    camera.send_bytes(jpeg())
    assert answer()['rows'] == []
    leave(client, camera)
  assert trackers.asked == [(8, False)]


def test_answers_to_a_browser_that_takes_none_are_bounded():
  from siamkpn_jax.page import camera

  class Deaf:
    """Sends 200 frames, and takes no answer."""

    left = 200

    async def receive(self):
      if not self.left:
        await asyncio.sleep(0.3)
        return {'type': 'websocket.disconnect'}
      self.left -= 1
      await asyncio.sleep(0.002)
      return {'type': 'websocket.receive', 'bytes': jpeg()}

    async def send_json(self, answer):
      await asyncio.sleep(60)

    async def close(self):
      pass

  made, turns, trackers = [], Turns(), StillTrackers()

  class Noted(asyncio.Queue):
    def __init__(self):
      super().__init__()
      self.most = 0
      made.append(self)

    def put_nowait(self, item):
      super().put_nowait(item)
      self.most = max(self.most, self.qsize())

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(asyncio, 'Queue', Noted)
    asyncio.run(camera.serve_camera(Deaf(), turns, trackers, Limits()))
  assert turns.close()
  assert made[0].most <= camera._ANSWERS + 4  # and what is not of a frame


def test_a_camera_that_sends_nothing_ends(server):
  client, _ = server(patience=0.05)
  with client.websocket_connect('ws://127.0.0.1:8765/api/camera') as camera:
    while 'end' not in (found := camera.receive_json()):
      pass
  assert 'ended' in found['end']


def test_a_camera_has_its_time(server, monkeypatch):
  """However many frames come; then others have their turn."""
  assert SECONDS_OF_CAMERA == 300
  monkeypatch.setattr('siamkpn_jax.page.camera.SECONDS_OF_CAMERA', 0.2)
  client, _ = server()
  with client.websocket_connect('ws://127.0.0.1:8765/api/camera') as camera:
    found, seen = {}, set()
    until = time.monotonic() + 10
    while 'end' not in found:
      assert time.monotonic() < until
      camera.send_bytes(jpeg())
      found = camera.receive_json()
      seen |= set(found)
  assert 'rows' in seen
  assert 'others have their turn; start it again' in found['end']


def test_targets_of_a_camera_are_limited(server):
  """One more is refused until another is removed."""
  client, _ = server(targets=1)
  with client.websocket_connect('ws://127.0.0.1:8765/api/camera') as camera:
    def answer(*changes):
      for change in changes:
        camera.send_text(json.dumps(change))
      camera.send_bytes(jpeg())
      while 'rows' not in (found := camera.receive_json()):
        pass
      return found

    add = {'add': BOX}
    assert [row[0] for row in answer(add)['rows']] == [1]
    found = answer(add)
    assert [row[0] for row in found['rows']] == [1]
    assert '1 targets are the most' in found['error']
    found = answer({'remove': 1}, add)
    assert [row[0] for row in found['rows']] == [2] and 'error' not in found
    leave(client, camera)
