"""What tracks for a search: the sweep against one trial at a time."""

import copy
import dataclasses

import cv2
import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.evaluation.formats.vot_sequences import load_vot
from siamkpn_jax.evaluation.metrics.vot import find_protocol
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.load import decode_config, load_tracker
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.tracker import Tracker
from siamkpn_jax.tuning import run, trial_runner
from siamkpn_jax.tuning.sweep import Sweep
from siamkpn_jax.tuning.trial_runner import TrialParams
from tests.evaluation import vot_files
from tests.tracking.small import SMALL, small_network, video

TOLERANCE = 0.01  # pixels; batches of other sizes round otherwise
PARAMS = [TrialParams(0.1, 0.5, 0.6), TrialParams(0.0, 0.0, 0.0),
            TrialParams(0.9, 0.1, 0.9), TrialParams(0.2, 0.9, 0.3),
            TrialParams(0.4, 0.2, 0.8)]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  folder = tmp_path_factory.mktemp('weights')
  config = Config().updated(model=SMALL)
  weights.save_model(folder, config, small_network()[1])
  return folder


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
  """Two scenes of different sizes in OTB layout."""
  root = tmp_path_factory.mktemp('otb')
  for k in range(2):
    frames, box = video(k, (160 - 20 * k, 120 - 10 * k))
    images = root / f's{k}' / 'img'
    images.mkdir(parents=True)
    for i, frame in enumerate(frames):
      cv2.imwrite(str(images / f'{i:04d}.png'), frame)
    row = ','.join(map(str, np.add(box, [1, 1, 0, 0])))
    (images.parent / 'groundtruth_rect.txt').write_text(
        f'{row}\n' * len(frames))
  return load_otb(root)


def one_at_a_time(checkpoint, video, protocol=None):
  """[trials] results of trackers of their own, one after the other."""
  config, variables = weights.load_model(checkpoint)
  for params in PARAMS:
    tracker = Tracker(
        build_model(config.model), variables, dataclasses.replace(
            decode_config(config), **dataclasses.asdict(params)))
    (done,) = drive(OneTarget(tracker), [trial_runner.task(video, protocol)])
    yield done.result


def test_one_setting_is_the_tracker_of_a_tuned_checkpoint(
    checkpoint, videos, tmp_path):
  params = TrialParams(0.3, 0.2, 0.9)
  run.save_tuned(tmp_path / 'tuned', checkpoint, params)
  (found,) = Sweep(checkpoint, videos)([params], 1)
  tracker = load_tracker(tmp_path / 'tuned', engine='jax')
  frames = [cv2.imread(str(path)) for path in videos[1].frames]
  tracker.init(frames[0], videos[1].boxes_xywh[0])
  np.testing.assert_allclose(
      found[1:], [tracker.update(frame)[1] for frame in frames[1:]],
      atol=TOLERANCE)


def test_sweep_gives_the_boxes_of_one_at_a_time(checkpoint, videos):
  """On one sequence after the other, in batches of any size."""
  sweep = Sweep(checkpoint, videos)
  for index in (0, 1, 0):
    expected = list(one_at_a_time(checkpoint, videos[index]))
    found = sweep(PARAMS, index)
    for ours, theirs in zip(found, expected, strict=True):
      np.testing.assert_allclose(ours, theirs, atol=TOLERANCE)
    (alone,) = sweep(PARAMS[2:3], index)
    np.testing.assert_allclose(alone, expected[2], atol=TOLERANCE)
    ends = np.array([boxes[-1] for boxes in expected])
    assert np.ptp(ends, axis=0).max() > 5  # they matter


def test_equal_crops_are_seen_once(checkpoint, videos):
  """In the first search frame, where all trials look alike."""
  sweep = Sweep(checkpoint, videos)
  sweep(PARAMS * 8, 0)
  updates = len(videos[0]) - 1
  assert updates <= sweep.crops_seen <= 1 + 5 * (updates - 1)


def test_sweep_in_vot(checkpoint, tmp_path):
  """Each trial fails, waits and is started again on its own."""
  frames, box = video(3)
  count = 24
  rows = [np.add(box, [-20, -15, 40, 30]).tolist()] * count
  root = vot_files.write_folder(tmp_path / 'vot', {'a': rows}, size=(160, 120))
  for i in range(count):
    cv2.imwrite(str(root / 'a' / 'color' / f'{i + 1:08d}.png'),
                frames[i % len(frames)])
  sequences, protocol = load_vot(root), find_protocol('vot2018_pysot')
  expected = list(one_at_a_time(checkpoint, sequences[0], protocol))
  found = Sweep(checkpoint, sequences, protocol)(PARAMS, 0)
  starts = []
  for ours, theirs in zip(found, expected, strict=True):
    np.testing.assert_array_equal(ours.counts, theirs.counts)
    np.testing.assert_allclose(ours.numbers, theirs.numbers, atol=TOLERANCE)
    starts.append(np.flatnonzero(theirs.marked(regions.STARTED)).tolist())
  assert max(map(len, starts)) > 1  # somebody fails
  assert len(set(map(tuple, starts))) > 1  # not all at once


def test_trouble_is_told(checkpoint, videos):
  broken = copy.copy(videos[0])
  gone = (*broken.frames[:2], broken.frames[0].with_name('none.png'))
  object.__setattr__(broken, 'frames', gone)
  object.__setattr__(broken, 'boxes_xywh', broken.boxes_xywh[:3])
  with pytest.raises(UserError, match=r'none\.png'):
    Sweep(checkpoint, [broken])(PARAMS[:1], 0)
