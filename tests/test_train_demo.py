"""The demo from end to end, with a network and a run far too small to track."""

import cv2
import numpy as np
import pytest

from siamkpn_jax.core import geometry
from siamkpn_jax.datasets.synthetic import Scene, split_seed
from siamkpn_jax.experiments import train_demo
from tests.training.tiny import tiny_config


@pytest.mark.slow
def test_demonstration(tmp_path):
  """Every file is there and readable, every tracker has its row."""
  config = tiny_config(
      data={'sets': ('synthetic',), 'ranges': (10,)},
      train={'epochs': 1, 'pairs_per_epoch': 8, 'freeze_epochs': 0})
  rows, files = train_demo.run(config, tmp_path, num_sequences=2)
  names, aucs, precisions, speeds = zip(*rows, strict=True)
  assert names == ('trained', 'untrained', 'first box, never moved')
  assert all(0 <= value <= 1 for value in aucs + precisions)
  assert all(speed > 0 for speed in speeds)
  paths = {path.name: path for path, _ in files}
  assert 'total loss' in paths['report.html'].read_text()
  picture = cv2.imread(str(paths['success.png']))
  assert min(picture.shape[:2]) > 200 and picture.std() > 10
  video = cv2.VideoCapture(str(paths['tracking.mp4']))
  assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 60
  for folder in ('trained', 'untrained', 'first_box'):
    lines = (tmp_path / 'results' / folder / 'synthetic_000.txt').read_text()
    boxes = np.array([line.split(',') for line in lines.split()], float)
    assert boxes.shape == (60, 4)


class Oracle:
  """Knows where the target is; its crops are black, its heatmaps zero."""

  def __init__(self, scene: Scene, side: int):
    self._scene, self._t = scene, 0
    self.search_crop = np.zeros((side, side, 3), np.uint8)
    self.heatmaps = np.zeros((2, 31, 31))

  def init(self, frame, box):
    """Starts at frame 0."""

  def search_window(self):
    """Around the last true box."""
    x, y, w, h = self._scene.box(self._t)
    return (np.array([x + (w - 1) / 2, y + (h - 1) / 2]),
            127 / geometry.context_side(w, h))

  def update(self, frame):
    """Moves on by a frame."""
    self._t += 1


@pytest.mark.parametrize('side', [255, 207])
def test_distractor_rows(side):
  """Rows in order and apart; the marks are where target and twins are."""
  seed = split_seed('val', 3)
  scenes = (Scene(seed, i, distractors=4, length=40) for i in range(20))
  scene, rows = next(
      (scene, found) for scene in scenes
      if len(found := train_demo.distractor_rows(
          Oracle(scene, side), scene, 3)) == 3)
  frames = [int(row.title.split()[1]) - 1 for row in rows]
  assert np.diff(frames).min() >= 5
  for t, row in zip(frames, rows, strict=True):
    (lx, ly, lw, lh), (x, y, w, h) = scene.box(t - 1), scene.box(t)
    scale = 127 / geometry.context_side(lw, lh)
    moved = np.array([x + w / 2 - lx - lw / 2, y + h / 2 - ly - lh / 2])
    np.testing.assert_allclose(row.target, side // 2 + scale * moved,
                               atol=1e-6)
    assert 1 <= len(row.distractors) <= 4
    assert np.abs(row.distractors - side // 2).max() < side // 2 - 12
