"""Several targets in one video: their starts, their files, and memory."""

import json
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

import siamkpn_jax
from siamkpn_jax.cli import track
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.tracking import load
from siamkpn_jax.tracking.follow import follow
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.h264 import available
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.targets import TrackResult
from siamkpn_jax.tracking.track_files import Outputs, track_to_files
from siamkpn_jax.tracking.video import FrameSource, open_frames
from siamkpn_jax.tracking.video_writer import VideoWriter
from tests.tracking.shifting import BOX, Shifting, source


def test_targets_start_in_their_frames() -> None:
  boxes = [GivenBox(4, 7, BOX), GivenBox(None, 1, BOX), GivenBox(3, 2, BOX)]
  results = list(follow(Shifting(), source(6, lost=(3,)), boxes))
  assert [list(result.targets) for result in results] == [
      [1], [1], [1], [1, 2, 7], [1, 2, 7], [1, 2, 7]]
  assert [result.number for result in results] == list(range(1, 7))
  assert [result.time for result in results] == pytest.approx(
      np.arange(6) / 10)
  assert not results[2].decoded and results[2].targets[1].state == 'lost'
  assert results[3].targets[2] == TrackResult(
      True, results[3].targets[2].box_xywh, 1.0)
  assert results[5].targets[2].box_xywh.tolist() == [7, 6, 20, 10]


def test_frames_before_the_first_wanted_one_have_no_results() -> None:
  given = [GivenBox(None, 1, BOX)]
  results = list(follow(Shifting(), source(6, lost=(3,), start=3), given))
  assert [result.number for result in results] == [3, 4, 5, 6]
  assert not results[0].decoded and not results[0].targets
  assert results[1].targets[1].box_xywh.tolist() == list(BOX)


@pytest.mark.skipif(not available(), reason='PyAV is not installed')
def test_time_stamps_of_a_varying_rate_are_kept(tmp_path: Path) -> None:
  times = [0.0, 0.04, 0.2, 0.24, 0.5, 0.52]
  with VideoWriter(tmp_path / 'in.mp4', (64, 48), 25) as writer:
    for number, time in enumerate(times):
      writer.write(np.full((48, 64, 3), 40 * number, np.uint8), time)
  with open_frames(tmp_path / 'in.mp4') as video:
    track_to_files(Shifting(), video, [GivenBox(None, 1, BOX)],
                   Outputs(tmp_path / 'out.mp4', tmp_path / 'out.csv'),
                   progress=False)
  rows = np.loadtxt(tmp_path / 'out.csv', delimiter=',', skiprows=1,
                    usecols=(0, 1))
  assert rows.tolist() == [[k + 1, time] for k, time in enumerate(times)]
  with open_frames(tmp_path / 'out.mp4') as video:
    assert [round(video.time, 3) for _ in video] == times


def test_one_target_has_the_single_tracker(monkeypatch) -> None:
  monkeypatch.setattr(load, 'load_tracker', lambda *a, **b: (a, b))
  monkeypatch.setattr(load, 'load_batch_tracker', lambda *a, **b: (a, b))
  one = load.load_for_targets('w', 1, engine='onnxruntime')
  assert isinstance(one, OneTarget)
  assert one._tracker == (('w',), {'engine': 'onnxruntime'})
  assert load.load_for_targets('w', 2) == (('w',), {'slots': 2})


class Sure:
  """A tracker of one target or of many that knows how sure it is."""

  score, confidence = 0.9, 0.2

  def init(self, frame, box_xywh) -> None:
    pass

  def add(self, frame, box_xywh, *, replace=None) -> int:
    return 5

  def update(self, frame):
    if isinstance(self, One):
      return False, np.array(BOX)
    return {5: TrackResult(False, np.array(BOX), 0.9, 0.2)}


class One(Sure):
  pass


@pytest.mark.parametrize('tracker', [OneTarget(One()), Sure()])
def test_results_have_the_confidence_where_it_is_known(tracker) -> None:
  """From the second frame on: the first box is given."""
  results = list(follow(tracker, source(4, lost=(3,)),
                        [GivenBox(None, 1, BOX)]))
  assert [one.targets[1].confidence for one in results] == [
      None, 0.2, None, 0.2]


@pytest.mark.parametrize(('tracker', 'csv', 'plain'), [
    (lambda: OneTarget(One()), '0.2000', 0.2), (Shifting, 'nan', None)])
def test_files_have_the_confidence(tmp_path: Path, tracker, csv: str,
                                   plain: float | None) -> None:
  """None of the given box, nor of a frame that cannot be decoded."""
  for name in 'a.csv', 'a.json':
    track_to_files(tracker(), source(3, lost=(3,)), [GivenBox(None, 1, BOX)],
                   Outputs(boxes=tmp_path / name), progress=False)
  lines = (tmp_path / 'a.csv').read_text().splitlines()
  assert [line.split(',')[-1] for line in lines] == [
      'confidence', 'nan', csv, 'nan']
  rows = json.loads((tmp_path / 'a.json').read_text())['boxes']
  assert [row['confidence'] for row in rows] == [None, plain, None]


def test_a_run_that_is_ended_in_its_window_is_not_cut_off(
    tmp_path: Path) -> None:
  video, boxes = source(9), [GivenBox(None, 1, BOX)]
  summary = track_to_files(
      Shifting(), video, boxes,
      Outputs(boxes=tmp_path / 'a.csv', show=lambda frame: True),
      progress=False)
  assert summary.stopped and summary.frames == 2  # of which the first compiles
  assert not list(track._oddities(summary, video, boxes))  # none cut off
  assert not track_to_files(Shifting(), source(3), [GivenBox(None, 1, BOX)],
                            Outputs(tmp_path / 'a.mp4'),
                            progress=False).stopped


def test_long_term_films_have_the_confidence(tmp_path: Path) -> None:
  shown = []
  show = lambda frame: shown.append(frame) or False
  for confidence in (False, True):
    track_to_files(OneTarget(One()), source(2), [GivenBox(None, 1, BOX)],
                   Outputs(confidence=confidence, show=show), progress=False)
  np.testing.assert_array_equal(shown[0], shown[2])
  assert (shown[1] != shown[3]).any()  # 0.90 and 0.20


def test_track_video(tmp_path: Path) -> None:
  """With the weights of the package; the boxes are those of `BatchTracker`."""
  scene = Scene(seed=0, index=0, size=(160, 120))
  frames = [scene.render(t) for t in range(3)]
  for number, (frame, _) in enumerate(frames):
    cv2.imwrite(str(tmp_path / f'{number}.png'), frame)
  boxes = {5: frames[0][1], 9: [20, 20, 30, 30]}
  results = list(siamkpn_jax.track_video(tmp_path, boxes, heatmaps=True))
  tracker = siamkpn_jax.load_batch_tracker(slots=2, engine='jax')
  slots = {target: tracker.add(frames[0][0], box)
           for target, box in boxes.items()}
  for result, (frame, _) in list(zip(results, frames, strict=True))[1:]:
    found = tracker.update(frame)
    for target, slot in slots.items():
      np.testing.assert_allclose(result.targets[target].box_xywh,
                                 found[slot].box_xywh, atol=1e-3)
      assert result.targets[target].state == found[slot].state
      assert result.sights[target][0].shape == (3, 25, 25)


@pytest.mark.parametrize(('boxes', 'message'), [
    ([], 'boxes: none'), ([1, 2, 3], "box '1'"), ([[1, 2, 3]], 'four numbers'),
    ([[10**400, 2, 3, 4]], 'four numbers'),
    ([999, 999, 9, 9], 'lies outside'), ({1: 'here'}, 'four numbers'),
    ('none.csv', 'cannot be read'), ([GivenBox(9, 1, BOX)], 'begins in frame')])
def test_boxes_of_track_video_that_are_none(
    tmp_path: Path, boxes, message: str) -> None:
  cv2.imwrite(str(tmp_path / '1.png'), np.zeros((48, 64, 3), np.uint8))
  with pytest.raises(UserError, match=message):
    siamkpn_jax.track_video(tmp_path, boxes)


@pytest.mark.parametrize(('wrong', 'message'), [
    ({'path': 'none.mp4'}, 'no such file'), ({'start_frame': 9}, 'number 9'),
    ({'weights': 'none'}, 'no such checkpoint'), ({'engine': 'x'}, 'engine'),
    ({'precision': 'int8', 'engine': 'jax'}, 'int8'),
    ({'penalty_kk': 1}, 'penalty_kk'), ({'color': 'rgb'}, 'BGR'),
    ({'start_frame': 0}, '1 or more'), ({'start_frame': -5}, '1 or more'),
    ({'start_frame': 1.5}, 'whole number')])
def test_what_track_video_refuses_at_once(
    tmp_path: Path, wrong, message: str) -> None:
  """Before the first frame is asked for."""
  cv2.imwrite(str(tmp_path / '1.png'), np.zeros((48, 64, 3), np.uint8))
  with pytest.raises(UserError, match=message):
    siamkpn_jax.track_video(**{'path': tmp_path, 'boxes': BOX} | wrong)


def test_a_video_that_is_left_early_is_closed(tmp_path: Path) -> None:
  """Before a frame was asked for, after one, by what is refused."""
  closed = []

  def frames():
    try:
      for _ in range(3):
        yield np.zeros((48, 64, 3), np.uint8)
    finally:
      closed.append(True)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr('siamkpn_jax.tracking.video.open_frames',
                  lambda *args, **more: FrameSource('three', frames()))
    patch.setattr('siamkpn_jax.tracking.load.load_for_targets',
                  lambda *args, **more: Shifting())
    results = siamkpn_jax.track_video(tmp_path, BOX)
    assert not closed
    del results
    assert closed
    for _ in siamkpn_jax.track_video(tmp_path, BOX):
      break
    assert len(closed) == 2
    with pytest.raises(UserError):
      siamkpn_jax.track_video(tmp_path, (1, 2, 3))
    assert len(closed) == 3


def _peak(count: int, folder: Path) -> int:
  """Most bytes that Python holds while a video of so many frames is tracked."""
  tracemalloc.start()
  try:
    track_to_files(Shifting(), source(count), [GivenBox(None, 1, BOX),
                                               GivenBox(5, 2, BOX)],
                   Outputs(folder / 'out.mp4', folder / 'out.json'),
                   progress=False)
    return tracemalloc.get_traced_memory()[1]
  finally:
    tracemalloc.stop()


def test_memory_is_flat(tmp_path: Path) -> None:
  few = max(_peak(100, tmp_path) for _ in range(2))
  assert _peak(600, tmp_path) < few + 30_000  # bytes; a frame has 9216


@pytest.mark.slow
def test_memory_is_flat_over_20_000_frames(tmp_path: Path) -> None:
  """Of the whole process: by what the system says, at a tenth and the end."""
  resident = []

  def frames():
    for number in range(20_000):
      if number in (2000, 19_999):
        status = Path('/proc/self/status').read_text()
        resident.append(int(status.split('VmRSS:')[1].split()[0]))  # KiB
      yield np.full((48, 64, 3), number % 250, np.uint8)

  boxes = [GivenBox(None, 1, BOX), GivenBox(5, 2, BOX)]
  track_to_files(Shifting(), FrameSource('long', frames(), count=20_000),
                 boxes, Outputs(tmp_path / 'o.mp4', tmp_path / 'o.json'),
                 progress=False)
  assert resident[1] < resident[0] + 8 * 1024
