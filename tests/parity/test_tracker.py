"""Whole real sequences: the boxes of the reference tracker, frame by frame.

The two programs round differently in the sixth digit. That stays below a
hundredth of a pixel, until the integer side or edge of a search crop lies so
near to a half that it is rounded up by one and down by the other: from there
they look at crops a pixel apart, and random weights then go separate ways. Such
a frame is recognized by its crop; the tracker is set back to the reference's
box there, so that every frame of a sequence is compared.
"""

import json

import cv2
import numpy as np
import pytest

from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.tracker import Tracker
from tests.optional import import_or_skip
from tests.parity import networks
from tests.reference import tracking as reference

pytestmark = [pytest.mark.realdata, pytest.mark.usefixtures('optimized')]
LIMIT = 0.5  # pixels
SPLIT = 0.02  # of the frames whose crops may differ by rounding
NEAR = 0.05  # pixels that the boxes before such a frame may differ
SHORTEST = 'davis_car-shadow'


def new_tracker(name, num_stages):
  return Tracker(*networks.jax_network(name, num_stages),
                 DecodeConfig(**reference.SETTINGS))


def follow(tracker, sequence, expected):
  """The largest error of each frame [n], and the frames that rounding split.

  Args:
    tracker: ours.
    sequence: with n + 1 frames.
    expected: [n, 4] boxes of the reference after the first frame.
  """
  frames = (cv2.imread(str(path)) for path in sequence.frames)
  tracker.init(next(frames), sequence.boxes_xywh[0])
  errors, split = np.zeros(len(expected)), []
  for n, frame in enumerate(frames):
    if n and not _same_crop(tracker, expected[n - 1]):
      assert errors[n - 1] < NEAR, f'frame {n}: not by rounding'
      split.append(n)
      _set(tracker, expected[n - 1])
      assert _same_crop(tracker, expected[n - 1])
    errors[n] = np.abs(tracker.update(frame)[1] - expected[n]).max()
  return errors, split


def _center(box):
  return np.round(box[:2] + box[2:] / 2, 9)  # exact where it was clamped


def _same_crop(tracker, box):
  center, scale = tracker.search_window()
  side = reference.context_side(*box[2:]) * 255 / 127
  return reference.crop_bounds(center, 255 / scale) == reference.crop_bounds(
      _center(box), side)


def _set(tracker, box):
  target = tracker._batch._targets[tracker._target]
  target.center, target.size = np.float32(_center(box)), np.float32(box[2:])


def assert_follows(tracker, sequence, expected):
  assert len(expected) == len(sequence) - 1
  errors, split = follow(tracker, sequence, expected)
  print(f'{sequence.name}: {len(errors)} frames, largest error '
        f'{errors.max():.4f} px, crops split by rounding at {split}')
  assert errors.max() < LIMIT, (sequence.name, int(errors.argmax()) + 1)
  assert len(split) <= SPLIT * len(expected) + 1, sequence.name
  # The run is not trivial: the target moves and changes its size.
  assert np.median(np.abs(np.diff(expected, axis=0)).max(axis=1)) > 0.5


@pytest.mark.slow
def test_equals_golden_boxes(real_data):
  """Without PyTorch."""
  golden = json.loads((networks.GOLDENS / 'boxes.json').read_text())
  tracker = new_tracker(golden['network'], golden['stages'])
  for sequence in load_otb(
      real_data / 'sequences', names=list(golden['boxes'])):
    assert_follows(tracker, sequence, np.array(golden['boxes'][sequence.name]))


# Three stages contain the others.
@pytest.mark.parametrize(('num_stages', 'name'), [
    (3, 'small'), *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        (1, 'small'), (2, 'small'), (3, 'basic'), (3, 'full')])])
def test_equals_pytorch(real_data, name, num_stages):
  import_or_skip('torch', 'the reference is in PyTorch')
  from tests.reference.torch_tracker import TorchTracker
  (sequence,) = load_otb(real_data / 'sequences', names=[SHORTEST])
  expected = TorchTracker(networks.torch_network(name, num_stages)).run(
      sequence)
  assert_follows(new_tracker(name, num_stages), sequence, expected)
