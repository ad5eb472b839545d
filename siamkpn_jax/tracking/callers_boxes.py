"""Boxes that a caller gives: which targets to track."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.numbers import real
from siamkpn_jax.tracking.given_boxes import GivenBox, read_boxes

_BOX = 'four numbers left, top, width, height in pixels'


def starts(boxes: Iterable[GivenBox], first: int, path: Path
           ) -> list[GivenBox]:
  """The box at which each target begins, by frame.

  Args:
    boxes: in any order; of each target the first that is not before `first`.
    first: number of the first frame that is tracked.
    path: of the file, for messages.

  Raises:
    UserError: a target has two boxes in one frame, or none at or after `first`.
  """
  chosen: dict[int, GivenBox] = {}
  seen: set[tuple[int, int]] = set()
  early: dict[int, int] = {}
  for box in sorted(boxes, key=lambda box: box.frame or first):
    frame = box.frame or first
    if (frame, box.id) in seen:
      raise UserError(f'{path}: two boxes of id {box.id} in frame {frame}; '
                      'expected one id for each target: correct it')
    seen.add((frame, box.id))
    if frame < first:
      early[box.id] = frame
    else:
      chosen.setdefault(box.id, box._replace(frame=frame))
  for number, frame in early.items():
    if number not in chosen:
      raise UserError(f'{path}: the last box of id {number} is in frame '
                      f'{frame}, before --start-frame {first}; expected one '
                      'at or after it: remove it, or start earlier')
  return sorted(chosen.values(), key=lambda box: box.frame or 0)


def as_given(boxes: Any, first: int, frames: int | None = None,
             size: tuple[int, int] | None = None,
             rate: float | None = None) -> list[GivenBox]:
  """The targets that a caller names.

  Args:
    boxes: one [4] box, several of them, a mapping from ids to boxes,
      `GivenBox`es, or the path of a file.
    first: number of the first frame that is tracked.
    frames: of the video, if known.
    size: width and height of the video, pixels.
    rate: of the video, frames per second, if known.

  Raises:
    UserError: none of these, or what `starts` refuses.
  """
  if isinstance(boxes, str | Path):
    path = Path(boxes)
    return starts(read_boxes(path, frames, size, rate), first, path)
  if isinstance(boxes, Mapping) and boxes:
    return [_given(number, box) for number, box in boxes.items()]
  if not np.iterable(boxes):
    raise UserError(f'boxes: {str(boxes)[:60]!r}; expected {_BOX}, several of '
                    'them, or the path of a file')
  boxes = list(boxes)
  if boxes and all(isinstance(box, GivenBox) for box in boxes):
    return starts(boxes, first, Path('boxes'))
  if len(boxes) == 4 and all(np.ndim(side) == 0 for side in boxes):
    boxes = [boxes]
  if not boxes:
    raise UserError(f'boxes: none; expected at least one box: {_BOX}')
  return [_given(number, box) for number, box in enumerate(boxes, start=1)]


def _given(number: int, box: Any) -> GivenBox:
  try:
    left, top, width, height = (
        real(side.item() if isinstance(side, np.generic) else side)
        for side in box)
  except (TypeError, ValueError, OverflowError):
    raise UserError(f'box {str(box)[:60]!r}: expected {_BOX}') from None
  return GivenBox(None, number, (left, top, width, height))
