"""MOT Challenge's layout as own data: several targets in one video.

  <sequence>/gt/gt.txt            frame, id, left, top, width, height, flag, ...
                                  per line; also <sequence>/gt.txt
  <sequence>/img1/000001.jpg ...  or where seqinfo.ini says (imDir)
  <sequence>/seqinfo.ini          may be missing

A line counts unless its flag is 0. Of nine columns the last is the visible part
of the target; 0: nothing of it. Frames and pixels are counted from 1, and a box
belongs to the image of its number.

Source: Milan et al., "MOT16", 2016; https://motchallenge.net/instructions.
"""

import collections
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.datasets.formats import pairing, scan, text
from siamkpn_jax.datasets.formats.annotations import (
  Annotation,
  Found,
  Unreadable,
  check_first,
  from_zero,
)
from siamkpn_jax.datasets.formats.video import NO_IMAGES, UNCLEAR, UNREADABLE
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

_INFO = 'seqinfo.ini'
_BAD = 'boxes: cannot be read'
_ORIGIN = 1  # of pixels


@dataclasses.dataclass(frozen=True)
class _Target:
  """The boxes of a target by frame, and the frames in which it is hidden."""

  boxes_xywh: dict[int, list[float]]
  hidden: set[int]


def files(home: Path) -> list[Path]:
  """The file of boxes of a sequence and, if it is there, seqinfo.ini.

  [] if the sequence is none of these, or has a file of one target's boxes.
  """
  names = scan.names(home)
  if names & {'groundtruth.txt', 'groundtruth_rect.txt'}:
    return []
  info = [home / _INFO] if _INFO in names else []
  if 'gt' in names and 'gt.txt' in scan.names(home / 'gt'):
    return [home / 'gt' / 'gt.txt', *info]
  if 'gt.txt' in names and (info or 'img1' in names) and (
      _has_frames(home / 'gt.txt')):
    return [home / 'gt.txt', *info]
  return []


def _has_frames(path: Path) -> bool:
  """Whether a file has more columns than those of a box."""
  try:
    return len(text.numbers(text.read_text(path).partition('\n')[0])) > 4
  except UnreachableError:
    raise
  except (UserError, ValueError):
    return False


def tracks(folder: Path, name: str, dropped: Dropped) -> Iterator[RawTrack]:
  """The tracks of a sequence, a folder of the set, that is trained on."""
  try:
    targets = _read(folder / name, dropped)
    images = _images(folder, name)
  except UnreachableError:
    raise
  except UserError:
    dropped.add(UNREADABLE, name)
    return
  if not images:
    dropped.add(NO_IMAGES, name)
    return
  numbered = _numbered(images, targets, folder / name)
  if numbered is None:
    dropped.add(UNCLEAR, f'{name}, images from {images[0]}')
    return
  for target, found in sorted(targets.items()):
    frames = sorted(numbered.keys() & found.boxes_xywh.keys())
    dropped.add('frames: image missing', f'{name}/{target}',
                len(found.boxes_xywh) - len(frames))
    if frames:
      yield RawTrack(
          f'{name}/{target}', [numbered[frame] for frame in frames],
          from_zero(np.array([found.boxes_xywh[frame] for frame in frames]),
                    _ORIGIN),
          np.array([frame in found.hidden for frame in frames]))


def load(folder: Path, name: str) -> list[Found]:
  """The targets of a sequence that is evaluated on, as long as annotated."""
  path, dropped = files(folder / name)[0], Dropped()
  try:
    targets = _read(folder / name, dropped)
    numbered = _numbered(_images(folder, name), targets, folder / name)
    if _BAD in dropped.counts:
      raise UserError(f'{path}: {dropped.examples[_BAD]} is not a box; '
                      'expected "frame,id,left,top,width,height,flag,...": '
                      'correct it')
    if numbered is None:
      raise UserError(f'{path}: its frames and the numbers of the images do '
                      'not fit; expected images counted from 1 as the boxes: '
                      'check the download')
  except UserError as error:
    return [Unreadable(name, error)]
  images = {frame: folder / image for frame, image in numbered.items()}
  found: list[Found] = []
  for target, boxes in sorted(targets.items()):
    own_name = f'{name}-{target}'
    try:
      found.append(_annotation(path, own_name, boxes, images))
    except UserError as error:
      found.append(Unreadable(own_name, error))
  return found


def _annotation(path: Path, name: str, target: _Target,
                images: dict[int, Path]) -> Annotation:
  shown = target.boxes_xywh.keys() - target.hidden or target.boxes_xywh.keys()
  frames = range(min(shown), max(shown) + 1)
  missing = next((f for f in frames if f not in images), None)
  if missing is not None:
    raise UserError(f'{path}: the image of frame {missing} is missing; '
                    f'expected all from {frames[0]} to {frames[-1]} for '
                    f'{name}: check the download')
  boxes_xywh = np.array([target.boxes_xywh.get(f, [np.nan] * 4)
                         for f in frames])
  check_first(boxes_xywh, f'{path}: {name}')
  boxes_xywh.flags.writeable = False
  return Annotation(name, boxes_xywh, origin=_ORIGIN,
                    visible=np.array([f in shown for f in frames]),
                    images=tuple(images[f] for f in frames))


def _read(home: Path, dropped: Dropped) -> dict[int, _Target]:
  """The targets of a sequence, each with at least one box.

  Raises:
    UserError: the file cannot be read at all.
  """
  boxes: dict[int, dict[int, list[float]]] = collections.defaultdict(dict)
  hidden, twice = collections.defaultdict(set), set()
  for line in text.read_text(files(home)[0]).split('\n'):
    if not line.strip():
      continue
    try:
      frame, target, row = _parse(line)
    except ValueError:
      dropped.add(_BAD, f'{home.name}, {line.strip()!r}')
      continue
    if len(row) > 4 and row[4] == 0:
      dropped.add('boxes: not to be considered', f'{home.name}/{target}')
      continue
    if frame in boxes[target]:
      twice.add((target, frame))
    boxes[target][frame] = row[:4]
    if len(row) == 7 and row[6] == 0:
      hidden[target].add(frame)
  for target, frame in twice:
    dropped.add('boxes: two of one target in a frame', f'{home.name}/{target}')
    del boxes[target][frame]
  return {target: _Target(found, hidden[target])
          for target, found in boxes.items() if found}


def _parse(line: str) -> tuple[int, int, list[float]]:
  """Frame, target, and the other columns.

  Raises:
    ValueError: not a line of such a file.
  """
  frame, target, *row = text.numbers(line)
  if not (frame.is_integer() and 0 <= frame < 2**53 and
          target.is_integer() and 0 <= target < 2**53) or len(row) < 4:
    raise ValueError('not frame, id and a box')
  return int(frame), int(target), row


def _images(folder: Path, name: str) -> list[str]:
  """In natural order, relative to the data set's folder.

  Raises:
    UserError: seqinfo.ini cannot be read.
  """
  said = _info(folder / name, 'imDir')
  places = [scan.spelled(folder / name, said)] if said else []
  for place in [*places, 'img1', 'img', '']:
    images = scan.images(folder, f'{name}/{place}'.rstrip('/'))
    if images:
      return pairing.frames_only(images)
  return []


def _info(home: Path, key: str) -> str:
  """What seqinfo.ini says, '' where it says nothing."""
  path = home / _INFO
  found = path.is_file() and re.search(
      rf'^\s*{key}\s*=\s*(.*\S)\s*$', text.read_text(path),
      re.MULTILINE | re.IGNORECASE)
  return found[1] if found else ''


def _numbered(images: list[str], targets: dict[int, _Target],
              home: Path) -> dict[int, str] | None:
  """The image of each frame; None if their numbers are not those of frames."""
  numbers = pairing.frame_numbers(images)
  if numbers is None:
    return None
  length = _info(home, 'seqLength')
  starts_at_0 = any(0 in target.boxes_xywh for target in targets.values())
  if (numbers[:1] == [0]) != starts_at_0 or (
      re.fullmatch('[0-9]{1,9}', length) and
      numbers[-1] + starts_at_0 > int(length)):
    return None
  return dict(zip(numbers, images, strict=True))
