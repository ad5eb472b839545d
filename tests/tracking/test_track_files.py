"""A tracked video becomes files of frames and boxes."""

import itertools
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.track_files import Outputs, track_to_files
from siamkpn_jax.tracking.video import FrameSource, open_frames
from tests.limits import files_of_at_most
from tests.tracking.gray import gray_frame, read_values, write_images

BOX = np.array([5.0, 6.0, 20.0, 10.0])


class ShiftingTracker:
  """Moves the box one pixel to the right per frame; finds it on even ones."""

  score = float('nan')  # read before the first update: a mistake

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> None:
    assert frame.dtype == np.uint8 and frame.ndim == 3
    self.box, self.number = np.array(box_xywh), 1

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    assert frame.dtype == np.uint8 and frame.ndim == 3
    self.number += 1
    self.box = self.box + np.array([1, 0, 0, 0])
    self.score = 0.5
    return self.number % 2 == 0, self.box


def track(source: FrameSource, video: Path | None = None,
          boxes: Path | None = None, **outputs):
  given = GivenBox(None, 1, tuple(BOX.tolist()))
  return track_to_files(OneTarget(ShiftingTracker()), source, [given],
                        Outputs(video, boxes, **outputs))


def read_boxes(path: Path) -> np.ndarray:
  return np.loadtxt(path, delimiter=',', ndmin=2)


def test_track_to_files_writes_a_line_and_a_frame_for_each_frame(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
  folder = write_images(tmp_path / 'in', [f'{i}.png' for i in range(6)])
  video, boxes = tmp_path / 'out.mp4', tmp_path / 'out.txt'
  with open_frames(folder) as source:
    summary = track(source, video, boxes, fps=10)

  assert summary.frames == 6 and summary.fps is not None
  assert boxes.read_text().startswith(
      '5.0000,6.0000,20.0000,10.0000\n6.0000,6.0000,20.0000,10.0000\n')
  np.testing.assert_array_equal(
      read_boxes(boxes), BOX + np.arange(6)[:, None] * [1, 0, 0, 0])
  with open_frames(video) as source:
    assert (source.count, source.fps) == (6, 10.0)
  progress = capfd.readouterr().err
  assert progress.startswith('preparing for 64x48 frames ... ')
  assert '6/6' in progress and 'frame/s' in progress


@pytest.mark.parametrize('count', [1, 2, 3])
def test_track_to_files_of_few_frames(tmp_path: Path, count: int) -> None:
  folder = write_images(tmp_path / 'in', [f'{i}.png' for i in range(count)])
  boxes = tmp_path / 'out.txt'
  with open_frames(folder) as source:
    summary = track(source, None, boxes)
  assert summary.frames == count == len(read_boxes(boxes))
  assert (summary.fps is None) == (count < 3)


def test_unknown_length_has_a_progress_bar(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
  frames = (gray_frame(i) for i in range(9))
  with FrameSource('stream', frames, count=None) as source:
    track(source, None, tmp_path / 'b.txt')
  assert '9frame' in capfd.readouterr().err


def _frames_with_ctrl_c_at(number: int):
  for i in itertools.count(1):
    if i == number:
      os.kill(os.getpid(), signal.SIGINT)
    yield gray_frame(50)


@pytest.mark.parametrize('number', [2, 5])
def test_ctrl_c_ends_a_camera_with_its_files(
    tmp_path: Path, number: int) -> None:
  before = signal.getsignal(signal.SIGINT)
  video, boxes = tmp_path / 'out.mp4', tmp_path / 'out.txt'
  frames = _frames_with_ctrl_c_at(number)
  with FrameSource('camera 0', frames, live=True) as source:
    summary = track(source, video, boxes)
  assert summary.frames == number == len(read_boxes(boxes))
  assert len(read_values(video)) == number
  assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures('ctrl_c_interrupts')
def test_ctrl_c_interrupts_a_video(tmp_path: Path) -> None:
  frames = _frames_with_ctrl_c_at(5)
  with FrameSource('v', frames) as source, pytest.raises(KeyboardInterrupt):
    track(source, tmp_path / 'out.mp4', tmp_path / 'out.txt')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('video', 'boxes'), [
    ('out.mp4', None), ('out.avi', None), (None, 'out.txt')])
def test_full_disk_leaves_nothing(
    tmp_path: Path, video: str | None, boxes: str | None) -> None:
  rng = np.random.default_rng(0)
  frames = (rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(300))
  with (FrameSource('noise', frames) as source, files_of_at_most(4096),
        pytest.raises(UserError, match='disk space|free space')):
    track(source, tmp_path / video if video else None,
          tmp_path / boxes if boxes else None)
  assert not list(tmp_path.iterdir())


@pytest.mark.realdata
@pytest.mark.parametrize(('name', 'count', 'size'), [
    ('bag.avi', 196, (480, 360)), ('davis_tennis', 70, (854, 480))])
def test_real_inputs(real_data: Path, tmp_path: Path, name: str, count: int,
                     size: tuple[int, int]) -> None:
  path = real_data / 'sequences' / '_demo_no_gt' / name
  video, boxes = tmp_path / 'out.mp4', tmp_path / 'out.txt'
  with open_frames(path) as source:
    assert (source.size, source.count) == (size, count)
    summary = track(source, video, boxes)
  assert summary.frames == count == len(read_boxes(boxes))
  with open_frames(video) as written:
    assert (written.size, written.count) == (size, count)
