"""What a data set says of a target in a video, read without its images.

An `Annotation` is enough to score result files;
`evaluation.formats.sequences.with_frames` adds the images that a tracker needs.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TypeVar

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_kinds import other_kind
from siamkpn_jax.datasets.formats import text


@dataclasses.dataclass(frozen=True, eq=False)
class Annotation:
  """One target in one video, as its files have it.

  Attributes:
    name: unique in its data set.
    boxes_xywh: [t, 4] float64 boxes in the pixel convention of the file. One
      that is not finite or has a side <= 0 means "no target visible"; the first
      is always valid. One box alone stands for a sequence whose other boxes its
      benchmark keeps to itself.
    origin: number that the file gives to the first pixel, 0 or 1.
    visible: [t] False where the target is marked as absent; None: no marks.
    frame_size: width and height of the images in pixels, where that is known.
    attributes: names of the difficulties that the sequence has.
    images: a folder of images, or the images themselves, in order; None: not
      known.
    frame_range: first and last annotated image by the number in its name, where
      more images are shipped than annotated.
  """
  name: str
  boxes_xywh: np.ndarray
  origin: int = 0
  visible: np.ndarray | None = None
  frame_size: tuple[int, int] | None = None
  attributes: tuple[str, ...] = ()
  images: Path | tuple[Path, ...] | None = None
  frame_range: tuple[int, int] | None = None

  def __len__(self) -> int:
    return len(self.boxes_xywh)


def from_zero(boxes_xywh: np.ndarray, origin: int) -> np.ndarray:
  """[n, 4] boxes as of a file that counts pixels from 0."""
  return boxes_xywh - np.array([1, 1, 0, 0]) * origin


@dataclasses.dataclass(frozen=True, eq=False)
class Unreadable:
  """In the place of a sequence whose annotation cannot be used.

  Attributes:
    name: unique in its data set.
    error: why not.
  """
  name: str
  error: UserError


Found = Annotation | Unreadable
_Sequence = TypeVar('_Sequence')


@contextlib.contextmanager
def noted(name: str, failed: dict[str, str] | None) -> Iterator[None]:
  """Notes in `failed` what is wrong with a sequence, so that others can go on.

  Raises:
    UserError: of the block, if `failed` is None.
  """
  try:
    yield
  except UserError as error:
    if failed is None:
      raise
    failed[name] = str(error)


def usable(found: Iterable[_Sequence | Unreadable],
           failed: dict[str, str] | None = None) -> list[_Sequence]:
  """The sequences that can be used; see `noted` for the others.

  Raises:
    UserError: of the first that cannot be, if `failed` does not take it.
  """
  fine = []
  for sequence in found:
    if isinstance(sequence, Unreadable):
      with noted(sequence.name, failed):
        raise sequence.error
    else:
      fine.append(sequence)
  return fine


def check_first(boxes_xywh: np.ndarray, where: str,
                frame_size: tuple[int, int] | None = None) -> None:
  """Checks that a tracker can start from the first of [t, 4] boxes.

  Where the size of the frames (w, h) is given, boxes are 0-based.

  Raises:
    UserError: it is not finite, has no area, or lies outside the frame.
  """
  if not (np.isfinite(boxes_xywh[0]).all() and (boxes_xywh[0, 2:] > 0).all()):
    raise UserError(
        f'{where}: the first box has no area; expected width and height > 0, '
        'as trackers start from it: correct it')
  if frame_size is not None:  # clipped to a wrong one, all overlaps would be 0
    (x, y), (w, h) = boxes_xywh[0, :2], boxes_xywh[0, 2:]
    if not (-w < x < frame_size[0] and -h < y < frame_size[1]):
      raise UserError(
          f'{where}: the first box lies outside the frame, {frame_size[0]} x '
          f'{frame_size[1]} pixels by the annotation; expected a visible '
          'target: correct one of them')


def read_flags(path: Path, count: int, what: str = 'boxes') -> np.ndarray:
  """[count] whole numbers of a file, one for each of `what`; see `text`.

  Raises:
    UserError: missing, not numbers, or another count.
  """
  flags = text.read_flags(path)
  if len(flags) != count:
    raise UserError(f'{path}: {len(flags)} flags, but {count} {what}; expected '
                    'one flag for each: check the download')
  return np.trunc(flags)


def check_kind(path: Path) -> None:
  """Checks that the place of a benchmark is a file, a folder or nothing.

  Raises:
    UserError: it is a URL, a pipe or the like, which reading would wait for.
  """
  kind = other_kind(str(path))
  if kind:
    raise UserError(f'{path}: {kind}; expected the folder or the annotation '
                    'file of a benchmark: download it, or check the path')


def check_any(found: Sized, folder: Path, expected: str) -> None:
  """Checks that something was found in a folder.

  Raises:
    UserError: nothing was; names what was expected there.
  """
  if not found:
    inside = folder.is_dir() or (
        folder.is_file() and folder.suffix.lower() == '.json')
    what = (f'no sequences in {folder}' if inside else
            f'{folder} is not a folder')
    raise UserError(f'{what}; expected {expected}: check the path')


def check_unique(names: Iterable[str], where: Path) -> None:
  """Checks that each sequence of `where` has a name of its own.

  Raises:
    UserError: two have the same; the results of one would stand for both.
  """
  twice = [name for name, count in collections.Counter(names).items()
           if count > 1]
  if twice:
    raise UserError(f'{where}: two sequences are called {twice[0]}; expected '
                    'unique names: rename or remove one')


def missing(folder: Path, listed: Sequence[str], there: Collection[str],
            expected: str) -> list[Unreadable]:
  """In the place of sequences that a list names and a folder lacks.

  Raises:
    UserError: there is none of them.
  """
  def error(name: str, more: str = '') -> UserError:
    return UserError(f'{folder}: sequence {name}{more} is missing; expected '
                     f'{expected}: complete the download')

  absent = [name for name in listed if name not in there]
  if absent and len(absent) == len(listed):
    more = f' and {len(absent) - 1} more' if len(absent) > 1 else ''
    raise error(absent[0], more)
  return [Unreadable(name, error(name)) for name in absent]
