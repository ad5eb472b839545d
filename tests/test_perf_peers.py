"""What perf/contest.py and perf/opencv_trackers.py make of trackers."""

import cv2
import numpy as np
import pytest

from perf import contest, opencv_trackers
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.metrics.protocols import OTB

SILENT = lambda text: None


class Recorder:
  """Moves its box by a step in each frame, and notes what it is asked."""

  def __init__(self, name, step, calls):
    self.name, self.step, self.calls = name, step, calls

  def init(self, frame, box_xywh):
    self.calls.append((self.name, 'init', int(frame[0, 0, 0])))
    self.box = np.array(box_xywh, float)
    self.first = self.box.copy()

  def update(self, frame):
    self.calls.append((self.name, 'update', int(frame[0, 0, 0])))
    self.box = self.box + np.array([self.step, 0, 0, 0])
    return self.step < 5, self.box


@pytest.fixture
def video(tmp_path):
  """Six frames whose pixels tell their number; the target moves by 2."""
  paths = tuple(tmp_path / f'{k}.png' for k in range(6))
  for k, path in enumerate(paths):
    cv2.imwrite(str(path), np.full((40, 60, 3), k, np.uint8))
  boxes = np.array([[2 * k - 0.4, 8.3, 12, 10] for k in range(6)])
  return Video('moving', paths, boxes, origin=1)


def test_scores_are_those_of_the_protocol(video):
  """From the rounded box, and with pixels counted as the file does."""
  trackers = {'a': Recorder('a', 2, []), 'b': Recorder('b', 9, [])}
  found = contest.run_all(trackers, [video], SILENT)
  assert trackers['a'].first.tolist() == [0, 8, 12, 10]
  want = np.array([[2 * k, 8, 12, 10] for k in range(6)])
  np.testing.assert_array_equal(found.boxes_xywh['a']['moving'], want)
  one_based = [1, 1, 0, 0]
  score = ope.score_sequence(want + one_based, video.boxes_xywh + one_based,
                             protocol=OTB)
  assert found.scores['a']['moving'].success_auc == score.success_auc
  # In pixels from 0 the first box of the file has x < 0, which OTB counts lost.
  other = ope.score_sequence(want, video.boxes_xywh, protocol=OTB)
  assert score.success_auc != other.success_auc
  assert found.lost == {'a': 0, 'b': 5}
  assert found.differences('a', 'b') == {
      'pixels': 35, 'frames': 6, 'frames_above_0.05': 5}


def test_turns(video):
  """Each part by every tracker before the next one, in changing order."""
  calls = []
  trackers = {name: Recorder(name, 2, calls) for name in 'ab'}
  speeds = contest.take_rounds(trackers, [video], 20, 2, SILENT)
  for name in 'ab':  # a warm-up; the first frame of all parts
    at = calls.index((name, 'init', 0))
    assert calls[at:at + 2] == [(name, 'init', 0), (name, 'update', 1)]
    del calls[at:at + 2]
  orders = set()
  for k in range(20):
    turn, calls = calls[:6], calls[6:]
    start = 2 * (k % 2)  # no 6th frame: from the start again
    order = turn[0][0], turn[3][0]
    orders.add(order)
    assert turn == [(name, *call) for name in order for call in (
        ('init', start), ('update', start + 1), ('update', start + 2))]
  assert orders == {('a', 'b'), ('b', 'a')} and not calls
  for speed in speeds.values():
    assert len(speed.frames_per_second) == len(speed.cpu_ms) == 20


def test_one_frame_is_too_short(video):
  short = Video('short', video.frames[:1], video.boxes_xywh[:1])
  with pytest.raises(UserError, match='short has one frame'):
    contest.take_rounds({}, [video, short], 1, 5, SILENT)


def test_summary_and_tables():
  speeds = {'TrackerNano': contest.Speeds([10.0, 20, 40], [1.0, 2, 3]),
            'ours': contest.Speeds([20.0, 20, 20], [4.0, 4, 4])}
  result = contest.summarize(None, speeds, {'TrackerKCF': 'none here'},
                             'TrackerNano')
  ratio = result['trackers']['ours']['speed_ratio']
  assert ratio == {'median': 1.0, 'low': 0.75, 'high': 1.5}
  text = contest.report(result | {
      'hardware': 'H', 'threads': 1, 'load_before_and_after': [0.5, None],
      'rounds': 3, 'frames_per_turn': 2, 'versions': {'opencv': '4'}},
                        'TrackerNano')
  assert '| ours | 20.0 | 50.00 | 4.00 | 1.00 (0.75 to 1.50) |' in text
  assert '| TrackerKCF | not available: none here |' in text
  assert 'AUC' not in text  # none was measured


class Fails:
  """A cv2.Tracker that finds the target once, then fails in two ways."""

  def __init__(self):
    self.answers = iter([(True, (3, 4, 5, 6)), (False, (0, 0, 0, 0)), None])

  def init(self, frame, box):
    assert all(type(v) is int for v in box)
    if box[2] > 100:
      raise cv2.error('too wide')

  def update(self, frame):
    answer = next(self.answers)
    if answer is None:
      raise cv2.error('outside')
    return answer


def test_a_lost_target_keeps_its_last_box():
  tracker = opencv_trackers.OpenCVTracker('Fails', Fails)
  frame = np.zeros((9, 9, 3), np.uint8)
  tracker.init(frame, [1.6, 2.4, 0.3, 5])
  for seen in (True, False, False):
    found, box = tracker.update(frame)
    assert found is seen and box.tolist() == [3, 4, 5, 6]
  tracker.init(frame, [1.6, 2.4, 0.3, 5])
  with pytest.raises(UserError, match='Fails: OpenCV cannot start'):
    tracker.init(frame, [0, 0, 200, 5])


def test_rounded():
  assert opencv_trackers.rounded([1.6, -2.4, 0.3, 5]).tolist() == [2, -2, 1, 5]


def test_no_peer_is_left_out(tmp_path):
  found = opencv_trackers.find_trackers(tmp_path, opencv_trackers.FILES)
  assert set(found.trackers) | set(found.missing) == set(opencv_trackers.FILES)
  assert 'nanotrackv2_head.onnx' in found.missing['TrackerNano']
  assert '--models' in opencv_trackers.find_trackers(
      None, ['TrackerVit']).missing['TrackerVit']
  assert 'TrackerMIL' in found.trackers
  for file in opencv_trackers.FILES['TrackerVit'].values():
    (tmp_path / file).write_text('version https://git-lfs.github.com/spec/v1')
  found = opencv_trackers.find_trackers(tmp_path, ['TrackerVit'])
  assert found.missing['TrackerVit'].startswith('OpenCV') and (
      not found.trackers)


def test_a_real_one_follows():
  """OpenCV's own tracker, on a textured square that moves by 3 pixels.

  TrackerMIL draws its features anew each time, so the median of 15 runs counts.
  """
  rng = np.random.default_rng(0)
  square = rng.integers(0, 256, (24, 24, 3), np.uint8)
  boxes = []
  for _ in range(15):
    tracker = opencv_trackers.find_trackers(
        None, ['TrackerMIL']).trackers['TrackerMIL']
    for k in range(3):
      frame = np.full((80, 100, 3), 90, np.uint8)
      frame[30:54, 20 + 3 * k:44 + 3 * k] = square
      if k == 0:
        tracker.init(frame, [20, 30, 24, 24])
      else:
        found, box = tracker.update(frame)
    assert found
    boxes.append(box)
  np.testing.assert_allclose(np.median(boxes, 0), [26, 30, 24, 24], atol=3)
