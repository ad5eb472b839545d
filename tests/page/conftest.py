"""A small video, and a server of the page without a browser."""

import numpy as np
import pytest

from siamkpn_jax.page.limits import Limits
from siamkpn_jax.tracking.video_writer import VideoWriter


@pytest.fixture(scope='module')
def video(tmp_path_factory):
  from tests.page.still import FRAMES, SIZE  # late: they may be skipped
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
    from tests.page import still
    trackers = still.StillTrackers()
    client = still.testclient.TestClient(
        app.make_app(Limits(**limits), trackers),
        base_url='http://127.0.0.1:8765')
    clients.append(client.__enter__())
    return client, trackers

  yield start
  for client in clients:
    client.__exit__(None, None, None)
  assert not list(tmp_path.iterdir()), 'files are left'
