"""The demo from end to end, with a network and a run far too small to track."""

import cv2
import numpy as np

from siamkpn_jax import demonstration
from tests.training.tiny import tiny_config


def test_demonstration(tmp_path):
  """Every file is there and readable, every tracker has its row."""
  config = tiny_config()
  config.data.update(sets=('synthetic',), ranges=(10,))
  config.train.update(epochs=1, pairs_per_epoch=8, freeze_epochs=0)
  rows, files = demonstration.run(config, tmp_path, num_sequences=2)
  names, aucs, precisions, speeds = zip(*rows, strict=True)
  assert names == ('trained', 'untrained', 'first box, never moved')
  assert all(0 <= value <= 1 for value in aucs + precisions)
  assert all(speed > 0 for speed in speeds)
  paths = {path.name: path for path, _ in files}
  for name in ('success.png', 'loss.png'):  # heatmaps.png: if it tracks
    picture = cv2.imread(str(paths[name]))
    assert min(picture.shape[:2]) > 200 and picture.std() > 10
  video = cv2.VideoCapture(str(paths['tracking.mp4']))
  assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 60
  for folder in ('trained', 'untrained', 'first_box'):
    lines = (tmp_path / 'results' / folder / 'synthetic_000.txt').read_text()
    boxes = np.array([line.split(',') for line in lines.split()], float)
    assert boxes.shape == (60, 4)
