"""A stand-in for the tracker, frames for it, and what a run leaves."""

from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError

BOX = '5,6,20,10'


class StandIn:
  """A tracker that moves to the right; its weights are a name."""

  score = 0.5

  def __init__(self, weights: Path, engine: str,
               long_term: bool = False, **others: object) -> None:
    print('weights read:', weights)
    print('engine:', engine)
    if long_term:
      print('long-term')
    if weights.name == 'broken':
      raise UserError(f'weights {weights}: no checkpoint')
    self._weights = weights.name

  def init(self, frame, box_xywh):
    if self._weights == 'refuses':
      raise UserError('the tracker refuses')
    self._box = box_xywh

  def update(self, frame):
    self._box = self._box + np.array([0.5, 0, 0, 0])
    return True, self._box


def files(folder: Path) -> list[str]:
  return sorted(str(path.relative_to(folder)) for path in folder.rglob('*')
                if path.is_file())


def make_folder(folder: Path, frames: list[np.ndarray], suffix: str) -> None:
  folder.mkdir()
  for number, frame in enumerate(frames, start=1):
    assert cv2.imwrite(str(folder / f'{number}{suffix}'), frame)
