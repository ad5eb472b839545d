"""A network's idea of a target, against that of the given box."""

import dataclasses

import numpy as np
import pytest

from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.tracking import batch_tracker, correction
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.choice import Hyperparameters
from siamkpn_jax.tracking.correction import NONE, measure
from siamkpn_jax.tracking.crop import template_input
from siamkpn_jax.tracking.load import load_tracker
from tests.tracking.small import (
  CONFIG,
  new_tracker,
  small_network,
  video,
)
from tests.tracking.test_saved_state import engine, new, new_batch  # noqa: F401

BOX = (100, 60, 40, 50)
CORRECTED = dataclasses.replace(CONFIG, box_correction=0.7)


def bright(box):
  """A dark frame whose bright part is what `sees_bright` calls the target."""
  frame = np.full((200, 300, 3), 30, np.uint8)
  x, y, w, h = box
  frame[y:y + h, x:x + w] = 220
  return frame


def sees_bright(score):
  """A network that finds the bright part of a crop, with this score."""
  def look(crop, size):
    rows, columns = (np.flatnonzero((crop[..., 0] > 125).any(axis))
                     for axis in (1, 0))
    low = np.array([columns[0], rows[0]])
    high = np.array([columns[-1], rows[-1]]) + 1
    # A tracker moves its size by the score's part of the way.
    return (low + high) / 2, size + score * (high - low - size), score
  return look


def measured(look, frame, config=CORRECTED):
  return measure(look, frame, template_input(frame, BOX), config)


@pytest.mark.parametrize('strength', [0.3, 1.0])
@pytest.mark.parametrize('seen, shift, ratio', [
    (BOX, (0, 0), (1, 1)),
    ((104, 55, 40, 50), (0.1, -0.1), (1, 1)),
    ((96, 65, 48, 40), (0, 0), (1.2, 0.8)),
    ((95, 60, 30, 60), (-0.25, 0.1), (0.75, 1.2))])
def test_it_is_the_part_of_the_difference(seen, shift, ratio, strength):
  found = measured(sees_bright(0.8), bright(seen), dataclasses.replace(
      CONFIG, box_correction=strength))
  # Crop pixels are 0.7 of the frame's.
  np.testing.assert_allclose(found.shift, np.multiply(shift, strength),
                             atol=0.03)
  np.testing.assert_allclose(found.ratio, np.power(ratio, strength), rtol=0.02)


@pytest.mark.parametrize('score', [0.3, 0.9])
def test_the_given_box_comes_back(score):
  """In whole, whatever the score."""
  seen = 104, 55, 46, 44
  config = dataclasses.replace(CONFIG, box_correction=1.0)
  found = measured(sees_bright(score), bright(seen), config)
  x, y, w, h = seen
  center, size = found.corrected(np.array([x + w / 2, y + h / 2]),
                                 np.array([w, h]), (300, 200))
  np.testing.assert_allclose([*(center - size / 2), *size], BOX, atol=0.8)
  np.testing.assert_allclose(found.seen(size), (w, h), rtol=1e-6)


@pytest.mark.parametrize('look', [
    sees_bright(0.1),  # below the threshold
    lambda crop, size: (np.zeros(2), size, 0.9),  # something in a corner
    lambda crop, size: (np.full(2, CONFIG.search_size / 2), size * 3, 0.9),
    lambda crop, size: (np.full(2, np.nan), size, 0.9),
    lambda crop, size: (np.full(2, 127.5), size * np.nan, 0.9),
    lambda crop, size: (np.full(2, 127.5), -9 * size, 0.9),
    lambda crop, size: (np.full(2, 127.5), size, np.nan)])
def test_what_is_not_the_target_corrects_nothing(look):
  assert measured(look, bright((104, 60, 40, 50))) is NONE


def test_one_wrong_look_of_many_is_left_out():
  usual, count = sees_bright(0.8), iter(range(99))
  look = lambda crop, size: (
      (np.zeros(2), size, 0.9) if next(count) == 2 else usual(crop, size))
  frame = bright((104, 60, 40, 50))
  found, all_right = measured(look, frame), measured(usual, frame)
  np.testing.assert_allclose(found.shift, all_right.shift, atol=0.01)
  np.testing.assert_allclose(found.ratio, all_right.ratio, rtol=0.01)


def test_without_it_nothing_is_looked_at():
  def never(crop, size):
    raise AssertionError('looked')

  assert measured(never, bright(BOX), CONFIG) is NONE
  center, size = np.float32([31.7, 18.3]), np.float32([23.1, 77.9])
  assert NONE.seen(size).tobytes() == size.tobytes()
  same = NONE.corrected(center, size, (300, 200))
  assert [part.tobytes() for part in same] == [center.tobytes(),
                                               size.tobytes()]


def test_the_least_side_is_that_of_the_corrected_box(engine):  # noqa: F811
  """Not of what the network sees, which may be larger or smaller."""
  frames, box = video()
  tracker = new(engine)
  tracker.init(frames[0], box)
  state = tracker.state()
  state['size'] = np.float32([12, 12])
  state['size_lr'] = np.array(0.0)  # stays as it is
  for ratio in (0.5, 2.0):
    state['box_ratio'] = np.full(2, ratio, np.float32)
    tracker.restore(state)
    np.testing.assert_allclose(tracker.update(frames[1])[1][2:], 12, rtol=1e-5)


def test_a_corrected_box_stays_in_the_frame():
  found = measured(sees_bright(0.8), bright((104, 55, 40, 50)))
  for center in ([0, 0], [300, 200]):
    where, size = found.corrected(np.float32(center), np.float32([300, 2]),
                                  (300, 200))
    assert (where >= 0).all() and (where <= [300, 200]).all()
    assert size[0] <= 300 and size[1] == 10


@pytest.fixture
def believing(monkeypatch):
  """Whatever a random network says is measured."""
  monkeypatch.setattr(correction, '_MOST_SHIFT', 9)
  monkeypatch.setattr(correction, '_MOST_RATIO', 9)


@pytest.mark.usefixtures('believing')
def test_all_trackers_correct_alike(engine):  # noqa: F811
  """One target or a target of many, in either engine."""
  frames, box = video()
  alone = new_tracker(CORRECTED)
  alone.init(frames[0], box)
  one = new(engine, box_correction=0.7)
  one.init(frames[0], box)
  assert not np.allclose(one.state()['box_ratio'], 1)
  batches = [BatchTracker(*small_network(), CORRECTED, slots=3, **options)
             for options in ({}, {'share_crops': True})]
  targets = [batch.add(frames[0], box) for batch in batches]
  for frame in frames[1:]:
    _, expected = alone.update(frame)
    np.testing.assert_allclose(one.update(frame)[1], expected, atol=0.01)
    for batch, target in zip(batches, targets, strict=True):
      np.testing.assert_allclose(batch.update(frame)[target].box_xywh, expected,
                                 atol=0.01)


@pytest.mark.usefixtures('believing')
def test_a_state_keeps_it(engine):  # noqa: F811
  frames, box = video()
  usual = new(engine, box_correction=0.7)
  usual.init(frames[0], box)
  other = new(engine, box_correction=0.7)
  other.restore(usual.state())
  for frame in frames[1:]:
    np.testing.assert_array_equal(other.update(frame)[1],
                                  usual.update(frame)[1])


def test_a_state_from_before_has_none(engine):  # noqa: F811
  frames, box = video()
  usual = new(engine)
  usual.init(frames[0], box)
  older = {key: value for key, value in usual.state().items()
           if key not in ('box_shift', 'box_ratio')}
  other = new(engine)
  other.restore(older)
  np.testing.assert_array_equal(other.update(frames[1])[1],
                                usual.update(frames[1])[1])


@pytest.mark.parametrize('change', [(-8, -8, 16, 16), (6, 6, -12, -12)])
def test_boxes_stay_as_loose_as_the_first_one(change):
  """With the packaged weights: a box drawn too large, or too small."""
  scene = Scene(seed=8, index=1, size=(320, 240))
  frame, first = scene.render(0)
  loose = np.array(first) + change
  error = {}
  for strength in (0.0, 0.7):
    tracker = load_tracker(box_correction=strength)
    tracker.init(frame, loose)
    ratios = []
    for number in range(1, 11):
      image, box = scene.render(number)
      _, found = tracker.update(image)
      ratios.append(np.log(found[2:] / (np.array(box[2:]) + change[2:])))
    error[strength] = np.abs(np.mean(ratios))
  assert error[0.7] < 0.6 * error[0.0]


@pytest.mark.usefixtures('believing')
def test_hyperparameters_of_a_target_change_no_correction(engine):  # noqa: F811
  """So trials of a tuning share it, and engines agree."""
  frames, box = video()
  batch = new_batch(engine, box_correction=0.7)
  targets = [batch.add(frames[0], box, Hyperparameters(*numbers)) for numbers in
             ((0.1, 0.4, 0.6, 0.15), (0.0, 0.0, 1.0, 0.9))]
  first, second = (batch.state(target) for target in targets)
  assert not np.allclose(first['box_ratio'], 1)
  for name in ('box_shift', 'box_ratio'):
    np.testing.assert_array_equal(first[name], second[name])


def test_trials_share_the_looks(monkeypatch):
  frames, box = video()
  looked = []
  monkeypatch.setattr(batch_tracker, 'measure',
                      lambda *given: looked.append(given) or NONE)
  batch = BatchTracker(*small_network(), CORRECTED, slots=3, share_crops=True)
  for _ in range(3):
    batch.add(frames[0], box)
  assert len(looked) == 1
  batch.add(frames[0], np.array(box) + 1)
  assert len(looked) == 2


@pytest.mark.usefixtures('believing')
def test_a_batch_corrects_each_target_by_its_own_box():
  frames, (x, y, w, h) = video()
  boxes = [(x, y, w, h), (x - 6, y - 6, w + 12, h + 12)]
  batch = BatchTracker(*small_network(), CORRECTED, slots=2)
  targets = [batch.add(frames[0], one) for one in boxes]
  results = batch.update(frames[1])
  for target, one in zip(targets, boxes, strict=True):
    tracker = new_tracker(CORRECTED)
    tracker.init(frames[0], one)
    np.testing.assert_allclose(results[target].box_xywh,
                               tracker.update(frames[1])[1], atol=0.01)
