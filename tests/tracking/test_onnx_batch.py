"""Many targets in ONNX Runtime, beside one at a time and beside JAX."""

import dataclasses
import functools

import numpy as np
import pytest

from siamkpn_jax.config.files import load_config
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.run import load as run_load
from siamkpn_jax.tracking import load
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.choice import Hyperparameters
from siamkpn_jax.tracking.engines import wide
from siamkpn_jax.tracking.load import load_batch_tracker
from tests.optional import import_or_skip
from tests.tracking.small import CONFIG, small_network, video

for name in ('onnx', 'onnxruntime'):
  import_or_skip(name, 'siamkpn_jax/tracking/onnx needs it')

from siamkpn_jax.tracking.onnx import (  # noqa: E402
  batch_tracker,
  kept,
  serialized,
  tracker,
)

FRAMES = 5


@functools.cache
def network():
  return serialized.serialize(*small_network())


@functools.cache
def videos():
  """Three scenes of several sizes: frames, and the first box."""
  return [video(k, (160 - 8 * k, 120 - 4 * k)) for k in range(3)]


@functools.cache
def alone(k, config=CONFIG):
  """[FRAMES - 1, 4] boxes and found of a tracker of one target."""
  frames, box = videos()[k]
  one = tracker.OnnxTracker(network(), config, threads=1)
  one.init(frames[0], box)
  found, boxes = zip(*(one.update(f) for f in frames[1:FRAMES]), strict=True)
  return np.array(boxes), found


def batch(slots):
  return batch_tracker.OnnxBatchTracker(network(), CONFIG, slots=slots)


def test_boxes_are_those_of_one_at_a_time():
  """In several videos; a target's number is given to the next one."""
  many = batch(4)
  frames, box = videos()[0]
  other = many.add(frames[0], box)
  targets = [many.add(videos()[0][0][0], box)]
  many.remove(other)
  targets += [many.add(videos()[k][0][0], videos()[k][1]) for k in (1, 2)]
  assert other in targets and set(many.targets) == set(targets)
  for i in range(1, FRAMES):
    found = many.update({t: videos()[k][0][i] for k, t in enumerate(targets)})
    for k, target in enumerate(targets):
      boxes, was_found = alone(k)
      np.testing.assert_allclose(found[target].box_xywh, boxes[i - 1],
                                 atol=0.01)
      assert found[target].found is bool(was_found[i - 1])
      assert 0 < found[target].score < 1
  assert many.crops_seen == 3 * (FRAMES - 1) and many.slots == 4
  assert np.abs(alone(0)[0][-1] - alone(0)[0][0]).max() > 1


def test_boxes_are_those_of_jax():
  """Several targets in one video, more than were expected."""
  frames, box = videos()[0]
  both = batch(1), BatchTracker(*small_network(), CONFIG, slots=1)
  for many in both:
    assert [many.add(frames[0], np.add(box, [3 * k, k, 0, 0]))
            for k in range(3)] == [0, 1, 2]
    assert many.slots == 4
  for frame in frames[1:FRAMES]:
    ours, jax = (many.update(frame) for many in both)
    assert ours.keys() == jax.keys() == {0, 1, 2}
    for target, result in ours.items():
      np.testing.assert_allclose(
          result.box_xywh, jax[target].box_xywh, atol=0.05)
      assert result.score == pytest.approx(jax[target].score, abs=1e-4)
  ours, jax = both
  np.testing.assert_allclose(
      ours.heatmaps(1), jax.heatmaps(1), atol=1e-4)
  assert ours.search_crop(1).shape == jax.search_crop(1).shape
  np.testing.assert_allclose(ours.search_window(2)[0], jax.search_window(2)[0],
                             atol=0.05)


def test_hyperparameters_of_each():
  frames, box = videos()[1]
  own = {'penalty_k': 0.0, 'window_influence': 0.0, 'size_lr': 0.9,
         'threshold': 0.5}
  many = batch(2)
  plain = many.add(frames[0], box)
  other = many.add(frames[0], box,
                   Hyperparameters(*map(np.float32, own.values())))
  with pytest.raises(UserError, match='size_lr'):
    many.add(frames[0], box, Hyperparameters(0.1, 0.1, 7.0, 0.1))
  assert list(many.targets) == [plain, other]
  for frame in frames[1:FRAMES]:
    found = many.update(frame)
  np.testing.assert_allclose(found[plain].box_xywh, alone(1)[0][-1], atol=0.01)
  np.testing.assert_allclose(
      found[other].box_xywh,
      alone(1, dataclasses.replace(CONFIG, **own))[0][-1], atol=0.01)
  assert np.abs(found[plain].box_xywh - found[other].box_xywh).max() > 1


def test_what_is_refused_changes_nothing():
  """A frame that is none moves no target, neither does an unknown one."""
  frames, box = videos()[0]
  many = batch(2)
  a, b = (many.add(frames[0], box) for _ in range(2))
  assert many.search_crop(a) is None and many.heatmaps(a).shape[0] == 0
  for bad in (None, {a: frames[1], b: None}, [frames[1]],
              {a: frames[1], b: frames[1].astype(np.float32)}):
    with pytest.raises(ValueError, match='frame'):
      many.update(bad)
  message = f'target 7 is not tracked; expected .* returned: {a}, {b}'
  for what in (lambda: many.update({a: frames[1], 7: frames[1]}),
               lambda: many.add(frames[0], box, replace=7),
               lambda: many.remove(7), lambda: many.heatmaps(7),
               lambda: many.search_crop(7), lambda: many.search_window(7)):
    with pytest.raises(KeyError, match=message):
      what()
  with pytest.raises(UserError, match='outside'):
    many.add(frames[0], [999, 0, 5, 5], replace=b)
  assert many.crops_seen == 0
  found = many.update(frames[1])
  for target in (a, b):
    np.testing.assert_allclose(found[target].box_xywh, alone(0)[0][0],
                               atol=0.01)
  assert many.add(frames[0], np.add(box, [5, 5, 0, 0]), replace=b) == b
  assert many.search_window(b)[0] == pytest.approx(
      np.add(box, [5, 5, 0, 0])[:2] + (box[2:] - 1) / 2, abs=0.01)
  with pytest.raises(ValueError, match='slots=0: expected 1 or more'):
    batch(0)


def test_in_an_evaluation(monkeypatch):
  """The engine is chosen by name, and belongs to what decides about boxes."""
  model, variables = small_network()
  monkeypatch.setattr(run_load, 'load_model', lambda path: (
      Config(), variables))
  monkeypatch.setattr(run_load, 'build_model', lambda config: model)
  many, details = run_load.load_for_sequences(
      'w', [10] * 8, batch=4, engine='onnxruntime')
  assert isinstance(many, batch_tracker.OnnxBatchTracker) and many.slots == 4
  assert details.pop('engine') == 'onnxruntime'
  ours, plain = run_load.load_for_sequences('w', [10] * 8, batch=4)
  assert isinstance(ours, BatchTracker) and plain == details
  lasting, _ = run_load.load_for_sequences(
      'w', [10], engine='onnxruntime', long_term=True)
  assert lasting._judge.rule and many._judge.rule is None
  with pytest.raises(UserError, match="engine 'auto'; expected one of jax, on"):
    run_load.load_for_sequences('w', [10], engine='auto')
  def unknown(model, variables, search_size):
    raise NotImplementedError('fft: no translation')
  monkeypatch.setattr(kept, 'serialize', unknown)
  with pytest.raises(UserError, match=r"fft: no translation; or .*'jax'"):
    run_load.load_for_sequences('w', [10], engine='onnxruntime')


def test_threads(monkeypatch):
  """A core for each target; none waits actively while others compute."""
  monkeypatch.setattr(batch_tracker, 'cores', lambda: 4)
  frames, box = videos()[0]
  threads = []
  for slots in (1, 2, 3, 8):
    many = batch(slots)
    target = many.add(frames[0], box)
    options = many._trackers[target]._session.get_session_options()
    threads.append(options.intra_op_num_threads)
    assert options.get_session_config_entry(
        'session.force_spinning_stop') == '1'
  assert threads == [4, 2, 1, 1]


def test_engines(monkeypatch):
  """As for one target, but wide networks stay in JAX in any precision."""
  onnx = batch_tracker.OnnxBatchTracker
  assert isinstance(load_batch_tracker(slots=2), onnx)
  assert isinstance(load_batch_tracker(every_stage=True), BatchTracker)
  with pytest.raises(UserError, match="engine 'tpu'; expected one of auto, "):
    load_batch_tracker(engine='tpu')
  many = load_batch_tracker(engine='onnxruntime', penalty_k=0.25)
  assert many._config.penalty_k == 0.25
  assert not wide(load_config('kpn3s_nano').model)
  assert wide(load_config('kpn3s', ['model.dtype=bfloat16']).model)
  with monkeypatch.context() as patch:
    patch.setattr(load, 'wide', lambda model: True)
    assert isinstance(load_batch_tracker(), BatchTracker)
    assert isinstance(load_batch_tracker(engine='onnxruntime'), onnx)
