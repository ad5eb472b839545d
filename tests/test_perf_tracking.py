"""Scripts of perf/ that track: what they compare, and how they tell it."""

import dataclasses
import json
import types

import numpy as np
import pytest

from perf import networks, overhead, targets, torch_frame, turns
from perf.inputs import video
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.tracker import Tracker
from tests.optional import import_or_skip
from tests.tracking.small import CONFIG, small_network

# As the packaged weights have it: `init` looks at the first frame, too.
CORRECTING = dataclasses.replace(CONFIG, box_correction=0.5)


class Still:
  """A tracker of one target that does not move but by `shift`."""

  def __init__(self, shift=0.0):
    self.shift, self.frames = shift, 0

  score = 1.0

  def init(self, frame, box_xywh):
    self.box = np.add(box_xywh, [self.shift, 0, 0, 0])

  def update(self, frame):
    self.frames += 1
    return True, self.box


class StillOnes:
  """A batch tracker of such targets."""

  def __init__(self):
    self.boxes, self.frames = [], 0

  def add(self, frame, box_xywh):
    self.boxes.append(box_xywh)
    return len(self.boxes) - 1

  def update(self, frame):
    self.frames += 1
    return {n: types.SimpleNamespace(box_xywh=box)
            for n, box in enumerate(self.boxes)}


def arguments(**others):
  return types.SimpleNamespace(**{
      'config': None, 'weights': None, 'targets': 3, 'frames': 2, 'rounds': 4,
      'threads': 0, 'json': None} | others)


def test_summary_and_tables():
  result = turns.summarize({'a': [0.002, 0.004, 0.008], 'b': [0.001] * 3},
                           [('a', 'b')])
  assert result['ms']['a'] == pytest.approx({'median': 4, 'low': 3, 'high': 6})
  assert result['ratios'] == {'a / b': pytest.approx(
      {'median': 4, 'low': 3, 'high': 6})}
  text = turns.report(result, 'ms per frame')
  assert '|  | ms per frame | quartiles |' in text
  assert '| a | 4.00 | 3.00 to 6.00 |' in text
  assert '| a / b | 4.000 | 3.000 to 6.000 |' in text
  assert turns.ratio([2, 4, 8], [1, 1, 1]) == (
      '4.000 (quartiles 3.000 to 6.000)')


def test_targets_in_turns(tmp_path, monkeypatch, capsys):
  """The same targets and frames for both; one alone beside them."""
  many, ones = StillOnes(), [Still() for _ in range(3)]
  monkeypatch.setattr(targets, '_trackers', lambda args: {'jax': (many, ones)})
  path = tmp_path / 'targets.json'
  targets.run(arguments(json=str(path)))
  assert len({tuple(box) for box in many.boxes}) == 3
  np.testing.assert_array_equal(many.boxes, [one.box for one in ones])
  first = 5
  assert many.frames == ones[1].frames == first + 4 * 2
  assert ones[0].frames == first + 2 * 4 * 2
  found = json.loads(path.read_text())
  assert set(found['ratios']) == {'JAX, separate / JAX, together',
                                  'JAX, together / JAX, one target'}
  assert found['targets'] == 3 and found['largest_difference'] == 0
  assert 'ms per frame of 3 targets' in capsys.readouterr().out


@pytest.mark.parametrize('shift', [0.5, np.nan])
def test_other_boxes_are_told(monkeypatch, shift):
  monkeypatch.setattr(targets, '_trackers', lambda args: {
      'jax': (StillOnes(), [Still(), Still(), Still(shift)])})
  with pytest.raises(UserError, match='differ by (0.5|inf) pixels'):
    targets.run(arguments())


def test_the_program_follows_a_decoded_video():
  tracker = Still()
  way = overhead._program(tracker, 4)
  assert way() > 0 and tracker.frames == 2 * (4 + 1)  # and one of `init`
  np.testing.assert_array_equal(tracker.box, video()[1])


def test_timed(monkeypatch):
  """The mean of the calls that count."""
  clock, calls = iter([10.0, 16.0]), []
  monkeypatch.setattr(turns.time, 'perf_counter', lambda: next(clock))
  assert turns.timed(lambda: calls.append(1), 3, before=2) == 2
  assert len(calls) == 2 + 3


@pytest.mark.parametrize('engine', ['jax', 'onnxruntime'])
def test_the_network_is_timed_within_the_program(engine):
  """Every frame but those that are not counted, in every turn."""
  if engine == 'jax':
    tracker = Tracker(*small_network(), CORRECTING)
    clock = overhead._time_jax(tracker, 3)
  else:
    for name in ('onnx', 'onnxruntime'):
      import_or_skip(name, 'an engine')
    from siamkpn_jax.tracking.onnx import serialized
    from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
    tracker = OnnxTracker(
        serialized.serialize(*small_network()), CORRECTING, threads=1)
    clock = overhead._time_onnx(tracker, 3)
  way = overhead._program(tracker, 3)
  seconds = way()
  assert 0 < clock.mean() < seconds and len(clock._seconds) == 3


def test_bfloat16_needs_instructions(tmp_path, monkeypatch, capsys):
  """Elsewhere nothing is measured, and that is said."""
  path = tmp_path / 'cpuinfo'
  path.write_text('flags : sse avx512f avx512_bf16 avx2\nbugs : amx_bf16x\n')
  assert torch_frame.bfloat16_by(path) == ['avx512_bf16']
  path.write_text('flags : sse avx512f\n')
  assert torch_frame.bfloat16_by(path) == []
  monkeypatch.setattr(torch_frame, 'bfloat16_by', lambda: [])
  monkeypatch.setattr(torch_frame.networks, 'load', lambda args: 1 / 0)
  torch_frame.run(arguments(dtype='bfloat16', anyway=False))
  assert 'left out: this processor has no instr' in capsys.readouterr().out
  with pytest.raises(ZeroDivisionError):
    torch_frame.run(arguments(dtype='bfloat16', anyway=True))


def test_weights_or_a_configuration():
  with pytest.raises(UserError, match='leave --weights out, or --config'):
    networks.load(arguments(config='a.py', weights='b'))


@pytest.mark.parametrize('engine', ['jax', 'onnxruntime'])
def test_a_tracker_without_its_network(engine):
  """It asks for what the network found before, and for nothing new."""
  if engine == 'jax':
    tracker = Tracker(*small_network(), CORRECTING)
    step = overhead._jax_idle(tracker)
    before = tracker._batch.heatmaps(0)
  else:
    for name in ('onnx', 'onnxruntime'):
      import_or_skip(name, 'an engine')
    from siamkpn_jax.tracking.onnx import serialized
    from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
    tracker = OnnxTracker(
        serialized.serialize(*small_network()), CORRECTING, threads=1)
    step = overhead._onnx_idle(tracker)
    step()
    before = tracker.heatmaps
  assert len(step()) == 2 and before.shape == (1, 31, 31)
  np.testing.assert_array_equal(tracker.heatmaps, before)
