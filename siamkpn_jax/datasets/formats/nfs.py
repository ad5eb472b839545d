"""Need for Speed: 100 videos at 240 frames per second, or at 30.

  <root>/<sequence>/30/<sequence>/00001.jpg ...  every eighth frame of 240/
  <root>/<sequence>/30/<sequence>.txt            lines of 240 frames per second:
                                                 id x1 y1 x2 y2 frame ...

Every eighth line counts at 30 frames per second, unless there is a line for
each image. Where lines and images differ by one, the last is left out. Both are
what the GOT-10k toolkit does; but it is said, and refused if another image than
the last is missing. Pixels are counted from 0 and x2, y2 taken as the right and
lower end.
"""

import sys
from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import list_images
from siamkpn_jax.core.numbers import real
from siamkpn_jax.datasets.formats import pairing, scan, text
from siamkpn_jax.datasets.formats.annotations import (
  Annotation,
  Found,
  Unreadable,
  check_any,
  check_first,
)


def load(folder: Path, rate: int = 30) -> list[Found]:
  """All sequences at 30 or 240 frames per second, sorted by name.

  Raises:
    UserError: nothing to read, or a damaged file.
  """
  found: list[Found] = []
  for home in scan.sequences(folder):
    path = home / str(rate) / f'{home.name}.txt'
    if path.is_file():
      try:
        found.append(_read_sequence(home.name, path, rate))
      except UserError as error:
        found.append(Unreadable(home.name, error))
  check_any(found, folder, f'<sequence>/{rate}/<sequence>.txt')
  return found


def _read_sequence(name: str, path: Path, rate: int) -> Annotation:
  boxes_xywh, folder = _read(path), path.with_suffix('')
  check_first(boxes_xywh, f'{path} line 1')
  frames = pairing.frames_only(list_images(folder))
  if rate == 30 and abs(len(boxes_xywh) - len(frames)) > 1:
    boxes_xywh = boxes_xywh[::8]
  if abs(len(boxes_xywh) - len(frames)) != 1 or not pairing.is_whole(frames):
    return Annotation(name, boxes_xywh, images=folder)
  count = min(len(boxes_xywh), len(frames))
  print(f'note: {name}: {len(boxes_xywh)} boxes, {len(frames)} images; the '
        'last is left out, as in the GOT-10k toolkit', file=sys.stderr)
  return Annotation(name, boxes_xywh[:count], images=tuple(frames[:count]))


def _read(path: Path) -> np.ndarray:
  """[t, 4] boxes, one per line."""
  rows = []
  for number, line in enumerate(
      text.read_text(path).strip().split('\n'), start=1):
    try:
      left, top, right, bottom = map(real, line.split()[1:5])
    except ValueError as error:
      raise UserError(f'{path} line {number}: {line.strip()[:60]!r} is not a '
                      'box; expected "id x1 y1 x2 y2 frame ...": correct it'
                      ) from error
    rows.append((left, top, right - left, bottom - top))
  return np.array(rows)
