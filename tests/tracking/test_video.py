"""Frames in, video and boxes out, with files made by the tests themselves."""

import itertools
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import natural_key
from siamkpn_jax.tracking.drawing import color_of, draw_result
from siamkpn_jax.tracking.follow import (
  LOST,
  TRACKED,
  Alone,
  FrameResult,
  TargetBox,
)
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.track_files import Outputs, track_to_files
from siamkpn_jax.tracking.video import FrameSource, VideoWriter, open_frames

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
  return track_to_files(Alone(ShiftingTracker()), source, [given],
                        Outputs(video, boxes, **outputs))


def gray_frame(value: int, width: int = 64, height: int = 48) -> np.ndarray:
  return np.full((height, width, 3), value, np.uint8)


def write_images(folder: Path, names: list[str]) -> Path:
  """Writes frames whose gray value is 10 times their place in `names`."""
  folder.mkdir(parents=True, exist_ok=True)
  for place, name in enumerate(names):
    assert cv2.imwrite(str(folder / name), gray_frame(10 * place))
  return folder


def read_values(path: Path) -> list[int]:
  with open_frames(path) as source:
    return [round(frame.mean() / 10) for frame in source]


def read_boxes(path: Path) -> np.ndarray:
  return np.loadtxt(path, delimiter=',', ndmin=2)


# ---- frames in


def test_folder_is_read_in_natural_order(tmp_path: Path) -> None:
  write_images(tmp_path, ['1.png', '2.jpg', '10.JPG', '10b.bmp', '011.jpeg'])
  (tmp_path / '._1.png').write_bytes(b'not an image')
  (tmp_path / 'notes.txt').write_text('not an image')

  with open_frames(tmp_path) as source:
    assert (source.size, source.count, source.fps) == ((64, 48), 5, 25.0)
    assert not source.live and source.rate is None  # images say nothing of it
  assert read_values(tmp_path) == [0, 1, 2, 3, 4]


def test_images_that_may_be_no_frames_are_told(tmp_path: Path) -> None:
  write_images(tmp_path / 'a', ['1.25.png', '1.5.png', 'thumbnail.jpg'])
  with open_frames(tmp_path / 'a') as source:
    (note,) = source.notes
    assert source.count == 2
  assert note.endswith('1 images without a number in the name are no frames, '
                       'as thumbnail.jpg')
  assert read_values(tmp_path / 'a') == [0, 1]
  write_images(tmp_path / 'b', ['f_1.png', 'f_2.png', 'thumb_1.png'])
  with open_frames(tmp_path / 'b') as source:
    (note,) = source.notes
  assert '2 as f_1.png, 1 as thumb_1.png: all are taken for frames' in note
  write_images(tmp_path / 'c', ['1.png', '2.png', '10.png'])
  with open_frames(tmp_path / 'c') as source:
    assert not source.notes
  for pattern, notes in (('a/*', 1), ('a/*.png', 0), ('b/*', 1), ('b/f*', 0)):
    with open_frames(tmp_path / pattern) as source:
      assert len(source.notes) == notes
      if pattern == 'a/*':
        assert source.notes[0].endswith('are no frames, as thumbnail.jpg')


def test_a_pattern_that_fits_no_image(tmp_path: Path) -> None:
  """But a folder of them, as in OTB's layout."""
  write_images(tmp_path / 'walk' / 'img', ['1.png'])
  for pattern, advice in (('walk/*', 'img$'), ('walk/*.jpg', 'check it$')):
    with pytest.raises(UserError, match=f'no image fits .*{advice}'):
      open_frames(tmp_path / pattern)


def test_natural_key_orders_mixed_names() -> None:
  names = ['10a', 'b2', '2', 'a', '', '02', 'B10', '2a']
  assert sorted(names, key=natural_key) == [
      '', '02', '2', '2a', '10a', 'a', 'b2', 'B10']


def test_img_subfolder_is_found(tmp_path: Path) -> None:
  write_images(tmp_path / 'img', ['0001.jpg', '0002.jpg'])
  assert read_values(tmp_path) == [0, 1]


@pytest.mark.parametrize('suffix', ['.mp4', '.avi'])
@pytest.mark.parametrize('fps', [0.5, 23.976, 29.97, 142.857, 600.0])
def test_written_video_is_read_back(
    tmp_path: Path, suffix: str, fps: float) -> None:
  path = tmp_path / f'out{suffix}'
  with VideoWriter(path, (64, 48), fps) as writer:
    for place in range(5):
      writer.write(gray_frame(10 * place))

  with open_frames(path) as source:
    assert (source.size, source.count) == ((64, 48), 5)
    assert source.fps == source.rate == pytest.approx(fps, abs=0.005)
  assert read_values(path) == [0, 1, 2, 3, 4]


def test_odd_size_is_padded_to_even(tmp_path: Path) -> None:
  path = tmp_path / 'odd.mp4'
  with VideoWriter(path, (63, 47), 25) as writer:
    writer.write(gray_frame(200, 63, 47))

  with open_frames(path) as source:
    (frame,) = source
  assert frame.shape == (48, 64, 3)
  assert abs(int(frame[-1, -1, 0]) - 200) < 5  # repeats the border, not black


def test_relative_name_with_colon_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.chdir(tmp_path)
  with VideoWriter('file:a%02d.mp4', (64, 48), 25) as writer:
    writer.write(gray_frame(10))
  assert os.listdir() == ['file:a%02d.mp4']
  assert read_values(Path('file:a%02d.mp4')) == [1]


@pytest.mark.parametrize('fps', [0.0, -1.0, 1e6, float('nan'), float('inf')])
def test_impossible_rate(tmp_path: Path, fps: float) -> None:
  with pytest.raises(UserError, match='expected frames per second between'):
    VideoWriter(tmp_path / 'out.mp4', (64, 48), fps)


def test_early_end_closes_the_source() -> None:
  closed = []

  def frames():
    try:
      yield from itertools.repeat(gray_frame(0))
    finally:
      closed.append(True)

  with FrameSource('endless', frames()) as source:
    assert len(list(itertools.islice(source, 3))) == 3
  assert closed


# ---- drawing


def result_of(frame: np.ndarray, *boxes, state: str = TRACKED) -> FrameResult:
  return FrameResult(7, 0.0, frame, {
      number: TargetBox(np.array(box), 0.93, state)
      for number, box in enumerate(boxes, start=1)})


def test_draw_result_leaves_the_frame_alone() -> None:
  frame = gray_frame(100, 320, 240)
  boxes = [100, 100, 50, 40], [200, 100, 50, 40]
  shown = draw_result(result_of(frame, *boxes))
  assert (frame == 100).all()
  colors = {tuple(shown[139 + 1, x].tolist()) for x in (120, 220)}
  assert colors == {color_of(1), color_of(2)}  # bottom edges
  assert shown[120, 120].tolist() == [100, 100, 100]  # inside
  assert (shown[:20, :20] > 200).any()  # the caption
  assert shown[94, 103].tolist() != [100, 100, 100]  # the label, above

  lost = draw_result(result_of(frame, *boxes, state=LOST))
  edge = (lost[140, 100:150] == color_of(1)).all(axis=-1)
  assert 0.3 < edge.mean() < 0.8  # dashed


def test_labels_have_the_confidence_where_it_is_wanted_and_known() -> None:
  """The score of a lost target is that of another place."""
  frame, box = gray_frame(100, 320, 240), np.array([100, 100, 50, 40])
  draw = lambda score, sure, wanted: draw_result(FrameResult(
      7, 0.0, frame, {1: TargetBox(box, score, LOST)}, confidence=sure),
                                                 confidence=wanted)
  np.testing.assert_array_equal(draw(0.87, {1: 0.1}, True), draw(0.1, {}, True))
  for sure, wanted in ({2: 0.1}, True), ({1: 0.1}, False):
    np.testing.assert_array_equal(draw(0.87, sure, wanted),
                                  draw(0.87, {}, True))


@pytest.mark.parametrize('size', [(176, 144), (640, 480), (1920, 1080)])
def test_labels_do_not_hide_one_another(size: tuple[int, int]) -> None:
  """Two beside each other, and one below the caption."""
  frame = gray_frame(100, *size)
  scale = size[1] / 144
  boxes = [[scale * side for side in box] for box in (
      [60, 60, 12, 40], [75, 62, 12, 40], [2, 20, 12, 90])]
  alone = [draw_result(FrameResult(7, 0.0, frame, {
      number: TargetBox(np.array(box), 0.93, TRACKED)}))
      for number, box in enumerate(boxes, start=1)]
  shown = draw_result(result_of(frame, *boxes))
  for number, one in enumerate(alone, start=1):
    colored = [(image == color_of(number)).all(axis=-1).sum()
               for image in (shown, one)]
    assert colored[0] > 0.95 * colored[1]
  caption = draw_result(FrameResult(7, 0.0, frame, {}))
  dark = (caption < 20).all(axis=-1)
  assert ((shown < 20).all(axis=-1) & dark).sum() == dark.sum()


def test_heatmaps_of_many_leave_half_of_the_frame() -> None:
  sight = np.ones((3, 31, 31), np.float32), np.full((255, 255, 3), 50, np.uint8)
  shown = draw_result(FrameResult(7, 0.0, gray_frame(100, 320, 240), {},
                                  sights=dict.fromkeys(range(1, 9), sight)))
  assert (shown[20:119] == 100).all()
  for number in range(1, 9):
    assert (shown == color_of(number)).all(axis=-1).any()


def test_heatmaps_are_inset() -> None:
  heatmaps = np.zeros((3, 31, 31), np.float32)
  heatmaps[:, 15, 15] = 1, 0.5, 0.2
  crop = np.full((255, 255, 3), 50, np.uint8)
  result = FrameResult(7, 0.0, gray_frame(100, 320, 240), {},
                       sights={1: (heatmaps, crop)})
  shown = draw_result(result)
  assert (shown[:187, 30:] == 100).all() and (shown[187:, :161] == 100).all()
  for x in (187, 240, 293):  # brightest in the middle of each stage
    assert shown[213, x].sum(dtype=int) > 2 * shown[195, x].sum(dtype=int)
  for sight in ((heatmaps[:0], crop), (heatmaps, None)):
    shown = draw_result(FrameResult(7, 0.0, gray_frame(100, 320, 240), {},
                                    sights={1: sight}))
    assert (shown[180:] == 100).all()


@pytest.mark.parametrize('state', [TRACKED, LOST])
@pytest.mark.parametrize('box', [
    [-50, -50, 20, 20], [1e12, 0, 5, 5], [np.nan, 0, 5, 5], [0, 0, 1e9, 1e9]])
def test_draw_result_takes_any_box(box: list[float], state: str) -> None:
  shown = draw_result(result_of(gray_frame(9), box, state=state))
  assert shown.shape == (48, 64, 3)


# ---- check_box


@pytest.mark.parametrize('box', [
    [0, 0, 320, 240], [-10, -10, 11, 11], [319.5, 239.5, 50, 50], [5, 5, 1, 9],
    [-100, -100, 640, 480]])
def test_check_box_accepts_any_overlap(box: list[float]) -> None:
  checked = check_box(box, 320, 240)
  assert checked.dtype == np.float64
  assert checked.tolist() == box


@pytest.mark.parametrize(('box', 'message'), [
    ([400, 10, 50, 50],
     'box 400,10,50,50: lies outside the 320x240 frame'),
    ([320, 0, 5, 5], 'outside'), ([0, 240, 5, 5], 'outside'),
    ([-5, 0, 5, 5], 'outside'), ([0, -9, 5, 5], 'outside'),
    ([0, 0, 0, 5], 'must be positive'), ([0, 0, 5, -1], 'must be positive'),
    ([0, 0, np.nan, 5], 'four finite'), ([0, 0, np.inf, 5], 'four finite'),
    ([0, 0, 5], 'four finite'), ([[0, 0, 5, 5]], 'four finite'),
    ('here', 'four finite'), (None, 'four finite'), ([[1], 2], 'four finite')])
def test_check_box_refuses(box: object, message: str) -> None:
  with pytest.raises(UserError, match=message) as caught:
    check_box(box, 320, 240)  # type: ignore[arg-type]
  assert '\n' not in str(caught.value)


# ---- track_to_files


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


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
  """As at a terminal; background jobs start with the signal ignored."""
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  yield
  signal.signal(signal.SIGINT, before)


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
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  with FrameSource('noise', frames) as source:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # bytes a file
    try:
      with pytest.raises(UserError, match='disk space|free space'):
        track(source, tmp_path / video if video else None,
              tmp_path / boxes if boxes else None)
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert not list(tmp_path.iterdir())


@pytest.mark.realdata
@pytest.mark.parametrize(('name', 'count', 'size'), [
    ('bag.avi', 196, (480, 360)), ('davis_tennis', 70, (854, 480))])
def test_real_inputs(tmp_path: Path, name: str, count: int,
                     size: tuple[int, int]) -> None:
  data = os.environ.get('SIAMKPN_TEST_DATA')
  if not data:
    pytest.skip('SIAMKPN_TEST_DATA is not set')
  path = Path(data) / 'sequences' / '_demo_no_gt' / name
  video, boxes = tmp_path / 'out.mp4', tmp_path / 'out.txt'
  with open_frames(path) as source:
    assert (source.size, source.count) == (size, count)
    summary = track(source, video, boxes)
  assert summary.frames == count == len(read_boxes(boxes))
  with open_frames(video) as written:
    assert (written.size, written.count) == (size, count)
