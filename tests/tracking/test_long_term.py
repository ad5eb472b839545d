"""Lost and found: the rule by itself, and in every tracker."""

import dataclasses

import numpy as np
import pytest

from siamkpn_jax.checkpoints.packaged import packaged_weights
from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.datasets.synthetic import split_seed
from siamkpn_jax.datasets.synthetic.scene import Scene
from siamkpn_jax.tracking.choice import DecodeConfig
from siamkpn_jax.tracking.confidence import Calibration, calibration_of
from siamkpn_jax.tracking.load import (
    judge_of,
    load_batch_tracker,
    load_tracker,
)
from siamkpn_jax.tracking.long_term import (
    BELIEVING,
    Judge,
    Memory,
    Rule,
    places,
    step,
)
from tests.optional import needs_onnx

RULE = Rule(low=0.3, high=0.7, patience=3, proof=2, most=24)
FRAME = (320, 240)
HOME = np.array([100, 80], np.float32)
SIZE = np.array([30, 40], np.float32)
AWAY = np.array([250, 200], np.float32)
OTHER = np.array([36, 50], np.float32)


def play(confidences, memory=None, center=AWAY, size=OTHER, frame=FRAME):
  """The memories, centers and sizes after each."""
  memory = memory or Memory(HOME, SIZE)
  steps = []
  for confidence in confidences:
    memory, *box = step(memory, center, size, confidence, frame, RULE)
    steps.append((memory, *box))
  return steps


@pytest.mark.parametrize(('confidences', 'lost'), [
    ([0.1, 0.1], [0, 0]), ([0.1, 0.1, 0.1], [0, 0, 1]),
    ([0.1, 0.1, 0.5, 0.1, 0.1, 0.1], [0, 0, 0, 0, 0, 1]),
    ([0.3] * 9, [0] * 9),  # not below
    ([0.1, 0.1, 0.9, 0.1, 0.1], [0] * 5)])
def test_lost_after_low_frames_in_a_row(confidences, lost):
  assert [m.lost for m, *_ in play(confidences)] == [bool(x) for x in lost]


def test_the_box_goes_back_to_where_it_was_seen_for_sure():
  steps = play([0.9, 0.5, 0.1, 0.1])
  for _, center, size in steps:  # as the network says until then
    np.testing.assert_array_equal(center, AWAY)
    np.testing.assert_array_equal(size, OTHER)
  memory, center, size = play([0.5, 0.1, 0.1, 0.1, 0.5, 0.2])[-1]
  assert memory.lost
  np.testing.assert_array_equal(center, HOME)
  np.testing.assert_array_equal(size, SIZE)


LOST = play([0.1] * 3)[-1][0]


@pytest.mark.parametrize(('confidences', 'lost'), [
    ([0.9, 0.9], [1, 0]), ([0.9, 0.6, 0.9], [1, 1, 1]), ([0.69] * 4, [1] * 4),
    ([0.1, 0.9, 0.9], [1, 1, 0])])
def test_found_after_high_frames_in_a_row(confidences, lost):
  assert [m.lost for m, *_ in play(confidences, LOST)] == [
      bool(x) for x in lost]


def test_what_is_found_is_looked_at_and_then_followed():
  (first, center, size), (found, *box) = play([0.9, 0.9], LOST)
  np.testing.assert_array_equal(center, AWAY)  # looked at,
  np.testing.assert_array_equal(size, SIZE)  # but not believed yet
  np.testing.assert_array_equal(first.window(center, size)[0], AWAY)
  for one, other in zip(box, (AWAY, OTHER), strict=True):
    np.testing.assert_array_equal(one, other)
  assert dataclasses.astuple(found)[2:] == dataclasses.astuple(
      Memory(AWAY, OTHER))[2:]  # as at the start
  memory, center, _ = play([0.9, 0.1], LOST)[-1]
  np.testing.assert_array_equal(center, HOME)  # it was nothing
  assert memory.lost and memory.count == 0


def test_a_region_larger_than_usual_proves_nothing():
  far = dataclasses.replace(LOST, zoom=1.5)
  assert [m.lost for m, *_ in play([0.9] * 3, far)] == [True, True, False]


def test_looks_further_after_some_low_frames():
  """As far as training did, without a larger crop."""
  usual = 207 / play([0.5])[-1][0].window(HOME, SIZE)[1]
  rule = dataclasses.replace(RULE, search_size=207, doubt=2)
  memory = Memory(HOME, SIZE)
  for confidence, side in ((0.5, 207), (0.29, 207), (0.1, 255), (0.3, 207),
                           (0.1, 207), (0.2, 255), (0.9, 207)):
    memory, center, size = step(memory, HOME, SIZE, confidence, FRAME, rule)
    _, scale = memory.window(center, size)
    assert 207 / scale == pytest.approx(usual * side / 207)
    assert memory.place is None and not memory.lost


@pytest.mark.parametrize('side', [255, 303])
def test_does_not_look_further_than_training_did(side):
  rule = dataclasses.replace(RULE, search_size=side, doubt=1)
  assert step(Memory(HOME, SIZE), HOME, SIZE, 0.1, FRAME, rule)[0].zoom == 1


def test_the_search_grows():
  """One place, then twice as many in every round, and all in the end."""
  side = 255 / Memory(HOME, SIZE).window(HOME, SIZE)[1]
  centers, zoom = places(HOME, side, FRAME, RULE)
  assert len(centers) > 4 and zoom == 1
  assert (np.diff(np.linalg.norm(centers - HOME, axis=1)) >= 0).all()
  memory, seen = LOST, [LOST]
  for _ in range(200):
    memory, *_ = step(memory, AWAY, OTHER, 0.1, FRAME, RULE)
    seen.append(memory)
  assert [m.zoom for m in seen[::2]][:4] == [1, 1.6, 1, 1.6]
  for m in seen[::2]:
    np.testing.assert_array_equal(m.place, HOME)
  away = [centers.tolist().index(m.place.tolist()) for m in seen[1::2]]
  assert away[:7] == [0, 0, 1, 0, 1, 2, 3]
  assert set(away) == set(range(len(centers)))
  assert {m.zoom for m in seen[1::2]} == {1}


@pytest.mark.parametrize('frame', [(320, 240), (1920, 1080), (100, 900),
                                   (50, 40), (16000, 20)])
@pytest.mark.parametrize('side', [30.0, 200.0, 3000.0])
def test_places_cover_the_frame(frame, side):
  """A target is whole in one of them, wherever it is."""
  centers, zoom = places(np.zeros(2, np.float32), side, frame, RULE)
  assert 1 <= len(centers) <= RULE.most
  assert zoom >= 1
  assert (zoom == 1) or side < max(frame)
  x, y = np.meshgrid(np.linspace(0, frame[0], 33), np.linspace(0, frame[1], 33))
  points = np.stack([x.ravel(), y.ravel()], axis=1)
  apart = np.abs(points[:, None] - centers).max(axis=2).min(axis=1)
  assert apart.max() <= side * zoom / 2 + 1e-3
  assert (centers >= 0).all() and (centers <= frame).all()


@pytest.mark.parametrize('frame', [(60, 50), (8, 200)])
def test_the_box_stays_inside_a_frame_that_shrinks(frame):
  memory, center, size = play([0.1], LOST, frame=frame)[-1]
  assert (center <= frame).all() and (size <= frame).all()
  np.testing.assert_array_equal(memory.center, center)
  _, _, size = play([0.9], LOST, frame=frame)[-1]
  assert (size <= frame).all()


def test_settings_of_a_search():
  """The window would keep a lost target where it was."""
  usual = DecodeConfig(0.1, 0.5, 0.4)
  assert Memory(HOME, SIZE).settings(usual) is usual
  lost = LOST.settings(usual)
  assert lost == dataclasses.replace(usual, window_influence=0)


def test_judges():
  calibrated = Judge(Calibration(10, 0.5), RULE)
  memory = Memory(HOME, SIZE)
  assert calibrated.confidence(memory, 0.5) == 0.5
  assert calibrated.confidence(LOST, 1.0) < RULE.low
  assert Judge(Calibration(10, 0.5)).confidence(LOST, 0.5) == 0.5
  assert Judge(None, RULE).confidence(memory, 0.9) is None
  # Without a rule: as the network says.
  assert BELIEVING.settle(memory, AWAY, OTHER, 0.0, 0.15, FRAME) == (
      memory, AWAY, OTHER)
  assert BELIEVING.found(memory, 0.16, 0.15)
  assert not BELIEVING.found(memory, 0.15, 0.15)


def test_uncalibrated_weights_go_by_the_threshold():
  judge, memory = Judge(None, RULE), Memory(HOME, SIZE)
  states = []
  for score in [0.2, 0.1, 0.1, 0.1, 0.2, 0.2]:
    memory, *_ = judge.settle(memory, AWAY, OTHER, score, 0.15, FRAME)
    states.append(judge.found(memory, score, 0.15))
  assert states == [True, True, True, False, False, True]


@pytest.fixture(scope='module')
def absence():
  """A target that is away in frames 10..24, and elsewhere after that."""
  scene = Scene(split_seed('val', 0), 6, size=(200, 150), length=40,
                distractors=0)
  frames = [scene.render(t)[0] for t in range(40)]
  empty = np.full_like(frames[0], 90)
  return [empty if 10 <= t < 25 else frame
          for t, frame in enumerate(frames)], [
              scene.box(t) for t in range(40)]


def states(tracker, frames, box):
  """(found, box, confidence) of every frame after the first."""
  tracker.init(frames[0], box)
  found = []
  for frame in frames[1:]:
    found.append((*tracker.update(frame), tracker.confidence))
  return found


@pytest.fixture(scope='module')
def onnx_way(absence):
  frames, boxes = absence
  needs_onnx()
  return states(load_tracker(engine='onnxruntime', long_term=True), frames,
                boxes[0])


def test_lost_and_found(absence, onnx_way):
  """In a picture without the target it is lost, and then found again."""
  _, boxes = absence
  found = [one[0] for one in onnx_way]
  assert all(found[:9])
  assert not any(found[18:24])
  assert all(found[32:])
  assert iou_xywh(onnx_way[-1][1], boxes[-1]) > 0.5
  away = onnx_way[20:24]
  for _, box, confidence in away:
    np.testing.assert_array_equal(box, away[0][1])
    assert confidence < Rule().low
  assert onnx_way[5][2] > Rule().high


def test_engines_and_batches_agree(absence, onnx_way):
  frames, boxes = absence
  single = states(load_tracker(engine='jax', long_term=True), frames, boxes[0])
  batch = load_batch_tracker(slots=2, long_term=True)
  target = batch.add(frames[0], boxes[0])
  batch.add(frames[0], boxes[0])
  for frame, one, other in zip(frames[1:], single, onnx_way, strict=True):
    found = batch.update(frame)[target]
    assert found.found == one[0] == other[0]
    assert found.state == ('tracked' if found.found else 'lost')
    np.testing.assert_allclose(found.box_xywh, one[1], atol=0.05)
    np.testing.assert_allclose(other[1], one[1], atol=0.05)
    assert found.confidence == pytest.approx(one[2], abs=1e-3)
    assert other[2] == pytest.approx(one[2], abs=1e-3)


def test_a_new_target_is_not_lost(absence):
  """Nothing is left of the one before."""
  frames, boxes = absence
  tracker = load_tracker(engine='jax', long_term=True)
  states(tracker, frames[:20], boxes[0])
  tracker.init(frames[30], boxes[30])
  np.testing.assert_allclose(
      tracker.search_window()[0], boxes[30][:2] + (boxes[30][2:] - 1) / 2)
  assert tracker.confidence is None
  assert tracker.update(frames[31])[0]


def test_a_calibration_is_that_of_the_content(tmp_path):
  """Whatever the file's name; other weights have none."""
  (packaged,) = packaged_weights().values()
  content = packaged.read_bytes()
  known = calibration_of(packaged, 207)
  assert known and known(0.0) < 0.1 < 0.9 < known(1.0)
  copy = tmp_path / 'copy.safetensors'
  copy.write_bytes(content)
  assert calibration_of(copy, 207) == known
  assert calibration_of(packaged, 191) == known
  assert calibration_of(packaged, 239) == calibration_of(packaged, 255) != known
  in_int8 = calibration_of(packaged, 207, 'int8')
  assert in_int8 and in_int8 != known
  assert calibration_of(packaged, 207, 'float16') is None
  for precision, curve in (('float32', known), ('int8', in_int8)):
    decoding = DecodeConfig(0.1, 0.3, 0.3, search_size=207)
    assert judge_of(packaged, decoding, precision).calibration == curve
  copy.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
  assert calibration_of(copy, 207) is None
  assert calibration_of(tmp_path, 207) is None
  assert calibration_of(tmp_path / 'missing', 207) is None
