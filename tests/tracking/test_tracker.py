"""A whole run of the tracker against the float64 reference (SPEC 8)."""

import dataclasses
import functools

import cv2
import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.load import decode_config, load_tracker
from siamkpn_jax.tracking.tracker import Tracker
from siamkpn_jax.training.state import TrainState, to_items
from tests.reference import tracking as reference
from tests.tracking.small import (
  CONFIG,
  FRAMES,
  SMALL,
  compiled_programs,
  new_tracker,
  predict,
  run,
  small_network,
  video,
)


def reference_tracker(values=reference.SETTINGS):
  return reference.Tracker(
      functools.partial(predict, *small_network()), values)


@pytest.mark.parametrize(('index', 'changes'), [
    (0, {}), (1, {'window_influence': 0.1, 'size_lr': 0.9}),
    (2, {'penalty_k': 0.6, 'topk_min': 1, 'topk_max': 64})])
def test_equals_reference_frame_by_frame(index, changes):
  """Boxes within 0.05 pixels, the crops bit for bit."""
  frames, box = video(index)
  values = reference.SETTINGS | changes
  ours = new_tracker(DecodeConfig(**values))
  expected = reference_tracker(values)
  ours.init(frames[0], box)
  expected.init(frames[0], box)
  boxes = []
  for frame in frames[1:]:
    found, actual = ours.update(frame)
    boxes.append(expected.update(frame))
    np.testing.assert_array_equal(ours.search_crop, expected.search_crop)
    np.testing.assert_allclose(actual, boxes[-1], atol=0.05)
    assert ours.score == pytest.approx(expected.score, abs=1e-4)
    assert found is (ours.score > 0.15)
    assert actual.shape == (4,) and actual.dtype == np.float64
  # The run is not trivial: position and size change in every frame.
  assert (np.abs(np.diff(boxes, axis=0)).max(axis=1) > 1).all()
  assert np.ptp(np.array(boxes)[:, 2:], axis=0).max() > 1


@pytest.mark.parametrize('box', [
    (0, 0, 40, 30), (130, 95, 60, 50), (-20, -10, 50, 40), (70, 50, 2, 3),
    (0, 0, 160, 120), (-70, -60, 310, 235), (40.5, 30.25, 51.5, 20.75)])
def test_equals_reference_at_the_border(box):
  """Boxes over the border, tiny and huge: clamped to the frame and to 10."""
  frames, _ = video()
  expected = reference_tracker()
  expected.init(frames[0], box)
  wanted = [expected.update(frame) for frame in frames[1:4]]
  actual = run(new_tracker(), frames[:4], box)
  np.testing.assert_allclose(actual, wanted, atol=0.05)
  center = actual[:, :2] + actual[:, 2:] / 2
  assert (center > -1e-3).all() and (center < (160.001, 120.001)).all()
  assert (actual[:, 2:] >= 10).all() and (actual[:, 2:] <= (160, 120)).all()


@pytest.mark.parametrize(('box', 'message'), [
    ((200, 10, 20, 20), 'outside the 160x120 frame'),
    ((10, 10, 0, 20), 'must be positive'),
    ((10, 10, 20, -1), 'must be positive'),
    ((10, 10, float('nan'), 20), 'four finite numbers'),
    ((10, 10, 20), 'four finite numbers')])
def test_bad_box(box, message):
  frames, good = video()
  tracker = new_tracker()
  with pytest.raises(UserError, match=message):
    tracker.init(frames[0], box)
  with pytest.raises(RuntimeError):
    tracker.update(frames[1])
  # A bad box does not spoil a tracker that has a target.
  expected = run(tracker, frames, good)
  tracker.init(frames[0], good)
  with pytest.raises(UserError, match=message):
    tracker.init(frames[0], box)
  for frame, wanted in zip(frames[1:], expected, strict=True):
    np.testing.assert_array_equal(tracker.update(frame)[1], wanted)


@pytest.mark.parametrize('method', ['update', 'search_window'])
def test_no_target_yet(method):
  args = [video()[0][0]] if method == 'update' else []
  with pytest.raises(RuntimeError, match='call init first'):
    getattr(new_tracker(), method)(*args)


class PillowImage:
  """Stands in for what `PIL.Image.open` returns."""

  __module__ = 'PIL.JpegImagePlugin'


GRAY = np.zeros((48, 64), np.uint8)
NO_FRAMES = {
    'None': (None, '^frame is None; .*VideoCapture.read return None'),
    'list': ([[1, 2]], '^frame is a list; expected a NumPy array'),
    'name': ('a.jpg', '^frame is a str; expected a NumPy array'),
    'UMat': (cv2.UMat(GRAY), r'^frame is a UMat; .*frame\.get\(\)'),
    'Pillow': (PillowImage(), r"^frame is a PillowImage; .*convert\('RGB'\)"),
    'empty': (np.zeros((0, 0, 3), np.uint8), r'shape \(0, 0, 3\).*no pixels'),
    'no rows': (np.zeros((0, 64, 3), np.uint8), r'shape \(0, 64, 3\)'),
    'no columns': (np.zeros((48, 0, 3), np.uint8), r'shape \(48, 0, 3\)'),
    'alpha': (np.zeros((48, 64, 4), np.uint8), 'COLOR_BGRA2BGR'),
    'two channels': (np.zeros((48, 64, 2), np.uint8), r'\(48, 64, 2\)'),
    'batch': (np.zeros((1, 48, 64, 3), np.uint8), r'\(1, 48, 64, 3\)'),
    'channels first': (np.zeros((3, 48, 64), np.uint8), r'\(3, 48, 64\)'),
    '16 bits': (np.zeros((48, 64, 3), np.uint16), 'uint16.*0..255'),
    'gray, 16 bits': (GRAY.astype(np.uint16), 'uint16.*0..255'),
    'floats 0..255': (np.full((48, 64, 3), 99.0),
                      'float64 with values from 99 to 99; .*astype'),
    'floats below 0': (np.full((48, 64), -0.1, np.float32), 'from -0.1'),
    'nan': (np.full((48, 64, 3), np.nan), 'from nan to nan; .*0..1'),
    'bools': (np.zeros((48, 64, 3), bool), 'bool'),
    'objects': (np.full((48, 64, 3), None), 'object'),
    'scalar': (np.uint8(3), 'frame is a uint8')}


@functools.cache
def steady():
  """A tracker of each kind with the target of `video`, and its next box."""
  frames, box = video()
  one, batch = new_tracker(), BatchTracker(*small_network(), CONFIG)
  one.init(frames[0], box)
  batch.add(frames[0], box)
  return one, batch


@pytest.mark.parametrize('name', NO_FRAMES)
def test_what_is_no_frame(name):
  """It is refused with what came, and the target is kept."""
  frame, message = NO_FRAMES[name]
  one, batch = steady()
  before = one.search_window(), batch.search_window(0)
  kind = ValueError if isinstance(frame, np.ndarray) else TypeError
  calls = [lambda: one.init(frame, (1, 2, 30, 40)), lambda: one.update(frame),
           lambda: batch.add(frame, (1, 2, 30, 40)),
           lambda: batch.update({0: frame})]
  if not isinstance(frame, dict):
    calls.append(lambda: batch.update(frame))
  for call in calls:
    with pytest.raises(ValueError, match=message) as caught:
      call()
    assert isinstance(caught.value, kind)
  after = one.search_window(), batch.search_window(0)
  np.testing.assert_equal(after, before)
  assert batch.targets == {0}


def test_a_tracker_goes_on_after_what_is_no_frame():
  frames, box = video()
  expected = run(new_tracker(), frames, box)
  tracker = new_tracker()
  tracker.init(frames[0], box)
  for frame, wanted in zip(frames[1:], expected, strict=True):
    for bad in (None, np.zeros((0, 0, 3), np.uint8)):
      with pytest.raises(ValueError, match='frame'):
        tracker.update(bad)
    np.testing.assert_array_equal(tracker.update(frame)[1], wanted)


def test_init_takes_a_new_target():
  frames, box = video()
  tracker = new_tracker()
  run(tracker, frames, (5, 5, 30, 60))
  np.testing.assert_array_equal(
      run(tracker, frames, box), run(new_tracker(), frames, box))


def test_score_and_heatmaps():
  frames, box = video()
  tracker = new_tracker(every_stage=True)
  assert tracker.heatmaps.shape == (0, 31, 31) and tracker.score == 0
  run(tracker, frames[:2], box)
  assert isinstance(tracker.score, float) and 0 < tracker.score < 1
  assert tracker.heatmaps.shape == (2, 31, 31)
  last = new_tracker()
  run(last, frames[:2], box)
  np.testing.assert_allclose(last.heatmaps, tracker.heatmaps[-1:], atol=1e-6)
  assert isinstance(tracker.heatmaps, np.ndarray)
  assert ((tracker.heatmaps >= 0) & (tracker.heatmaps <= 1)).all()
  assert np.isclose(tracker.heatmaps[-1], tracker.score, atol=1e-7).any()
  assert tracker.search_crop.shape == (255, 255, 3)
  assert tracker.search_crop.dtype == np.uint8


def test_search_window():
  """Where the next update looks: around the box, context side to 127."""
  frames, _ = video()
  tracker = new_tracker()
  tracker.init(frames[0], (20, 30, 41, 21))
  center, scale = tracker.search_window()
  np.testing.assert_array_equal(center, [40, 40])
  assert scale == pytest.approx(127 / np.sqrt((41 + 31) * (21 + 31)))


def test_frames_are_not_changed():
  frames, box = video()
  before = [frame.copy() for frame in frames]
  run(new_tracker(), frames, box)
  np.testing.assert_array_equal(frames, before)


def test_two_trackers_share_a_model():
  """Updates in turn give what each run alone gives."""
  (frames_a, box_a), (frames_b, box_b) = video(0), video(1)
  alone = [run(new_tracker(), frames_a, box_a),
           run(new_tracker(), frames_b, box_b)]
  a, b = new_tracker(), new_tracker()
  a.init(frames_a[0], box_a)
  b.init(frames_b[0], box_b)
  for n in range(1, FRAMES):
    np.testing.assert_array_equal(a.update(frames_a[n])[1], alone[0][n - 1])
    np.testing.assert_array_equal(b.update(frames_b[n])[1], alone[1][n - 1])


def test_one_program_for_all_frame_sizes():
  frames, box = video()
  run(new_tracker(), frames[:2], box)
  compiled = compiled_programs()
  for width, height in ((160, 120), (161, 99), (40, 300)):
    rng = np.random.default_rng(width)
    noise = rng.integers(0, 256, (3, height, width, 3), dtype=np.uint8)
    run(new_tracker(), list(noise), (3, 4, 20, 30))
  assert compiled == compiled_programs()


def test_other_hyperparameters_compile_nothing():
  frames, box = video()
  run(new_tracker(), frames[:2], box)
  compiled = compiled_programs()
  changed = dataclasses.replace(CONFIG, penalty_k=0.3, window_influence=0.2,
                                size_lr=0.7, threshold=0.4)
  before, after = (run(new_tracker(config), frames, box)
                   for config in (CONFIG, changed))
  assert compiled_programs() == compiled and compiled[1] > 0
  assert np.abs(before - after).max() > 1


def test_decode_config_of_a_configuration():
  config = Config()
  found = decode_config(config)
  assert found == DecodeConfig(
      penalty_k=0.10, window_influence=0.54, size_lr=0.59, topk_max=16,
      topk_min=4, threshold=0.15, offset_unit=64.0)
  assert found.offset_unit == 64
  config = config.updated(targets={'offset_target': 'paper'})
  assert decode_config(config).offset_unit == 8


@pytest.mark.filterwarnings('default')  # of Orbax
def test_load_tracker(tmp_path):
  """A checkpoint alone is enough, and gives the same boxes."""
  config = Config().updated(model=SMALL, tracking={'window_influence': 0.2})
  model, variables = small_network()
  assert build_model(config.model) == model
  zero = jax.numpy.zeros((), 'int32')
  with Checkpoints(tmp_path, config, keep=1) as checkpoints:
    checkpoints.save(0, to_items(TrainState(
        zero, zero, variables['params'], variables['batch_stats'],
        opt_state={'count': zero})))
  frames, box = video()
  wanted = run(Tracker(model, variables, decode_config(config)),
               frames[:3], box)
  for path in (tmp_path, str(tmp_path), tmp_path / 'checkpoints' / '0'):
    np.testing.assert_array_equal(
        run(load_tracker(path, engine='jax'), frames[:3], box), wanted)


def test_load_tracker_of_nothing(tmp_path):
  with pytest.raises(UserError, match='no such checkpoint'):
    load_tracker(tmp_path / 'missing')
  with pytest.raises(UserError, match='expected the folder'):
    load_tracker(tmp_path)


@pytest.mark.skipif(jax.default_backend() != 'cpu', reason='of a CPU')
def test_a_cpu_tracks_in_float32():
  """Its bfloat16 is slower, and less exact."""
  frames, box = video()
  model, variables = small_network()
  boxes = []
  for dtype in ('float32', 'bfloat16'):
    tracker = Tracker(model.clone(dtype=dtype), variables, CONFIG)
    tracker.init(frames[0], box)
    boxes.append([tracker.update(frame)[1] for frame in frames[1:4]])
  np.testing.assert_array_equal(*boxes)
