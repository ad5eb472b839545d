"""A tracker's state goes to a file, another tracker and another engine."""

import dataclasses
import functools
import shutil
import threading

import numpy as np
import pytest

from siamkpn_jax.checkpoints.packaged import packaged_weights
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.choice import Hyperparameters
from siamkpn_jax.tracking.confidence import Calibration
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.long_term import Judge, Rule
from tests.optional import needs_onnx
from tests.tracking.small import (
  CONFIG,
  new_tracker,
  small_network,
  video,
)

ENGINES = ('jax', 'onnxruntime')
# The second one sees nothing for sure: it is soon lost, and searches.
JUDGES = (Judge(Calibration(10, 0.5)),
          Judge(Calibration(10, 3), Rule(patience=1)))


@pytest.fixture(params=ENGINES)
def engine(request):
  if request.param == 'onnxruntime':
    needs_onnx()
  return request.param


@functools.cache
def exported():
  from siamkpn_jax.tracking.onnx.serialized import serialize
  return serialize(*small_network())


def new(engine, judge=JUDGES[0], **changes):
  config = dataclasses.replace(CONFIG, **changes)
  if engine == 'jax':
    return new_tracker(config, judge=judge, weights='small')
  from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
  return OnnxTracker(exported(), config, judge=judge, weights='small')


def new_batch(engine, **changes):
  options = {'slots': 2, 'weights': 'small'}
  config = dataclasses.replace(CONFIG, **changes)
  if engine == 'jax':
    return BatchTracker(*small_network(), config, **options)
  from siamkpn_jax.tracking.onnx.batch_tracker import OnnxBatchTracker
  return OnnxBatchTracker(exported(), config, **options)


def follow(tracker, frames):
  found = []
  for frame in frames:
    seen, box = tracker.update(frame)
    found.append((seen, *box, tracker.score, tracker.confidence))
  return np.array(found, float)


def through_a_file(state, folder):
  np.savez(folder / 'state.npz', **state)
  return np.load(folder / 'state.npz')  # without pickle


@pytest.mark.parametrize('judge', JUDGES, ids=['plain', 'long-term'])
@pytest.mark.parametrize('cut', [2, 3, 4])
def test_goes_on_as_without_the_break(engine, judge, cut, tmp_path):
  """Also in the middle of a search for what is lost."""
  frames, box = video()
  one = new(engine, judge, size_lr=0.9)
  one.init(frames[0], box)
  follow(one, frames[1:cut])
  state = through_a_file(one.state(), tmp_path)
  assert bool(state['memory_lost']) == (judge.rule is not None)
  last, window = (one.score, one.confidence), one.search_window()
  want = follow(one, frames[cut:])
  other = new(engine, judge)
  other.init(frames[5], [20, 20, 30, 30])
  other.restore(state)
  assert (other.score, other.confidence) == last
  np.testing.assert_array_equal(other.search_window()[0], window[0])
  assert other.heatmaps.shape == (0, 31, 31) and not other.search_crop.size
  again = other.state()
  assert set(again) == set(state)
  for name, value in again.items():
    np.testing.assert_array_equal(value, state[name])
  np.testing.assert_array_equal(follow(other, frames[cut:]), want)
  # For another target, the settings are the tracker's own again.
  other.init(frames[0], box)
  assert other.state()['size_lr'] != state['size_lr']


@pytest.mark.parametrize(('first', 'second'), [ENGINES, ENGINES[::-1]])
def test_goes_on_in_another_engine(first, second):
  needs_onnx()
  frames, box = video()
  one, other = new(first, JUDGES[1]), new(second, JUDGES[1])
  one.init(frames[0], box)
  follow(one, frames[1:3])
  other.restore(one.state())
  np.testing.assert_allclose(follow(other, frames[3:]), follow(one, frames[3:]),
                             atol=0.05)


def test_before_the_first_update(engine):
  frames, box = video()
  one, other = new(engine), new(engine)
  with pytest.raises(RuntimeError, match='call init first'):
    one.state()
  one.init(frames[0], box)
  other.restore(one.state())
  assert (other.score, other.confidence) == (0, None)
  np.testing.assert_array_equal(follow(other, frames[1:]),
                                follow(one, frames[1:]))


def test_many_targets(engine):
  """Each by itself, with settings of its own; a single tracker's too."""
  frames, box = video()
  one = new_batch(engine)
  own = Hyperparameters(0.3, 0.2, 0.9, 0.1)
  targets = [one.add(frames[0], box),
             one.add(frames[0], [20, 20, 30, 30], own)]
  one.update(frames[1])
  other = new_batch(engine)
  other.add(frames[0], [5, 5, 20, 20])
  moved = [other.add_state(one.state(targets[0]), replace=0),
           other.add_state(one.state(targets[1]))]
  assert moved == [0, 1]
  for frame in frames[2:]:
    want, got = one.update(frame), other.update(frame)
    for old, number in zip(targets, moved, strict=True):
      np.testing.assert_array_equal(got[number].box_xywh, want[old].box_xywh)
      assert got[number][2:] == want[old][2:]
  single = new(engine)
  single.restore(one.state(targets[1]))
  np.testing.assert_array_equal(single.state()['center'],
                                one.state(targets[1])['center'])
  with pytest.raises(KeyError):
    other.add_state(one.state(0), replace=7)
  with pytest.raises(KeyError):
    one.state(7)


@pytest.fixture(scope='module')
def tracker():
  frames, box = video()
  one = new('jax')
  one.init(frames[0], box)
  one.update(frames[1])
  return one


@pytest.mark.parametrize(('name', 'value', 'match'), [
    ('weights', np.array('yours'), 'other weights'),
    ('version', np.array(2), 'version 2; expected 1'),
    ('version', np.array([1, 1]), 'version'),
    ('crop', None, 'crop is missing'),
    ('center', None, 'center is missing'),
    ('weights', None, 'weights is missing'),
    ('crop', np.zeros((127, 127), np.uint8), 'crop is uint8 .127, 127'),
    ('crop', np.zeros((127, 127, 3)), 'crop is float64'),
    ('center', np.array([1, np.nan], 'f'), r'center .*nan.*expected float32'),
    ('size', np.array([np.inf, 9], 'f'), 'size is .*inf'),
    ('size', np.array([-5, 9], 'f'), 'size is .*-5'),
    ('size', np.float32(9), 'size is'),
    ('score', np.array(1.5), 'score is .*0 to 1'),
    ('memory_place', np.zeros(3, 'f'), 'memory_place is'),
    ('memory_round', np.array(10**9), 'memory_round is'),
    ('memory_turn', np.array(-1), 'memory_turn is'),
    ('long_term', np.array(1), 'long_term is int64'),
    ('long_term', np.array(True), 'loaded with long_term=True'),
    ('topk_max', np.array(20), 'loaded with topk_max=20'),
    ('size_lr', np.array(1.5), 'size_lr'),
    ('size_lr', np.array(np.nan), 'size_lr'),
    ('fill', np.array([object()] * 3), 'fill is object'),
    ('fill', [[1], [1, 2]], 'fill cannot be read')])
def test_refused(tracker, name, value, match):
  """And the target is kept."""
  before = tracker.state()
  state = {**before, 'more': np.array(7)}
  tracker.restore(state)
  state[name] = value
  if value is None:
    del state[name]
  with pytest.raises(UserError, match=match) as error:
    tracker.restore(state)
  assert '\n' not in str(error.value)
  for key, kept in tracker.state().items():
    np.testing.assert_array_equal(kept, before[key])


def test_no_state_at_all(tracker):
  with pytest.raises(UserError, match='state: NoneType; expected the dict'):
    tracker.restore(None)


def test_damaged_and_pickled_files(tracker, tmp_path):
  state = tracker.state()
  file = tmp_path / 'state.npz'
  np.savez(file, **{**state, 'fill': np.array([None] * 3)})
  with pytest.raises(UserError, match='fill cannot be read'):
    tracker.restore(np.load(file))
  np.savez(file, **state)
  content = bytearray(file.read_bytes())
  content[content.index(state['crop'].tobytes()) + 999] ^= 1
  file.write_bytes(content)
  with pytest.raises(UserError, match='crop cannot be read'):
    tracker.restore(np.load(file))


def test_a_state_is_a_copy(tracker):
  state = tracker.state()
  for value in state.values():
    if value.dtype.kind in 'fu':
      value[...] = 1
  assert not np.array_equal(tracker.state()['center'], state['center'])


def test_weights_without_a_name():
  frames, box = video()
  one = new_tracker(CONFIG)
  one.init(frames[0], box)
  with pytest.raises(ValueError, match='weights=NAME'):
    one.state()


def test_weights_are_known_by_their_content(tracker, tmp_path):
  (packaged,) = packaged_weights().values()
  copy = tmp_path / 'copy.safetensors'
  shutil.copy(packaged, copy)
  frames, box = video()
  one = load_tracker(engine='jax')
  one.init(frames[0], box)
  load_tracker(copy, engine='jax').restore(one.state())
  with pytest.raises(UserError, match='other weights'):
    tracker.restore(one.state())


def test_trackers_in_threads(engine):
  """Each has a thread; boxes are those of one after the other."""
  videos = [video(k, (160 - 8 * k, 120 - 4 * k)) for k in range(3)]
  trackers = [new(engine) for _ in videos]

  def track(k, into):
    frames, box = videos[k]
    trackers[k].init(frames[0], box)
    into[k] = follow(trackers[k], frames[1:])

  want, got = {}, {}
  for k in range(3):
    track(k, want)
  threads = [threading.Thread(target=track, args=(k, got)) for k in range(3)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  for k in range(3):
    np.testing.assert_array_equal(got[k], want[k])


def test_a_state_from_before_there_were_search_sizes():
  """It is of the usual one."""
  frames, box = video()
  one = new('jax')
  one.init(frames[0], box)
  older = one.state()
  del older['search_size']
  two = new('jax')
  two.restore(older)
  assert two.state().keys() == one.state().keys()
  with pytest.raises(UserError, match='search_size is 255, not 207'):
    new('jax', search_size=207).restore(older)
