"""Synthetic targets that leave and come back."""

import numpy as np
import pytest

from perf.absence_scene import LENGTH, AbsenceScene
from siamkpn_jax.datasets.synthetic import Scene, split_seed

SEED = split_seed('val', 0)


@pytest.mark.parametrize('index', [0, 3])
def test_two_absences(index):
  """One behind a screen, one out of the frame, of 20 to 60 frames."""
  scene = AbsenceScene(SEED, index)
  assert sorted(a.hidden for a in scene.absences) == [False, True]
  for absence in scene.absences:
    middle = (absence.start + absence.stop) // 2
    stack = scene.stack(middle)
    assert stack.visible < 0.15 and not scene.present(middle)
    x, y, w, h = scene.box(middle)
    outside = x >= 320 or y >= 240 or x + w <= 0 or y + h <= 0
    assert outside or absence.hidden
    away = [not scene.present(t)
            for t in range(absence.start, absence.stop, 4)]
    assert 4 <= sum(away) <= 24
  assert scene.absences[1].stop < LENGTH - 5
  assert scene.present(0)
  assert scene.absences[0].stop <= scene.absences[1].start


def test_else_it_is_the_scene_of_that_number():
  plain, absent = Scene(SEED, 0), AbsenceScene(SEED, 0)
  frame, box = absent.render(5)
  expected, expected_box = plain.render(5)
  np.testing.assert_array_equal(frame, expected)
  np.testing.assert_array_equal(box, expected_box)


def test_frames_do_not_depend_on_their_order():
  first = AbsenceScene(SEED, 1)
  last = first.render(200)[0]
  np.testing.assert_array_equal(AbsenceScene(SEED, 1).render(200)[0], last)


def test_it_leaves_smoothly():
  """No faster than a tracker's region follows."""
  scene = AbsenceScene(SEED, 2)
  boxes = np.array([scene.box(t) for t in range(0, LENGTH, 1)])
  centers = boxes[:, :2] + boxes[:, 2:] / 2
  start = min(a.start for a in scene.absences)
  steps = np.linalg.norm(np.diff(centers[start - 2:start + 12], axis=0), axis=1)
  assert steps.max() < 0.6 * boxes[:, 2:].max()
