"""Videos that are refused, and uploads that do not end."""

import asyncio
import errno
import json

import numpy as np
import pytest

from siamkpn_jax.page.clip import check_beginning
from siamkpn_jax.tracking.video_writer import VideoWriter
from tests.failing_disk import break_disk
from tests.page.still import FRAMES, SIZE, opened, refused, upload


@pytest.mark.parametrize('data, words', [
    (b'', ['no video', 'empty']),
    (b'Dear diary, ' * 99, ['no video', 'choose another']),
    (b'#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n', ['no video']),
    (b'ffconcat version 1.0\nfile /etc/hosts\n', ['no video']),
    (b'FLV\nv=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 26\n', ['no video']),
    (b'\x1a\x45\xdf\xa3\nc=IN IP4 127.0.0.1\n', ['no video']),
    (b'AAAAmoof<mpd profiles="urn:mpeg:dash:profile:isoff-live:2011">',
     ['no video']),
    (b'ffconcat version 1.0\nfile x\n#' + b'G'.ljust(188, b'-') * 4,
     ['no video']),
    (b'G'.ljust(188, b'-') * 3 + b'\nc=IN IP4 127.0.0.1\n', ['no video']),
    (b'\x89PNG\r\n\x1a\n' + bytes(99), ['single image']),
    (b'\0\0\0\x18ftypmp42' + bytes(999), ['this file', 'video'])])
def test_what_is_no_video_is_refused(server, data, words):
  client, _ = server()
  refused(upload(client, data), 415, *words)
  assert [path.name for path in client.app.state.page.store.folder.iterdir()
          ] == []


@pytest.mark.parametrize('head', [
    b'\0\0\0\x18styp', b'\0\0\0\x18uuid', b'RIFF\0\0\0\0AVI ',
    b'....' + 4 * (b'G' + bytes(191)),  # a camcorder's .mts
    4 * (b'G' + bytes(187))])
def test_beginnings_of_videos(tmp_path, head):
  path = tmp_path / 'video'
  path.write_bytes(head + bytes(999))
  check_beginning(path)


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
  assert state['frames'] == 5
  assert 'longer than the 5 frames that are taken' in state['notes'][0]


@pytest.mark.parametrize('seconds', [(FRAMES - 1) / 25, FRAMES / 25])
def test_a_video_as_long_as_is_taken_is_whole(server, video, seconds):
  """The last of its frames is due at the limit, or before."""
  client, _ = server(seconds=seconds)
  state = client.get(opened(client, video)).json()
  assert state['frames'] == FRAMES and state['notes'] == []


def test_a_disk_without_room_is_told(server, video, monkeypatch):
  client, _ = server()
  break_disk(monkeypatch, 'video', errno.ENOSPC)
  refused(upload(client, video), 507, 'No space left on device')


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


def sent_slowly(client, path, chunks, pause):
  """(status, line) of a request whose body comes in pieces, then nothing.

  By the application itself: a test client sends all it has at once. In place of
  a piece, None: the browser goes.
  """
  chunks, sent = list(chunks), []

  async def receive():
    await asyncio.sleep(pause if chunks else 9)
    body = chunks.pop(0)
    if body is None:
      return {'type': 'http.disconnect'}
    return {'type': 'http.request', 'body': body, 'more_body': True}

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


@pytest.mark.parametrize('bytes_sent', [0, 600])
def test_an_upload_that_is_broken_off_leaves_nothing(server, video, bytes_sent):
  """No file, and no place taken."""
  client, _ = server(clients=1)
  status, line = sent_slowly(client, '/api/videos', [video[:bytes_sent], None],
                             0)
  assert status == 400 and 'broken off' in line
  assert not list(client.app.state.page.store.folder.iterdir())
  opened(client, video)


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
