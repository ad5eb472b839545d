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
from siamkpn_jax.evaluation.run import experiments, load
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.evaluation.run.experiments import Task
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.decode import Hyperparameters
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.packed import update_packed
from siamkpn_jax.tracking.slots import good_slots
from siamkpn_jax.tracking.tracker import Tracker
from tests.tracking.small import CONFIG, small_network, video

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


def _batch(slots, **kwargs):
  return BatchTracker(*small_network(), CONFIG, slots=slots, **kwargs)


@pytest.mark.parametrize('slots', [5, 8])
def test_boxes_are_those_of_one_at_a_time(slots):
  """On four devices, with slots that are empty, in any order of slots."""
  tracker = _batch(slots)
  assert tracker.devices == 4 and tracker.slots == 8
  frames, box = _videos()[0]
  others = [tracker.add(frames[0], box) for _ in range(3)]
  order = np.random.default_rng(slots).permutation(5)
  targets = {}
  for k in order:
    frames, box = _videos()[k]
    targets[k] = tracker.add(frames[0], box)
  for other in others:
    tracker.remove(other)
  assert set(tracker.targets) == set(targets.values())
  for i in range(1, FRAMES):
    found = tracker.update(
        {targets[k]: frames[i] for k, (frames, _) in enumerate(_videos())})
    for k, (expected, _) in enumerate(_expected()):
      np.testing.assert_allclose(found[targets[k]].box_xywh, expected[i - 1],
                                 atol=TOLERANCE)
  for k, (_, expected) in enumerate(_expected()):
    assert found[targets[k]].score == pytest.approx(expected, abs=1e-4)
  moved = [np.abs(e[-1] - e[0]).max() for e, _ in _expected()]
  assert min(moved) > 1  # something that could go wrong
  assert np.ptp([e[-1] for e, _ in _expected()], axis=0).max() > 10


def test_a_slot_is_given_to_the_next_target():
  """What was there before leaves nothing behind; others go on."""
  tracker = _batch(4)
  videos, expected = _videos(), _expected()
  a = tracker.add(videos[0][0][0], videos[0][1])
  b = tracker.add(videos[1][0][0], videos[1][1])
  first = [tracker.update({a: videos[0][0][i], b: videos[1][0][i]})[b].box_xywh
           for i in (1, 2)]
  tracker.remove(a)
  c = tracker.add(videos[2][0][0], videos[2][1])
  assert c == a
  then = [tracker.update({b: videos[1][0][i + 2], c: videos[2][0][i]})
          for i in (1, 2)]
  np.testing.assert_allclose(
      first + [found[b].box_xywh for found in then], expected[1][0][:4],
      atol=TOLERANCE)
  np.testing.assert_allclose([found[c].box_xywh for found in then],
                             expected[2][0][:2], atol=TOLERANCE)


def test_who_runs_beside_does_not_matter():
  """Bit for bit, in a batch of the same size."""
  alone, together = _batch(4), _batch(4)
  videos = _videos()
  for k in range(4):
    together.add(videos[k][0][0], videos[k][1])
  for k in range(3):
    target = alone.add(videos[k][0][0], videos[k][1])
  for i in range(1, FRAMES):
    both = together.update({k: videos[k][0][i] for k in range(4)})
    np.testing.assert_array_equal(
        alone.update({target: videos[2][0][i]})[target].box_xywh,
        both[2].box_xywh)


def test_several_targets_in_one_frame():
  """They come and go; nothing is compiled for it but a larger room."""
  frames, box = _videos()[0]
  tracker = _batch(2)
  targets = [tracker.add(frames[0], np.add(box, [k, 0, 0, 0]))
             for k in range(2)]
  tracker.update(frames[1])
  compiled = update_packed.jitted._cache_size()
  tracker.remove(targets[0])
  targets[0] = tracker.add(frames[0], box)
  found = tracker.update(frames[1])
  assert found.keys() == set(targets)
  np.testing.assert_allclose(found[targets[0]].box_xywh, _expected()[0][0][0],
                             atol=TOLERANCE)
  assert update_packed.jitted._cache_size() == compiled
  third = tracker.add(frames[0], box)
  assert tracker.slots == 4 and third not in targets
  found = tracker.update(frames[1])
  np.testing.assert_allclose(found[third].box_xywh, _expected()[0][0][0],
                             atol=TOLERANCE)
  for target in targets:
    tracker.remove(target)
  assert tracker.update(frames[2]).keys() == {third}
  with pytest.raises(KeyError, match=f'target {targets[0]} is not tracked'):
    tracker.update({targets[0]: frames[2]})


def test_hyperparameters_of_each():
  """They decide in a batch as alone, and compile nothing."""
  frames, box = _videos()[1]
  values = [(0.1, 0.5, 0.6, 0.15), (0.0, 0.0, 0.9, 0.5), (0.9, 0.1, 0.2, 0.0)]
  tracker = _batch(4)
  targets = [tracker.add(frames[0], box, Hyperparameters(*v)) for v in values]
  results = [tracker.update(frame) for frame in frames[1:]]
  compiled = update_packed.jitted._cache_size()
  ends = []
  for target, value in zip(targets, values, strict=True):
    own = dict(zip(('penalty_k', 'window_influence', 'size_lr', 'threshold'),
                   value, strict=True))
    one = Tracker(*small_network(), dataclasses.replace(CONFIG, **own))
    one.init(frames[0], box)
    for frame, result in zip(frames[1:], results, strict=True):
      found, expected = one.update(frame)
      np.testing.assert_allclose(result[target].box_xywh, expected,
                                 atol=TOLERANCE)
      assert result[target].found == found
    ends.append(expected)
  # One more, of one slot.
  assert update_packed.jitted._cache_size() <= compiled + 1
  assert np.ptp(ends, axis=0).max() > 5  # they matter


def test_shared_crops_are_seen_once():
  """Targets that differ in nothing cost one pass; boxes stay theirs."""
  frames, box = _videos()[0]
  tracker = _batch(8, share_crops=True)
  same = [tracker.add(frames[0], box) for _ in range(6)]
  other = tracker.add(frames[0], np.add(box, [3, 2, 0, 0]))
  for i in range(1, FRAMES):
    found = tracker.update(frames[i])
    for target in same:
      np.testing.assert_allclose(
          found[target].box_xywh, _expected()[0][0][i - 1], atol=TOLERANCE)
    assert tracker.crops_seen == 2 * i
  assert np.abs(found[other].box_xywh - found[same[0]].box_xywh).max() > 0.1


def test_more_crops_than_a_batch_holds():
  """Shared crops go in parts."""
  frames, box = _videos()[0]
  tracker = _batch(32, share_crops=True)
  targets = [tracker.add(frames[0], np.add(box, [k, 0, 0, 0]))
             for k in range(20)]
  found = tracker.update(frames[1])
  assert tracker.crops_seen == 20
  for k in (0, 7, 19):
    one = Tracker(*small_network(), CONFIG)
    one.init(frames[0], np.add(box, [k, 0, 0, 0]))
    np.testing.assert_allclose(found[targets[k]].box_xywh,
                               one.update(frames[1])[1], atol=TOLERANCE)


def test_driven_through_sequences(tmp_path, monkeypatch):
  """Slots are handed on while others are under way."""
  videos = _videos()
  lengths = [6, 3, 5, 6, 4]
  monkeypatch.setattr(
      'siamkpn_jax.evaluation.run.batch_runner.read_image',
      lambda path: videos[int(path.parent.name)][0][int(path.name)])

  def experiment(k):
    boxes = []
    yield experiments.Start(videos[k][1])
    for _ in range(lengths[k] - 1):
      boxes.append((yield experiments.Action.UPDATE))
    return np.array(boxes)

  tasks = [Task(str(k), tuple(tmp_path / str(k) / str(i) for i in range(n)),
                functools.partial(experiment, k))
           for k, n in enumerate(lengths)]
  ended = {int(d.task.name): d for d in drive(_batch(4), tasks)}
  assert sorted(ended) == [0, 1, 2, 3, 4]
  for k, done in ended.items():
    np.testing.assert_allclose(done.result, _expected()[k][0][:lengths[k] - 1],
                               atol=TOLERANCE)


def test_wrong_box_and_frame():
  """Refused as by `Tracker`; the target that was there stays."""
  tracker = _batch(1)
  frames, box = _videos()[0]
  target = tracker.add(frames[0], box)
  with pytest.raises(UserError, match='outside'):
    tracker.add(frames[0], [999, 0, 5, 5], replace=target)
  with pytest.raises(ValueError, match='uint8'):
    tracker.add(frames[0][..., :2], box, replace=target)
  with pytest.raises(ValueError, match='uint8'):
    tracker.update(frames[1].astype(np.float32))
  for none in (None, {target: None}):
    with pytest.raises(ValueError, match='frame is None'):
      tracker.update(none)
  with pytest.raises(ValueError, match='frame is a list'):
    tracker.update([frames[1]])
  found = tracker.update(frames[1])[target]
  np.testing.assert_allclose(found.box_xywh, _expected()[0][0][0],
                             atol=TOLERANCE)
  assert tracker.slots == 1


@pytest.mark.parametrize(('lengths', 'devices', 'batch', 'slots'), [
    ([100] * 50, 2, 8, 8), ([100] * 50, 2, 6, 6), ([100], 2, None, 2),
    ([100], 1, None, 1), ([1000, 10, 10], 1, None, 1), ([], 4, None, 4),
    ([60] * 12, 2, None, 6), ([1350, 770, 730, 780], 2, None, 4),
    ([5] * 100, 1, 1, 1), ([5] * 100, 4, 2, 2), ([5] * 100, 4, 1, 1),
    ([5] * 3, 2, 10**9, 4)])
def test_slots_that_take_the_least_time(lengths, devices, batch, slots):
  assert good_slots(lengths, devices, batch) == slots


def test_fewer_slots_than_devices():
  """One at a time is one at a time, however many devices there are."""
  tracker = _batch(1)
  assert (tracker.slots, tracker.devices) == (1, 1)
  assert _batch(3).slots == 3


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
      for tracker in (_batch(4), OneTarget(
          Tracker(*small_network(), CONFIG))))
  for name in names:
    np.testing.assert_allclose(found[name], expected[name], atol=TOLERANCE)
    assert np.ptp(expected[name], axis=0).max() > 1


def test_speed_counts_what_was_asked_for():
  """Not the compilation, and no empty slots."""
  tracker = _batch(4)
  frames, box = _videos()[0]
  tracker.add(frames[0], box)
  tracker.update(frames[1])
  assert tracker.network_speed() is None
  begin = time.perf_counter()
  tracker.update(frames[2])
  assert tracker.network_speed() > 1 / (time.perf_counter() - begin)
  assert tracker._timed == 1  # crop, of four slots


def test_targets_that_are_none():
  """An unknown target is replaced by nothing, and the others stay."""
  tracker = _batch(2)
  frames, box = _videos()[0]
  target = tracker.add(frames[0], box)
  for unknown in (1 - target, 7, -1):
    message = (f'target {unknown} is not tracked; expected a number that add '
               f'returned: {target}')
    for what in (
        lambda unknown: tracker.add(frames[0], box, replace=unknown),
        lambda unknown: tracker.update({unknown: frames[0]}),
        tracker.remove, tracker.heatmaps, tracker.search_crop,
        tracker.search_window):
      with pytest.raises(KeyError, match=message):
        what(unknown)
  assert list(tracker.targets) == [target]
  assert tracker.add(frames[0], box, replace=target) == target
  for slots in (0, -1):
    with pytest.raises(ValueError, match=f'slots={slots}: expected 1 or more'):
      _batch(slots)
    with pytest.raises(ValueError, match=f'batch={slots}: expected 1 or more'):
      good_slots([3], 1, slots)


def test_loaded_with_other_settings(tmp_path, monkeypatch):
  """What decides about boxes is told; weights by a checksum."""
  model, variables = small_network()
  given = Config()
  monkeypatch.setattr(load, 'load_model', lambda path: (given, variables))
  monkeypatch.setattr(load, 'build_model', lambda config: model)
  tracker, details = load.load_for_sequences(
      'w', [10] * 8, batch=4,
      hyperparameters={'penalty_k': 0.3, 'topk_max': 8})
  assert tracker.slots == 4
  assert details['tracking'] == dataclasses.asdict(given.tracking) | {
      'penalty_k': 0.3, 'topk_max': 8, 'offset_target': 'released'}
  assert tracker._judge.rule is None
  found, lasting = load.load_for_sequences('w', [10], long_term=True)
  assert found._judge.rule
  assert lasting['tracking'] == dataclasses.asdict(given.tracking) | {
      'offset_target': 'released', 'long_term': True}
  changed = jax.tree.map(np.array, variables)
  changed['params']['backbone']['conv1']['conv']['kernel'].flat[0] += 1e-3
  monkeypatch.setattr(load, 'load_model', lambda path: (given, changed))
  _, other = load.load_for_sequences('w', [10])
  assert other['weights'] != details['weights'] and len(other['weights']) == 8
  with pytest.raises(UserError, match=r'penalti: unknown hyperparameter'):
    load.load_for_sequences('w', [10], hyperparameters={'penalti': 0.3})
