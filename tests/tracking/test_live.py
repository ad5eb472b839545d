"""Streams: from a server of this process, which may hang or send nonsense."""

import http.server
import itertools
import socket
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking import live
from siamkpn_jax.tracking.live import LiveReader
from siamkpn_jax.tracking.video import open_frames
from siamkpn_jax.tracking.video_writer import VideoWriter


def gray(value: int) -> np.ndarray:
  return np.full((48, 64, 3), value, np.uint8)


@pytest.fixture
def server(tmp_path: Path):
  """The address of a server of the files in `tmp_path`."""
  class Quiet(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
      super().__init__(*args, directory=str(tmp_path))

    def log_message(self, *args):
      del args

  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  yield f'http://127.0.0.1:{server.server_port}'
  server.shutdown()
  server.server_close()


def test_a_file_behind_a_url_is_read_to_its_end(server, tmp_path) -> None:
  """However slow the tracker is."""
  with VideoWriter(tmp_path / 'v.mp4', (64, 48), 20) as writer:
    for value in range(12):
      writer.write(gray(10 * value))
  with open_frames(f'{server}/v.mp4') as source:
    assert (source.count, source.fps, source.live) == (12, 20, False)
    seen = []
    for frame in source:
      time.sleep(0.01)
      seen.append((source.number, round(source.time, 3),
                   round(frame.mean() / 10)))
  assert seen == [(k + 1, round(k / 20, 3), k) for k in range(12)]
  assert source.reader.dropped == 0 and not source.reader.hung


def test_what_is_no_stream(server, tmp_path) -> None:
  (tmp_path / 'text.mp4').write_text('hello\n' * 1000)
  for name in ('text.mp4', 'none.mp4'):
    with pytest.raises(UserError, match='cannot be opened as a video stream'):
      open_frames(f'{server}/{name}', timeout=5)


@pytest.mark.parametrize('scheme', ['http', 'rtsp', 'rtmp', 'tcp'])
def test_a_stream_that_hangs_ends_in_time(scheme: str) -> None:
  with socket.create_server(('127.0.0.1', 0)) as silent:
    began = time.monotonic()
    with pytest.raises(UserError, match=r'no frame within 0\.5 s') as error:
      open_frames(f'{scheme}://127.0.0.1:{silent.getsockname()[1]}/v',
                  timeout=0.5)
  assert time.monotonic() - began < 4
  assert '--timeout' in str(error.value)


@pytest.mark.parametrize('share', [0.4, 0.8])
def test_a_file_that_stops_coming_ends_in_time(tmp_path, share) -> None:
  """Before its first frame: an error; later: what came is kept."""
  with VideoWriter(tmp_path / 'v.avi', (64, 48), 20) as writer:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for k in range(200):
      writer.write(np.roll(noise, k, axis=1))
  data = (tmp_path / 'v.avi').read_bytes()

  class Stops(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
      self.send_response(200)
      self.send_header('content-length', str(len(data)))
      self.end_headers()
      self.wfile.write(data[:4000 if share < 0.5 else int(share * len(data))])
      self.wfile.flush()
      ended.wait(20)

    def log_message(self, *args):
      del args

  ended = threading.Event()
  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Stops)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  url = f'http://127.0.0.1:{server.server_port}/v.avi'
  began = time.monotonic()
  try:
    if share < 0.5:
      with pytest.raises(UserError, match=r'no frame within 0\.6 s'):
        open_frames(url, timeout=0.6)
    else:
      with open_frames(url, timeout=0.6) as source:
        assert 100 < sum(1 for _ in source) < 200
      assert source.reader.hung
  finally:
    ended.set()
    server.shutdown()
    server.server_close()
  assert time.monotonic() - began < 5


class Camera:
  """In the place of OpenCV's."""

  def __init__(self, wait: float, frames: int | None = None,
               hang: float = 0) -> None:
    self._numbers = itertools.count()
    self._wait, self._frames, self._hang = wait, frames, hang

  def isOpened(self) -> bool:
    return True

  def get(self, what: int) -> float:
    return {cv2.CAP_PROP_FPS: 50.0}.get(what, 0.0)

  def read(self):
    time.sleep(self._wait)
    number = next(self._numbers)
    if self._frames is not None and number >= self._frames:
      time.sleep(2 * self._hang)
      return False, None
    return True, gray(number % 250)

  def release(self) -> None:
    pass


@pytest.fixture
def camera(monkeypatch):
  def plug(*args, **options) -> None:
    monkeypatch.setattr(live.cv2, 'VideoCapture',
                        lambda index: Camera(*args, **options))
  return plug


def test_a_slow_tracker_sees_the_newest_frame(camera) -> None:
  camera(0.002)
  with open_frames('0') as source:
    assert source.live and source.fps == 50
    frames = iter(source)
    values = []
    for _ in range(5):
      values.append(int(next(frames)[0, 0, 0]))
      time.sleep(0.05)
    assert source.number == 5 and source.time > 0.1
  assert np.diff(values[1:]).min() > 3  # not the next one
  assert source.reader.dropped > 20
  assert values[-1] - values[0] == pytest.approx(source.reader.dropped, abs=30)


def test_a_fast_tracker_waits_for_frames(camera) -> None:
  camera(0.01, frames=8)
  with open_frames('/dev/video0') as source:
    values = [int(frame[0, 0, 0]) for frame in source]
  assert values == sorted({*values})
  # None is dropped, but on a busy machine.
  assert len(values) + source.reader.dropped == 8
  assert not source.reader.hung


def test_a_camera_that_goes_silent_ends(camera) -> None:
  camera(0.001, frames=3, hang=True)
  with open_frames('0', timeout=0.3) as source:
    count = sum(1 for _ in source)
  assert 1 <= count <= 3 and source.reader.hung


def test_a_stream_whose_opening_took_all_the_time_is_silent(
    monkeypatch) -> None:
  """OpenCV looked for frames until its timeout, then it opened, and has none.

  So it is with an mp4 of which the beginning came.
  """
  def opened(index: int) -> Camera:
    time.sleep(0.3)
    return Camera(0, frames=0)

  monkeypatch.setattr(live.cv2, 'VideoCapture', opened)
  with pytest.raises(UserError, match=r'no frame within 0\.3 s'):
    open_frames('0', timeout=0.3)


def test_a_stream_that_opencv_gives_up_went_silent(camera) -> None:
  """Its own timeout began first, while the tracker was busy."""
  camera(0.001, frames=1, hang=0.25)  # its second read fails after 0.5 s
  with open_frames('0', timeout=0.55) as source:
    assert sum(1 for _ in source) == 1
  assert source.reader.hung


def test_frames_that_a_decoder_held_when_the_stream_went_silent(
    monkeypatch) -> None:
  """They come at once after OpenCV's timeout, and then the end does."""
  class Holding(Camera):
    def read(self):
      number = next(self._numbers)
      time.sleep(0.5 if number == 3 else 0.001)
      return (True, gray(number)) if number < 6 else (False, None)

  monkeypatch.setattr(live.cv2, 'VideoCapture', lambda index: Holding(0))
  with open_frames('0', timeout=0.55) as source:
    assert 2 <= sum(1 for _ in source) <= 6
  assert source.reader.hung


def test_a_reader_that_is_closed_lets_its_thread_end(camera) -> None:
  camera(0.001)
  before = set(threading.enumerate())
  reader = LiveReader(0)
  (thread,) = set(threading.enumerate()) - before
  next(reader.frames())
  reader.close()
  thread.join(2)
  assert not thread.is_alive()


@pytest.mark.parametrize(('url', 'shown'), [
    ('rtsp://me:secret@cam:554/a', 'rtsp://***@cam:554/a'),
    ('rtsp://me:p@ss@cam/a', 'rtsp://***@cam/a'),
    ('https://token@cam/a?b=c@d', 'https://***@cam/a?b=c@d'),
    ('http://cam/a@b', 'http://cam/a@b'), ('rtsp://cam', 'rtsp://cam')])
def test_messages_have_no_password(url: str, shown: str) -> None:
  assert live.without_password(url) == shown


def test_an_address_of_no_kind_that_is_read_has_no_password_either() -> None:
  with pytest.raises(UserError) as error:
    open_frames('rtmpt://me:secret@cam/a')
  assert 'secret' not in str(error.value) and 'cam/a' in str(error.value)
