"""Files from which cut-outs are made."""

import json
import math

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from tests.datasets.photographs import photograph

SIDE = geometry.CONTEXT_SIZE


def star(side, points=5, turn=0.):
  """A colored star with a soft edge, [side, side, 4] uint8 BGRA."""
  angle = turn + np.arange(2 * points) * math.pi / points
  radius = np.where(np.arange(2 * points) % 2, 0.2, 0.45) * side
  contour = side / 2 + radius[:, None] * np.stack(
      [np.cos(angle), np.sin(angle)], -1)
  alpha = cv2.fillPoly(np.zeros((side, side), np.uint8),
                       [contour.astype(np.int32)], 255, cv2.LINE_AA)
  color = photograph(side, side, seed=points)
  return np.dstack([color, cv2.GaussianBlur(alpha, (3, 3), 0)])


def write_animation(path, count):
  """A star that turns, in `count` frames."""
  animation = cv2.Animation()
  animation.frames = [star(90, turn=0.05 * k) for k in range(count)]
  animation.durations = np.full(count, 40)
  assert cv2.imwriteanimation(str(path), animation)


def write_crops(folder):
  """Two tracks of two crops; the second has no mask."""
  (folder / 'a').mkdir(parents=True)
  box = [100, 100, 200, 160]
  (folder / 'train.json').write_text(json.dumps(
      {'a': {'00': {'0': box, '5': box}, '01': {'0': box, '5': box}}}))
  mask = cv2.ellipse(np.zeros((SIDE, SIDE), np.uint8), (255, 255), (40, 24),
                     0, 0, 360, 255, -1)
  for frame in (0, 5):
    for track in (0, 1):
      cv2.imwrite(str(folder / 'a' / f'{frame:06d}.{track:02d}.x.jpg'),
                  photograph(SIDE, SIDE, seed=frame + track))
    cv2.imwrite(str(folder / 'a' / f'{frame:06d}.00.m.png'), mask)
