"""perf/look_alike.py: a copy of the target, beside it."""

import numpy as np

from perf import look_alike

BOX = np.array([40.0, 50, 10, 8])
FRAMES = [np.zeros((120, 160, 3), np.uint8) for _ in range(40)]
for frame in FRAMES:
  frame[50:58, 40:50] = 200


def test_a_copy_circles_the_target():
  boxes = np.tile(BOX, (40, 1))
  changed = look_alike.beside(FRAMES, boxes, 3)
  centers = []
  for frame, before in zip(changed, FRAMES, strict=True):
    assert (frame[50:58, 40:50] == 200).all()  # not by this seed
    rest = frame.astype(int) - before
    y, x = np.nonzero(rest[..., 0] > 100)
    assert 60 <= len(x) <= 80  # as large as the target, but for its corners
    centers.append((x.mean() + 0.5 - 45, y.mean() + 0.5 - 54))
  distance = np.hypot(*(np.array(centers) / BOX[2:]).T)
  assert distance.min() > 1.2 and distance.max() < 2.2
  assert len(set(centers)) > 10  # it moves
  again = look_alike.beside(FRAMES, boxes, 3)
  assert all(map(np.array_equal, changed, again))
  assert not all(map(np.array_equal, changed,
                     look_alike.beside(FRAMES, boxes, 4)))


def test_frames_without_a_box_and_beyond_the_edge():
  boxes = np.array([BOX, [np.nan] * 4, [40, 50, 0, 8], [0, 0, 10, 8]])
  changed = look_alike.beside(FRAMES[:4], boxes, 0)
  same = [np.array_equal(a, b) for a, b in zip(changed, FRAMES, strict=False)]
  assert same[:3] == [False, True, True]
  assert all(frame.shape == (120, 160, 3) for frame in changed)
