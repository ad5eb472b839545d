"""Benchmarks on disk, and runs on them, for tests."""

import cv2
import numpy as np

from siamkpn_jax.evaluation.run import evaluation
from siamkpn_jax.evaluation.run.protocol import FirstBoxTracker
from siamkpn_jax.tracking.one_target import OneTarget

BOXES = [[4.0 + i, 5, 10, 8] for i in range(6)]


class Counting(FirstBoxTracker):
  """A tracker that counts its updates, and may break."""

  def __init__(self, breaks_at=-1):
    super().__init__()
    self.updates, self._breaks_at = 0, breaks_at

  def update(self, frame):
    if self.updates == self._breaks_at:
      raise KeyboardInterrupt
    self.updates += 1
    return super().update(frame)


def images(folder, count, form):
  folder.mkdir(parents=True)
  for i in range(1, count + 1):
    cv2.imwrite(str(folder / form.format(i)), np.zeros((40, 60, 3), np.uint8))


def write(path, rows):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(''.join(','.join(map(str, row)) + '\n' for row in rows))


def got10k(root, subset, names, rows=BOXES):
  for name in names:
    home = root / subset / name
    images(home, len(BOXES), '{:08d}.jpg')
    write(home / 'groundtruth.txt', rows)
    (home / 'meta_info.ini').write_text('[META]\nresolution: (60, 40)\n')
  (root / subset / 'list.txt').write_text('\n'.join(names))
  return root


def run(benchmark, data, out, tracker=None, **options):
  tracker = tracker or Counting()
  plan = evaluation.make_plan(
      evaluation.EvaluationRequest(benchmark, data, out, **options))
  summary = evaluation.run(plan, OneTarget(tracker), {'weights': 'w'},
                           remarks={'hardware': 'h'}, progress=False)
  return summary, tracker
