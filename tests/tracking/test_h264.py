"""Videos that browsers play, where PyAV is installed."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking import h264, video_writer
from siamkpn_jax.tracking.video import open_frames
from siamkpn_jax.tracking.video_writer import VideoWriter, browsers_play
from tests.limits import files_of_at_most
from tests.optional import import_or_skip


@pytest.fixture
def av():
  return import_or_skip('av', 'needs PyAV')


def codec(path: Path) -> str:
  capture = cv2.VideoCapture(str(path))
  found = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, 'little').decode()
  capture.release()
  return found


def write(path: Path, size: tuple[int, int] = (64, 48),
          fps: float = 25) -> None:
  with VideoWriter(path, size, fps) as writer:
    for number in range(12):
      writer.write(np.full((size[1], size[0], 3), 20 * number, np.uint8))


@pytest.mark.parametrize(('size', 'fps'), [
    ((64, 48), 23.976), ((63, 47), 0.5), ((2, 2), 600), ((130, 1), 142.857)])
def test_mp4_is_h264(av, tmp_path: Path, size: tuple[int, int],
                     fps: float) -> None:
  path = tmp_path / 'out.mp4'
  assert browsers_play(path) and not browsers_play(tmp_path / 'out.avi')
  write(path, size, fps)
  with av.open(str(path)) as file:
    stream = file.streams.video[0]
    assert stream.codec_context.name == 'h264'
    assert stream.codec_context.pix_fmt == 'yuv420p'
    assert float(stream.average_rate) == pytest.approx(fps, abs=0.005)
  data = path.read_bytes()
  assert data.index(b'moov') < data.index(b'mdat')  # plays while it loads
  with open_frames(path) as source:
    assert source.count == 12
    for number, frame in enumerate(source):
      assert abs(frame.mean() - 20 * number) < 8


@pytest.mark.usefixtures('av')
def test_full_disk(tmp_path: Path) -> None:
  path, rng = tmp_path / 'out.mp4', np.random.default_rng(0)
  with (files_of_at_most(4096), pytest.raises(UserError, match='disk space'),
        VideoWriter(path, (64, 48), 25) as writer):
    for _ in range(100):
      writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))


@pytest.mark.usefixtures('av')
def test_error_of_the_caller_is_kept(tmp_path: Path) -> None:
  with (pytest.raises(KeyError),
        VideoWriter(tmp_path / 'out.mp4', (64, 48), 25)):
    raise KeyError


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.setitem(sys.modules, 'av', None)
  path = tmp_path / 'out.mp4'
  assert not h264.available() and not video_writer.browsers_play(path)
  write(path)
  assert codec(path) in ('mp4v', 'FMP4')
