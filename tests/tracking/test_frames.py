"""Frames of every kind that programs have give the boxes of BGR bytes."""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.frames import as_bgr, frames_of
from siamkpn_jax.tracking.load import load_batch_tracker, load_tracker
from tests.optional import import_or_skip
from tests.tracking.small import (
  CONFIG,
  new_tracker,
  run,
  small_network,
  video,
)

RNG = np.random.default_rng(0)
FRAME = RNG.integers(0, 256, (12, 17, 3), np.uint8)


def test_plain_frames_are_not_copied():
  assert as_bgr(FRAME) is FRAME
  view = FRAME[::2, ::-1]
  assert as_bgr(view) is view


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
@pytest.mark.parametrize('gray', [False, True])
def test_floats_are_rounded(dtype, gray):
  """Every byte, divided by 255, is itself again."""
  every = np.arange(256, dtype=np.uint8).reshape(16, 16)
  frame = every if gray else np.stack([every, every.T, every], axis=-1)
  np.testing.assert_array_equal(
      as_bgr((frame / 255).astype(dtype)), as_bgr(frame))


def test_channels():
  gray = FRAME[..., 0]
  for one in (gray, gray[..., None]):
    for rgb in (False, True):
      np.testing.assert_array_equal(
          as_bgr(one, rgb=rgb), np.repeat(gray[..., None], 3, axis=2))
  np.testing.assert_array_equal(as_bgr(FRAME[..., ::-1], rgb=True), FRAME)
  with pytest.raises(ValueError, match='drop alpha'):
    as_bgr(np.zeros((4, 5, 4), np.uint8), rgb=True)


def test_a_shared_frame_is_converted_once():
  gray = FRAME[..., 0]
  found = frames_of([], {1: gray, 5: gray})
  assert found[1] is found[5]
  assert frames_of([3, 4], FRAME) == {3: FRAME, 4: FRAME}


def test_trackers_take_them():
  frames, box = video()
  want = run(new_tracker(), frames, box)
  rgb = [frame[..., ::-1] / np.float32(255) for frame in frames]
  np.testing.assert_array_equal(run(new_tracker(color='rgb'), rgb, box), want)
  batch = BatchTracker(*small_network(), CONFIG, color='rgb')
  batch.add(rgb[0], box)
  np.testing.assert_array_equal(batch.update(rgb[1])[0].box_xywh, want[0])


def test_loaded_trackers_in_onnx_runtime():
  import_or_skip('onnxruntime', 'tracks in ONNX Runtime')
  frames, box = video()
  want = run(load_tracker(engine='onnxruntime'), frames[:3], box)
  rgb = [frame[..., ::-1] for frame in frames[:3]]
  one = load_tracker(engine='onnxruntime', color='rgb')
  np.testing.assert_array_equal(run(one, rgb, box), want)
  many = load_batch_tracker(engine='onnxruntime', color='rgb')
  target = many.add(rgb[0], box)
  for frame, wanted in zip(rgb[1:], want, strict=True):
    np.testing.assert_allclose(
        many.update(frame)[target].box_xywh, wanted, atol=0.01)
  # The box is in the frame, whatever its size becomes.
  for height, width in ((50, 40), (300, 20), (20, 300)):
    _, (x, y, w, h) = one.update(np.zeros((height, width), np.uint8))
    assert 0 < w <= width and 0 < h <= height
    assert 0 <= x + w / 2 <= width + 1 and 0 <= y + h / 2 <= height + 1


@pytest.mark.parametrize('slots', [1.5, 10**9, '2', True, None, float('nan')])
@pytest.mark.parametrize('engine', ['jax', 'onnxruntime'])
def test_slots(slots, engine):
  import_or_skip('onnxruntime', 'tracks in ONNX Runtime')
  with pytest.raises(ValueError, match='slots=.*whole number'):
    load_batch_tracker(slots=slots, engine=engine)


def test_color():
  with pytest.raises(UserError, match="color 'grb'; expected 'bgr'"):
    load_tracker(color='grb')
