"""The server without a browser: limits, refusals, the queue, what is left."""

import asyncio
import contextlib
import csv
import itertools
import json
import re
import shutil
import threading
import time
from concurrent.futures import CancelledError

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.page import store
from siamkpn_jax.page.groups import Seen
from siamkpn_jax.page.limits import Limits
from siamkpn_jax.page.turns import Job, Turns
from siamkpn_jax.tracking.targets import TrackResult
from siamkpn_jax.tracking.video import VideoWriter, open_frames
from tests.optional import import_or_skip

import_or_skip('httpx2', 'needs httpx2, by which starlette is tested')
testclient = import_or_skip('starlette.testclient',
                            'needs starlette, of the extra demo')

SIZE = (160, 120)
FRAMES = 8
BOX = [10, 20, 30, 40]


class Still:
  """A group whose targets never move; it waits for `gate` at every frame."""

  full = False

  def __init__(self, gate):
    self._gate, self._boxes, self._numbers = gate, {}, itertools.count()

  def add(self, frame, box):
    key = next(self._numbers)
    self._boxes[key] = np.array(box, float)
    return key

  def remove(self, target):
    del self._boxes[target]

  def update(self, frame):
    self._gate.wait(20)
    return {key: Seen(TrackResult(True, box, 0.75, 0.6),
                      np.full((1, 31, 31), 9, np.uint8), np.ones(4))
            for key, box in self._boxes.items()}


class StillTrackers:
  """In place of `Trackers`."""

  def __init__(self):
    self.gate = threading.Event()
    self.gate.set()
    self.asked = []

  def group(self, targets, *, stages):
    self.asked.append((targets, stages))
    return Still(self.gate)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
  path = tmp_path_factory.mktemp('video') / 'in.mp4'
  noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
  with VideoWriter(path, SIZE, 25) as writer:
    for t in range(FRAMES):
      writer.write(np.roll(noise, t, axis=1))
  return path.read_bytes()


@pytest.fixture
def server(monkeypatch, tmp_path):
  """server(**limits) -> a client of a server of its own, and its trackers."""
  monkeypatch.setattr('siamkpn_jax.page.sample.Sample.begin', lambda self: None)
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  clients = []

  def start(**limits):
    from siamkpn_jax.page import app
    trackers = StillTrackers()
    client = testclient.TestClient(
        app.make_app(Limits(**limits), trackers),
        base_url='http://127.0.0.1:8765')
    clients.append(client.__enter__())
    return client, trackers

  yield start
  for client in clients:
    client.__exit__(None, None, None)
  assert not list(tmp_path.iterdir()), 'files are left'


def upload(client, data, **headers):
  return client.post('/api/videos', content=data, headers=headers)


def opened(client, data):
  answer = upload(client, data)
  assert answer.status_code == 201, answer.text
  path = f'/api/videos/{answer.json()["name"]}'
  settled(client, path)
  return path


def settled(client, path):
  """The state, when nothing is done any more."""
  until = time.monotonic() + 20
  while (state := client.get(path).json())['job']:
    assert time.monotonic() < until, state
    time.sleep(0.01)
  return state


def refused(answer, status, *words):
  assert answer.status_code == status, answer.text
  line = answer.json()['error']
  assert '\n' not in line and '/' not in line
  for word in words:
    assert word in line, line


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


@pytest.mark.parametrize('data, words', [
    (b'', ['no video', 'empty']),
    (b'Dear diary, ' * 99, ['no video', 'choose another']),
    (b'#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n', ['no video']),
    (b'ffconcat version 1.0\nfile /etc/hosts\n', ['no video']),
    (b'\x89PNG\r\n\x1a\n' + bytes(99), ['single image']),
    (b'\0\0\0\x18ftypmp42' + bytes(999), ['this file', 'video'])])
def test_what_is_no_video_is_refused(server, data, words):
  client, _ = server()
  refused(upload(client, data), 415, *words)
  assert [path.name for path in client.app.state.page.store.folder.iterdir()
          ] == []


def test_too_much_is_refused(server, video):
  """By its announced length, by what comes, by the video itself."""
  client, _ = server(upload_mb=0.001, clients=1)
  refused(upload(client, video), 413, '0.001 MB', '--upload-mb')

  def chunks():
    yield video[:600]
    yield video[600:]

  refused(upload(client, chunks()), 413, '0.001 MB')
  for limits, word in (({'frames': 7}, 'cut it'), ({'seconds': 0.2}, 'cut it'),
                       ({'pixels': 9999}, 'smaller')):
    client, _ = server(**limits)
    refused(upload(client, video), 413, word, str(FRAMES if 'cut' in word else
                                                  '160x120'))


def test_a_video_longer_than_it_says_is_cut(server, video, monkeypatch):
  from siamkpn_jax.page import clip
  client, _ = server(frames=5)
  monkeypatch.setattr(clip, '_check_extent', lambda source, limits: None)
  state = client.get(opened(client, video)).json()
  assert state['frames'] == 5 and 'first 5 frames' in state['notes'][0]


def test_clients_are_limited_and_forgotten(server, video):
  client, _ = server(clients=1)
  path = opened(client, video)
  refused(upload(client, video), 503, 'try again')
  with client.websocket_connect('ws://127.0.0.1:8765/api/camera') as camera:
    assert 'try again' in camera.receive_json()['end']
  assert client.delete(path).status_code == 204
  refused(client.get(path), 404, 'open it again')
  path = opened(client, video)
  page = client.app.state.page
  page.store.get(path.rpartition('/')[2]).used -= 9999
  page.store.sweep()
  refused(client.get(path), 404, 'open it again')
  assert not list(page.store.folder.iterdir())


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


@pytest.mark.parametrize('headers, status', [
    ({}, 200),
    ({'origin': 'http://127.0.0.1:8765'}, 200),
    ({'origin': 'http://evil.example'}, 403),
    ({'origin': 'http://127.0.0.1:9999'}, 403),
    ({'origin': 'null'}, 403),
    ({'sec-fetch-site': 'cross-site'}, 403),
    ({'origin': 'null'}, 403),
    ({'origin': 'http://['}, 403),
    ({'host': 'evil.example'}, 421),
    ({'host': 'evil.example:8765', 'origin': 'http://evil.example:8765'}, 421),
    ({'host': '192.168.0.7'}, 421),
    ({'host': 'localhost:8765'}, 200)])
def test_foreign_pages_are_refused(server, headers, status):
  """Those that ask this machine, and those whose name leads here."""
  client, _ = server()
  answer = client.post('/api/videos/none/stop', headers=headers)
  if status == 200:
    refused(answer, 404, 'no longer')
  else:
    refused(answer, status)
    with pytest.raises(testclient.WebSocketDisconnect):
      client.websocket_connect('ws://127.0.0.1:8765/api/camera',
                               headers=headers).__enter__()
  if 'host' in headers:
    assert client.get('/', headers=headers).status_code == status


def test_the_page_loads_nothing_from_elsewhere(server):
  client, _ = server()
  answer = client.get('/')
  assert "default-src 'none'" in answer.headers['content-security-policy']
  assert answer.headers['x-content-type-options'] == 'nosniff'
  from siamkpn_jax.page.app import STATIC
  parts = {'page.js'}
  for path in STATIC.iterdir():
    text = client.get(f'/static/{path.name}')
    assert text.headers['cache-control'] == 'no-cache'
    assert text.status_code == 200
    assert 'https://' not in text.text and '//cdn' not in text.text
    parts |= set(re.findall(r"^(?:import|export).* '\./(.*)';$", text.text,
                            re.MULTILINE))
  assert parts == {path.name for path in STATIC.glob('*.js')}


def jpeg(size=SIZE):
  frame = np.full((size[1], size[0], 3), 90, np.uint8)
  return cv2.imencode('.jpg', frame)[1].tobytes()


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
    camera.close()
    page = client.app.state.page
    until = time.monotonic() + 5
    while page.store._opening and time.monotonic() < until:
      time.sleep(0.01)
    assert page.store._opening == 0
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


def sent_slowly(client, path, chunks, pause):
  """(status, line) of a request whose body comes in pieces, then nothing.

  By the application itself: a test client sends all it has at once.
  """
  chunks, sent = list(chunks), []

  async def receive():
    await asyncio.sleep(pause if chunks else 9)
    return {'type': 'http.request', 'body': chunks.pop(0), 'more_body': True}

  async def send(message):
    sent.append(message)

  scope = {'type': 'http', 'method': 'POST', 'path': path,
           'headers': [(b'host', b'127.0.0.1')], 'query_string': b'',
           'scheme': 'http', 'server': ('127.0.0.1', 80), 'root_path': ''}
  asyncio.run(client.app(scope, receive, send))
  return sent[0]['status'], json.loads(sent[1]['body'])['error']


def test_an_upload_that_stands_still_is_given_up(server):
  client, _ = server(patience=0.05)
  status, line = sent_slowly(client, '/api/videos', [], 0)
  assert status == 408 and 'nothing came' in line
  assert not list(client.app.state.page.store.folder.iterdir())


def test_an_upload_that_never_ends_is_given_up(server, video):
  """A byte now and then is not patience without an end; nor for requests."""
  client, _ = server(upload_minutes=0.3 / 60, patience=0.2)
  status, line = sent_slowly(client, '/api/videos', [b'\0'] * 99, 0.05)
  assert status == 408 and '--upload-minutes' in line
  assert not list(client.app.state.page.store.folder.iterdir())
  path = opened(client, video)
  status, line = sent_slowly(client, f'{path}/targets', [b'['] * 99, 0.05)
  assert status == 408 and 'within 0.2 s' in line


@pytest.mark.parametrize('digits', ['9' * 10, '9' * 5000,
                                    '0' * 5000 + '9' * 10])
def test_announced_lengths(server, video, digits):
  client, _ = server()
  refused(upload(client, video, **{'content-length': digits}), 413,
          'larger than')


@pytest.mark.parametrize('digits', ['-5', '1e3', '\u00b2', '', '1, 2'])
def test_lengths_that_are_none(server, video, digits):
  client, _ = server()
  refused(upload(client, video, **{'content-length': digits.encode('latin-1')}),
          400, 'number of bytes')


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


def test_nothing_is_left_of_a_sample_that_cannot_be_opened(
    server, monkeypatch, tmp_path):
  client, _ = server(pixels=99)
  path = tmp_path / 'sample.mp4'
  with VideoWriter(path, SIZE, 25) as writer:
    writer.write(np.zeros((120, 160, 3), np.uint8))
  page = client.app.state.page
  monkeypatch.setattr(page.sample, 'path', lambda: path)
  refused(client.post('/api/sample'), 413, 'smaller')
  assert not list(page.store.folder.iterdir())
  path.unlink()


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
