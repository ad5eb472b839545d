"""Synthetic videos: pure in (seed, index, t), exact boxes, real motion."""

import concurrent.futures
import functools
import os
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import synthetic

SEED = 12
WIDTH, HEIGHT = 320, 240
LENGTH = 60


@functools.cache
def scene(index):
  return synthetic.Scene(SEED, index)


@functools.cache
def track(index):
  """Boxes of a whole video, [t, 4]."""
  return np.stack([scene(index).box(t) for t in range(LENGTH)])


def iou(a, b):
  low = np.maximum(a[..., :2], b[..., :2])
  high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
  inter = np.prod(np.maximum(high - low, 0), -1)
  return inter / (np.prod(a[..., 2:], -1) + np.prod(b[..., 2:], -1) - inter)


def bounds(mask):
  """Box xywh of the True pixels [h, w], pixel i covering [i, i + 1]."""
  rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
  return np.array([cols[0], rows[0], cols[-1] + 1 - cols[0],
                   rows[-1] + 1 - rows[0]], np.float64)


def test_frame_and_box_formats():
  frame, box = scene(0).render(3)
  assert frame.shape == (HEIGHT, WIDTH, 3) and frame.dtype == np.uint8
  assert box.shape == (4,) and box.dtype == np.float64
  np.testing.assert_array_equal(box, scene(0).box(3))
  wide = synthetic.Scene(SEED, 0, size=(200, 352), length=5)
  assert wide.render(4)[0].shape == (352, 200, 3)
  assert wide.length == 5 and wide.size == (200, 352)


def test_random_access_gives_the_same_frames():
  forward = synthetic.Scene(SEED, 1)
  frames = [forward.render(t) for t in range(20)]
  backward = synthetic.Scene(SEED, 1)
  for t in (17, 2, 11):
    frame, box = backward.render(t)
    np.testing.assert_array_equal(frame, frames[t][0])
    np.testing.assert_array_equal(box, frames[t][1])
  # The length only says where the video ends.
  longer = synthetic.Scene(SEED, 1, length=500).render(17)[0]
  np.testing.assert_array_equal(longer, frames[17][0])


def test_threads_give_the_same_frames():
  jobs = [(index, t) for index in range(4) for t in (5, 40)] * 2
  shared = [synthetic.Scene(SEED, index) for index in range(4)]
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    of_shared = list(pool.map(lambda job: shared[job[0]].render(job[1])[0],
                              jobs))
    of_fresh = list(pool.map(
        lambda job: synthetic.Scene(SEED, job[0]).render(job[1])[0], jobs))
  for (index, t), one, other in zip(jobs, of_shared, of_fresh, strict=True):
    expected = scene(index).render(t)[0]
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(other, expected)


def test_another_process_gives_the_same_frame():
  program = ('import zlib; from siamkpn_jax.datasets import synthetic; '
             f'print(zlib.crc32(synthetic.Scene({SEED}, 2).render(17)[0]))')
  output = subprocess.run([sys.executable, '-c', program], check=True,
                          capture_output=True, text=True).stdout
  assert int(output.split()[-1]) == zlib.crc32(scene(2).render(17)[0])


def test_videos_and_frames_differ():
  frames = [scene(0).render(0)[0], scene(0).render(1)[0],
            scene(1).render(0)[0], synthetic.Scene(SEED + 1, 0).render(0)[0]]
  for i in range(4):
    for j in range(i):
      assert (frames[i] != frames[j]).mean() > 0.05


def coverage_by_crossings(polygons, box, sub=6):
  """Share of each pixel of the box that polygons cover, by even-odd rays.

  An independent rasteriser: `sub` x `sub` points per pixel, each inside a
  polygon if a ray to the right crosses its sides an odd number of times.
  """
  x0, y0, w, h = (int(v) for v in box)
  xs = x0 + (np.arange(w * sub) + 0.5) / sub
  ys = y0 + (np.arange(h * sub) + 0.5) / sub
  inside = np.zeros((h * sub, w * sub), bool)
  for points in polygons.astype(np.float64):
    odd = np.zeros_like(inside)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, 0),
                                  strict=True):
      if ay == by:
        continue
      rows = (ys >= min(ay, by)) & (ys < max(ay, by))
      crossing = ax + (ys[rows] - ay) * (bx - ax) / (by - ay)
      odd[rows] ^= xs < crossing[:, None]
    inside |= odd
  return inside.reshape(h, sub, w, sub).mean((1, 3))


def test_box_is_that_of_the_outline_drawn_independently():
  for index in range(30):
    target, t = scene(index).target, 7 * index % LENGTH
    points, _ = target.posture(t)
    points = points + target.motion(t, target.extents(points))
    box = scene(index).box(t)
    around = np.concatenate([box[:2] - 4, box[2:] + 8])
    cover = coverage_by_crossings(points[~target.shape.decal], around)
    if target.appearance.softness:
      cover = cv2.GaussianBlur(cover, (5, 5), target.appearance.softness)
    # OpenCV fills polygons an eighth of a pixel too wide, so a pixel that is
    # a little less than half covered belongs to the mask as well.
    least, most = bounds(cover > 0.6), bounds(cover > 0.2)
    low, high = box[:2] - around[:2], box[:2] - around[:2] + box[2:]
    assert (most[:2] <= low).all() and (low <= least[:2]).all()
    assert (least[:2] + least[2:] <= high).all()
    assert (high <= most[:2] + most[2:]).all()


def test_box_is_that_of_the_mask():
  for index in range(12):
    for t in (3, 33):
      (mask, corner), box = scene(index).target.mask(t), scene(index).box(t)
      np.testing.assert_array_equal(
          bounds(mask > 127) + np.array([*corner, 0, 0]), box)


def test_box_holds_exactly_what_the_target_changes_in_the_picture():
  checked = 0
  for index in range(60):
    video, t = scene(index), 10
    box = video.box(t)
    inside = (box[:2] >= 0).all() and (
        box[:2] + box[2:] <= (WIDTH, HEIGHT)).all()
    camera = video.camera
    stack = video.stack(t)
    if camera.shutter or camera.defocus or stack.visible < 1 or not inside:
      continue
    change = cv2.absdiff(video.render(t)[0],
                         video.shoot(t, (*stack.behind, *stack.front)))
    found = bounds(change.max(-1) > 0)
    # The soft edge reaches up to three pixels beyond the half-way line; at a
    # place where the colors agree, the change ends a little before it.
    assert (found[:2] >= box[:2] - 3).all()
    assert (found[:2] <= box[:2] + 1).all()
    assert (found[:2] + found[2:] <= box[:2] + box[2:] + 3).all()
    assert (found[:2] + found[2:] >= box[:2] + box[2:] - 1).all()
    checked += 1
  assert checked >= 5


def test_target_stays_in_the_frame_at_a_trackable_size():
  for index in range(40):
    boxes = track(index)
    beyond = np.maximum(-boxes[:, :2], boxes[:, :2] + boxes[:, 2:] -
                        (WIDTH, HEIGHT)) / boxes[:, 2:]
    assert beyond.max() < 0.28
    side = np.sqrt(np.prod(boxes[:, 2:], -1)) / HEIGHT
    assert side.min() > 0.08 and side.max() < 0.55
    aspect = boxes[:, 2] / boxes[:, 3]
    assert aspect.min() > 0.2 and aspect.max() < 4.5


def test_target_wanders():
  stay, steps = [], []
  for index in range(40):
    boxes = track(index)
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    side = np.sqrt(np.prod(boxes[:, 2:], -1)).mean()
    stay.append(iou(boxes[:1], boxes).mean())
    steps.append(np.linalg.norm(np.diff(centers, axis=0), axis=1) / side)
  assert np.mean(stay) < 0.25  # a box that never moves is no tracker
  steps = np.concatenate(steps)
  assert np.mean(steps < 0.25) > 0.9
  assert 0.03 < np.median(steps) < 0.2
  assert steps.max() < 0.65


def test_most_videos_have_distractors():
  counts = [len(scene(index).distractor_boxes(0)) for index in range(60)]
  assert max(counts) <= 4
  assert 0.5 < np.mean(np.array(counts) > 0) < 0.9
  four = synthetic.Scene(SEED, 0, distractors=4)
  boxes = four.distractor_boxes(9)
  assert boxes.shape == (4, 4)
  ratio = np.sqrt(np.prod(boxes[:, 2:], -1) / np.prod(four.box(9)[2:]))
  assert ratio.min() > 0.4 and ratio.max() < 2.5  # about the target's size
  none = synthetic.Scene(SEED, 0, distractors=0)
  assert none.distractor_boxes(9).shape == (0, 4)


def test_targets_are_hidden_in_part_but_never_wholly():
  visible = np.array([
      [scene(index).stack(t).visible for t in range(0, LENGTH, 6)]
      for index in range(30)])
  assert visible.min() >= 0.6 and visible.max() <= 1
  assert 0.02 < np.mean(visible < 0.9) < 0.6


def test_splits_have_disjoint_seeds():
  seeds = [synthetic.split_seed(split, seed) for split in synthetic.SPLITS
           for seed in range(50)]
  assert len(set(seeds)) == 150
  with pytest.raises(UserError, match='dev'):
    synthetic.split_seed('dev', 0)
  with pytest.raises(UserError, match='-1'):
    synthetic.split_seed('train', -1)


@pytest.mark.parametrize('patch', [143, 431])
def test_read_samples_the_frame_at_template_scale(patch):
  source = synthetic.SyntheticSource(SEED)
  assert source.num_frames(3) == LENGTH
  assert source.total_frames == source.num_tracks * LENGTH
  image, wh = source.read(3, 21, patch)
  frame, (x, y, w, h) = scene(3).render(21)
  scale = 127 / geometry.context_side(w, h)
  assert image.shape == (patch, patch, 3) and image.dtype == np.uint8
  assert wh.dtype == np.float32
  np.testing.assert_allclose(wh, (w * scale, h * scale), rtol=1e-6)
  # Bilinear by hand, of a frame with the fill around it.
  fill = np.floor(frame.mean((0, 1)))
  padded = np.pad(frame.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
  padded[[0, -1]] = padded[:, [0, -1]] = fill
  offset = (np.arange(patch) - (patch - 1) / 2) / scale
  px = np.clip(x + (w - 1) / 2 + offset + 1, 0, WIDTH + 1)
  py = np.clip(y + (h - 1) / 2 + offset + 1, 0, HEIGHT + 1)
  c, r = np.minimum(px.astype(int), WIDTH), np.minimum(py.astype(int), HEIGHT)
  u, v = (px - c)[:, None], (py - r)[:, None, None]
  upper = padded[r][:, c] * (1 - u) + padded[r][:, c + 1] * u
  lower = padded[r + 1][:, c] * (1 - u) + padded[r + 1][:, c + 1] * u
  error = np.abs(upper * (1 - v) + lower * v - image)
  # OpenCV rounds source places to 1/32 pixel.
  assert error.mean() < 1 and np.quantile(error, 0.99) < 6


def test_read_rejects_even_and_large_patches():
  source = synthetic.SyntheticSource(SEED)
  for patch in (142, 513, -1):
    with pytest.raises(ValueError, match=str(patch)):
      source.read(0, 0, patch)


def test_written_sequences_read_back(tmp_path):
  names = synthetic.write_otb(tmp_path, seed=SEED, count=2, length=3)
  assert names == ['synthetic_000', 'synthetic_001']
  for index, name in enumerate(names):
    boxes = np.loadtxt(tmp_path / name / 'groundtruth_rect.txt', delimiter=',')
    files = sorted(os.listdir(tmp_path / name / 'img'))
    assert files == ['0001.jpg', '0002.jpg', '0003.jpg']
    for t, file in enumerate(files):
      frame, box = scene(index).render(t)
      np.testing.assert_allclose(boxes[t] - (1, 1, 0, 0), box, atol=0.01)
      read = cv2.imread(str(tmp_path / name / 'img' / file))
      assert cv2.absdiff(read, frame).mean() < 4
