"""The server without a browser: clips, targets, the queue, what is left."""

import asyncio
import contextlib
import csv
import json
import shutil
import threading
import time
from concurrent.futures import CancelledError

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.page import store
from siamkpn_jax.page.limits import RefusedError
from siamkpn_jax.page.outputs import draw_film
from siamkpn_jax.page.turns import Job, Turns
from siamkpn_jax.tracking.video import open_frames
from siamkpn_jax.tracking.video_writer import VideoWriter
from tests.optional import import_or_skip
from tests.page.still import (
  BOX,
  FRAMES,
  SIZE,
  opened,
  refused,
  settled,
  upload,
)


def test_a_video_is_tracked(server, video):
  """Frames, boxes, heatmaps, CSV and mp4 of two targets, one begun later."""
  client, trackers = server()
  path = opened(client, video)
  answer = client.post(f'{path}/targets', json={
      'targets': [{'frame': 1, 'box': BOX},
                  {'frame': 4, 'box': [1, 2, 30, 40]}]})
  assert answer.json() == {'added': [1, 2]}
  state = settled(client, path)
  assert trackers.asked == [(2, False)]
  assert state['frames'] == FRAMES and not state['error']
  assert [one['state'] for one in state['targets']] == ['ended', 'ended']
  assert {(row[0], row[1]) for row in state['rows']} == {
      *((n, 1) for n in range(1, 9)), *((n, 2) for n in range(4, 9))}
  assert client.get(f'{path}?since={state["next"]}').json()['rows'] == []
  assert client.get(f'{path}?since={"9" * 5000}').json()['rows']
  picture = client.get(f'{path}/frames/8')
  assert cv2.imdecode(np.frombuffer(picture.content, np.uint8),
                      cv2.IMREAD_COLOR).shape == (120, 160, 3)
  assert client.get(f'{path}/heatmaps/1/2').content == b'\x1f' + b'\t' * 961
  assert client.get(f'{path}/heatmaps/1/1').content == b''
  rows = list(csv.DictReader(client.get(f'{path}/boxes.csv').text.splitlines()))
  assert rows[0] == dict(
      frame='1', time='0.000000', id='1', x='10.0000', y='20.0000', w='30.0000',
      h='40.0000', score='1.0000', state='tracked', confidence='nan')
  assert len(rows) == 13 and rows[-1]['time'] == '0.280000'
  assert rows[-1]['confidence'] == '0.6000'
  refused(client.get(f'{path}/film.mp4'), 404, 'not drawn')
  assert client.post(f'{path}/film').status_code == 202
  assert settled(client, path)['film']
  film = client.get(f'{path}/film.mp4')
  assert film.content[4:8] == b'ftyp'
  assert client.delete(f'{path}/targets/1').status_code == 204
  state = client.get(path).json()
  assert {row[1] for row in state['rows']} == {2} and not state['film']
  assert client.get(f'{path}/heatmaps/1/2').content == b''
  refused(client.delete(f'{path}/targets/1'), 404, 'no longer')


def test_times_are_those_of_the_video(server, tmp_path_factory):
  """Of a phone, whose rate varies; in the boxes and in the film."""
  import_or_skip('av', 'needs PyAV, of the extra video')
  path = tmp_path_factory.mktemp('varying') / 'in.mp4'
  times = [0, 0.04, 0.08, 0.3, 0.34, 0.9]
  with VideoWriter(path, SIZE, 25) as writer:
    for t, seconds in enumerate(times):
      writer.write(np.full((120, 160, 3), 30 * t, np.uint8), seconds)
  client, _ = server()
  clip = opened(client, path.read_bytes())
  client.post(f'{clip}/targets', json={'targets': [{'frame': 1, 'box': BOX}]})
  settled(client, clip)
  rows = csv.DictReader(client.get(f'{clip}/boxes.csv').text.splitlines())
  assert [float(row['time']) for row in rows] == pytest.approx(times, abs=1e-3)
  assert [float(client.get(f'{clip}/frames/{k}').headers['x-time'])
          for k in range(1, len(times) + 1)] == pytest.approx(times, abs=1e-3)
  client.post(f'{clip}/film')
  settled(client, clip)
  path.write_bytes(client.get(f'{clip}/film.mp4').content)
  with open_frames(path) as source:
    assert [source.time for _ in source] == pytest.approx(times, abs=1e-3)


def test_targets_come_and_go_while_others_are_tracked(server, video):
  """A frame that has passed is tracked by another run, after this one."""
  client, trackers = server()
  path = opened(client, video)
  trackers.gate.clear()
  start = lambda *targets: client.post(f'{path}/targets', json={
      'stages': True, 'targets': [{'frame': n, 'box': BOX} for n in targets]})
  start(1, 2)
  while client.get(path).json()['job']['done'] < 2:
    time.sleep(0.01)
  start(1, 7)
  client.delete(f'{path}/targets/1')
  trackers.gate.set()
  state = settled(client, path)
  assert [(one['id'], one['state']) for one in state['targets']] == [
      (2, 'ended'), (3, 'ended'), (4, 'ended')]
  found = {id: [row[0] for row in state['rows'] if row[1] == id]
           for id in (2, 3, 4)}
  assert found == {2: [*range(2, 9)], 3: [*range(1, 9)], 4: [7, 8]}
  assert trackers.asked == [(2, True), (1, True)]


def test_stopped(server, video):
  client, trackers = server()
  path = opened(client, video)
  trackers.gate.clear()
  client.post(f'{path}/targets', json={'targets': [{'frame': 1, 'box': BOX}]})
  refused(client.post(f'{path}/film'), 409, 'wait')
  assert client.post(f'{path}/stop').status_code == 204
  trackers.gate.set()
  assert len(settled(client, path)['rows']) < FRAMES


def test_jobs_wait_for_their_turn(server, video):
  """The page is told how many are before it; one that leaves is skipped."""
  client, trackers = server()
  paths = [opened(client, video) for _ in range(3)]
  trackers.gate.clear()
  for path in paths:
    client.post(f'{path}/targets', json={'targets': [{'frame': 1, 'box': BOX}]})
  jobs = lambda: [client.get(path).json()['job'] for path in paths]
  while jobs()[0]['state'] == 'waiting':
    time.sleep(0.01)
  assert [(job['state'], job['position']) for job in jobs()] == [
      ('running', 0), ('waiting', 1), ('waiting', 2)]
  client.post(f'{paths[1]}/stop')
  assert jobs()[1] is None and jobs()[2]['position'] == 1
  trackers.gate.set()
  assert [len(settled(client, path)['rows']) for path in paths] == [8, 0, 8]


def test_stages_are_those_of_the_last_wish(server, video):
  """Also of one that joins a run which has not begun."""
  client, trackers = server()
  busy, path = opened(client, video), opened(client, video)
  trackers.gate.clear()
  for place, stages in ((busy, False), (path, False), (path, True)):
    client.post(f'{place}/targets', json={
        'stages': stages, 'targets': [{'frame': 1, 'box': BOX}]})
  trackers.gate.set()
  settled(client, path)
  assert trackers.asked == [(1, False), (2, True)]


def test_wrong_targets(server, video):
  """All of a request or none; the line says what was expected."""
  client, _ = server(targets=2)
  path = opened(client, video)
  ask = lambda content: client.post(f'{path}/targets', content=content)
  good = {'frame': 1, 'box': BOX}
  for content, status, word in (
      (b'[', 400, 'JSON'), (b'[1]', 400, 'JSON'), (b'{}', 400, 'targets'),
      (b'[' * 60000, 400, 'JSON'), (b' ' * 70000, 413, 'bytes')):
    refused(ask(content), status, word)
  for one, word in (
      (1, 'frame'), ({'frame': 1}, 'box'), ({'frame': 0, 'box': BOX}, 'frame'),
      ({'frame': 9, 'box': BOX}, 'frame 9'),
      ({'frame': 1, 'box': 'abc'}, 'box'),
      ({'frame': 1, 'box': [1, 2, 3]}, 'box'),
      ({'frame': True, 'box': BOX}, 'frame'),
      ({'frame': 1, 'box': [500, 500, 9, 9]}, 'outside')):
    refused(ask(json.dumps({'targets': [good, one]})), 400, word)
  refused(ask(json.dumps({'targets': [good] * 3})), 409, '2 targets')
  assert client.get(path).json()['targets'] == []
  refused(client.get(f'{path}/frames/9'), 404, 'no such frame')
  refused(client.get(f'{path}/frames/0'), 404, 'no such frame')
  assert client.get('/nothing').status_code == 404
  assert client.get('/static/../app.py').status_code == 404
  assert client.get('/static/%2e%2e/app.py').status_code == 404


def test_errors_inside_are_no_story_about_the_video(server, video, capsys):
  """The terminal has them, and the next job runs."""
  client, trackers = server()
  path = opened(client, video)

  def broken(targets, *, stages):
    raise ValueError('a bug')

  trackers.group = broken
  client.post(f'{path}/targets', json={'targets': [{'frame': 1, 'box': BOX}]})
  assert 'inside the program' in settled(client, path)['error']
  assert 'a bug' in capsys.readouterr().err
  assert client.post(f'{path}/film').status_code == 202
  assert settled(client, path)['film']


def test_a_film_that_is_stopped_leaves_the_one_before(server, video):
  client, _ = server()
  path = opened(client, video)
  client.post(f'{path}/film')
  assert settled(client, path)['film']
  before = client.get(f'{path}/film.mp4').content
  clip = client.app.state.page.store.get(path.rpartition('/')[2])
  files = sorted(clip.folder.iterdir())
  job = Job('film', lambda job: None)
  job.stop.set()
  draw_film(clip, job)
  assert client.get(f'{path}/film.mp4').content == before
  assert sorted(clip.folder.iterdir()) == files


@pytest.mark.parametrize('number', ['9' * 5000, '9' * 10, '-1', '1e3', '%D9%A3',
                                    '%C2%B2', '1.5'])
def test_numbers_in_addresses(server, video, number):
  """Of any length, and digits that are not of ASCII."""
  client, _ = server()
  path = opened(client, video)
  for one in (f'frames/{number}', f'heatmaps/{number}/1',
              f'heatmaps/1/{number}'):
    answer = client.get(f'{path}/{one}')
    assert answer.status_code == 404 and len(answer.text) < 200
  assert client.delete(f'{path}/targets/{number}').status_code == 404


def test_files_are_deleted_beside_the_answers(server, video, monkeypatch):
  """Thousands of them: the server would stand still meanwhile."""
  client, _ = server(frames=FRAMES)
  page = client.app.state.page
  where = []
  real = shutil.rmtree

  def noted(*args, **more):
    try:
      asyncio.get_running_loop()
      where.append('the loop')
    except RuntimeError:
      where.append('a thread')
    real(*args, **more)

  monkeypatch.setattr('shutil.rmtree', noted)
  old = lambda path: setattr(
      page.store.get(path.rpartition('/')[2]), 'used', -9999.)
  upload(client, b'Dear diary')
  client.delete(opened(client, video))
  old(opened(client, video))
  old(opened(client, video))
  # Closing the socket may cancel the handler, as Starlette's client tells.
  with (contextlib.suppress(CancelledError),
        client.websocket_connect('ws://127.0.0.1:8765/api/camera')):
    pass
  assert where == ['a thread'] * 4
  assert not list(page.store.folder.iterdir())


def test_a_job_leaves_nothing_in_a_folder_that_is_deleted(tmp_path):
  """It may write until it notices that it is to stop."""
  turns = Turns()
  folder = tmp_path / 'clip'
  begun = threading.Event()

  def write(job):
    while not job.stop.is_set():
      folder.mkdir(exist_ok=True)
      begun.set()
    time.sleep(0.02)
    folder.mkdir(exist_ok=True)

  job = Job('film', write)
  turns.submit(job)
  assert begun.wait(20)
  turns.stop(job)
  store.delete(folder, [job])
  assert turns.close() and not folder.exists()


def test_no_sample_is_made_when_the_server_ends(tmp_path):
  """Who waits for it is told; nothing half is left, nor begun again."""
  from siamkpn_jax.page.sample import Sample
  sample = Sample(tmp_path)
  sample.close()
  for _ in range(2):
    with pytest.raises(RefusedError, match='this server ends') as caught:
      sample.path()
    assert caught.value.status == 503
  assert not list(tmp_path.iterdir())


def test_the_sample_has_three_things_to_track():
  """True boxes apart from each other, inside of the frame."""
  from siamkpn_jax.page import sample
  scene = sample.scene()
  boxes = sample.boxes(scene, 0)
  assert boxes.shape == (3, 4)
  assert (boxes[:, :2] >= 0).all()
  assert (boxes[:, :2] + boxes[:, 2:] <= scene.size).all()
  for a, b in ((0, 1), (0, 2), (1, 2)):
    assert iou_xywh(boxes[a], boxes[b]) == 0
