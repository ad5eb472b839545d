"""Many targets as one batch give the boxes of one at a time."""

import dataclasses
import functools
import time

import jax
import numpy as np
import pytest

from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.evaluation.run import experiments
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.evaluation.run.experiments import Task
from siamkpn_jax.evaluation.run.protocol import OneAtATime
from siamkpn_jax.tracking import lockstep
from siamkpn_jax.tracking.lockstep import Lockstep, good_places
from siamkpn_jax.tracking.tracker import Tracker
from tests.tracking.test_tracker import CONFIG, small_network, video

TOLERANCE = 0.01  # pixels; batches of other sizes round otherwise
FRAMES = 6


@functools.cache
def _videos():
  """Five scenes of several sizes: frames, and the first box."""
  return [video(k, (160 - 8 * k, 120 - 4 * k)) for k in range(5)]


@functools.cache
def _expected():
  """[5][FRAMES - 1, 4] boxes and scores of `Tracker`."""
  model, variables = small_network()
  found = []
  for frames, box in _videos():
    tracker = Tracker(model, variables, CONFIG)
    tracker.init(frames[0], box)
    boxes = [tracker.update(frame)[1] for frame in frames[1:]]
    found.append((np.array(boxes), tracker.score))
  return found


def _lockstep(places):
  model, variables = small_network()
  return Lockstep(model, variables, CONFIG, places)


@pytest.mark.parametrize('places', [5, 8])
def test_boxes_are_those_of_one_at_a_time(places):
  """On four devices, with places that are empty, in any order of places."""
  tracker = _lockstep(places)
  assert tracker.devices == 4 and tracker.places == 8
  where = np.random.default_rng(places).permutation(8)[:5].tolist()
  for place, (frames, box) in zip(where, _videos(), strict=True):
    tracker.start(place, frames[0], box)
  for i in range(1, FRAMES):
    boxes, scores = tracker.update(
        where, [frames[i] for frames, _ in _videos()])
    for box, (expected, _) in zip(boxes, _expected(), strict=True):
      np.testing.assert_allclose(box, expected[i - 1], atol=TOLERANCE)
  for score, (_, expected) in zip(scores, _expected(), strict=True):
    assert score == pytest.approx(expected, abs=1e-4)
  moved = [np.abs(e[-1] - e[0]).max() for e, _ in _expected()]
  assert min(moved) > 1  # something that could go wrong
  assert np.ptp([e[-1] for e, _ in _expected()], axis=0).max() > 10


def test_a_place_is_given_to_the_next_target():
  """What was there before leaves nothing behind; others go on."""
  tracker = _lockstep(4)
  videos, expected = _videos(), _expected()
  tracker.start(0, videos[0][0][0], videos[0][1])
  tracker.start(1, videos[1][0][0], videos[1][1])
  first = [tracker.update([0, 1], [videos[0][0][i], videos[1][0][i]])[0]
           for i in (1, 2)]
  tracker.start(0, videos[2][0][0], videos[2][1])
  then = [tracker.update([1, 0], [videos[1][0][i + 2], videos[2][0][i]])[0]
          for i in (1, 2)]
  np.testing.assert_allclose(
      [b[1] for b in first] + [b[0] for b in then], expected[1][0][:4],
      atol=TOLERANCE)
  np.testing.assert_allclose([b[1] for b in then], expected[2][0][:2],
                             atol=TOLERANCE)


def test_who_runs_beside_does_not_matter():
  """Bit for bit, in a batch of the same size."""
  alone, together = _lockstep(4), _lockstep(4)
  videos = _videos()
  for k in range(4):
    together.start(k, videos[k][0][0], videos[k][1])
  alone.start(2, videos[2][0][0], videos[2][1])
  for i in range(1, FRAMES):
    both = together.update(range(4), [videos[k][0][i] for k in range(4)])[0]
    np.testing.assert_array_equal(
        alone.update([2], [videos[2][0][i]])[0][0], both[2])


def test_driven_through_sequences(tmp_path, monkeypatch):
  """Places are handed on while others are under way."""
  videos = _videos()
  lengths = [6, 3, 5, 6, 4]
  monkeypatch.setattr(
      'siamkpn_jax.evaluation.run.batch_runner.read_image',
      lambda path: videos[int(path.parent.name)][0][int(path.name)])

  def course(k):
    boxes = []
    yield experiments.Start(videos[k][1])
    for _ in range(lengths[k] - 1):
      boxes.append((yield experiments.Ask.UPDATE))
    return np.array(boxes)

  tasks = [Task(str(k), tuple(tmp_path / str(k) / str(i) for i in range(n)),
                functools.partial(course, k)) for k, n in enumerate(lengths)]
  ended = {int(d.task.name): d for d in drive(_lockstep(4), tasks)}
  assert sorted(ended) == [0, 1, 2, 3, 4]
  for k, done in ended.items():
    np.testing.assert_allclose(done.result, _expected()[k][0][:lengths[k] - 1],
                               atol=TOLERANCE)


def test_wrong_box_and_frame():
  """Refused as by `Tracker`; the target that was there stays."""
  tracker = _lockstep(1)
  frames, box = _videos()[0]
  tracker.start(0, frames[0], box)
  with pytest.raises(UserError, match='outside'):
    tracker.start(0, frames[0], [999, 0, 5, 5])
  with pytest.raises(ValueError, match='uint8'):
    tracker.start(0, frames[0][..., 0], box)
  with pytest.raises(ValueError, match='uint8'):
    tracker.update([0], [frames[1].astype(np.float32)])
  found, _ = tracker.update([0], [frames[1]])
  np.testing.assert_allclose(found[0], _expected()[0][0][0], atol=TOLERANCE)


@pytest.mark.parametrize(('lengths', 'devices', 'batch', 'places'), [
    ([100] * 50, 2, 8, 8), ([100] * 50, 2, 6, 6), ([100], 2, None, 2),
    ([100], 1, None, 1), ([1000, 10, 10], 1, None, 1), ([], 4, None, 4),
    ([60] * 12, 2, None, 6), ([1350, 770, 730, 780], 2, None, 4),
    ([5] * 100, 1, 1, 1), ([5] * 100, 4, 2, 2), ([5] * 100, 4, 1, 1),
    ([5] * 3, 2, 10**9, 4)])
def test_places_that_take_the_least_time(lengths, devices, batch, places):
  assert good_places(lengths, devices, batch) == places


def test_fewer_places_than_devices():
  """One at a time is one at a time, however many devices there are."""
  tracker = _lockstep(1)
  assert (tracker.places, tracker.devices) == (1, 1)
  assert _lockstep(3).places == 3


@pytest.mark.realdata
def test_real_sequences(real_data):
  """As one at a time, on frames of real videos of different sizes."""
  names = ['Jumping', 'uav_wakeboard7', 'davis_car-shadow', 'Dog1', 'Skiing']
  tasks = [Task(s.name, s.frames[:15], functools.partial(
      experiments.one_pass, dataclasses.replace(
          s, frames=s.frames[:15], boxes_xywh=s.boxes_xywh[:15])))
           for s in load_otb(real_data / 'sequences', names=names)]
  found, expected = (
      {done.task.name: done.result for done in drive(tracker, tasks)}
      for tracker in (_lockstep(4), OneAtATime(
          Tracker(*small_network(), CONFIG))))
  for name in names:
    np.testing.assert_allclose(found[name], expected[name], atol=TOLERANCE)
    assert np.ptp(expected[name], axis=0).max() > 1


def test_speed_counts_what_was_asked_for():
  """Not the compilation, and no empty places."""
  tracker = _lockstep(4)
  frames, box = _videos()[0]
  tracker.start(3, frames[0], box)
  tracker.update([3], [frames[1]])
  assert tracker.network_speed() is None
  begin = time.perf_counter()
  tracker.update([3], [frames[2]])
  assert tracker.network_speed() > 1 / (time.perf_counter() - begin)


def test_loaded_with_other_settings(tmp_path, monkeypatch):
  """What decides about boxes is told; weights by a checksum."""
  model, variables = small_network()
  given = Config()
  monkeypatch.setattr(lockstep, 'load_model', lambda path: (given, variables))
  monkeypatch.setattr(lockstep, 'build_model', lambda config: model)
  tracker, details = lockstep.load_lockstep(
      'w', [10] * 8, batch=4, settings='penalty_k=0.3,topk_max=8')
  assert tracker.places == 4
  assert details['tracking'] == dataclasses.asdict(given.tracking) | {
      'penalty_k': 0.3, 'topk_max': 8, 'offset_target': 'released'}
  changed = jax.tree.map(np.array, variables)
  changed['params']['backbone']['conv1']['conv']['kernel'].flat[0] += 1e-3
  monkeypatch.setattr(lockstep, 'load_model', lambda path: (given, changed))
  _, other = lockstep.load_lockstep('w', [10])
  assert other['weights'] != details['weights'] and len(other['weights']) == 8
  with pytest.raises(UserError, match=r'tracking\.penalti'):
    lockstep.load_lockstep('w', [10], settings='penalti=0.3')
