"""What a benchmark says of a sequence, read without its images.

An `Annotation` is enough to score result files; `sequences.with_frames` adds
the images that a tracker needs.
"""

import dataclasses
from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results


@dataclasses.dataclass(frozen=True, eq=False)
class Annotation:
  """One target in one video, as its files have it.

  Attributes:
    name: unique in its benchmark.
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


def read_truth(path: Path) -> np.ndarray:
  """[t, 4] annotated boxes of a text file, in its own pixel convention.

  Raises:
    UserError: missing or damaged, or the first box has no area.
  """
  boxes_xywh = results.read_boxes(path, allow_nan=True)
  check_first(boxes_xywh, f'{path} line 1')
  boxes_xywh.flags.writeable = False
  return boxes_xywh


def check_first(boxes_xywh: np.ndarray, where: str) -> None:
  """Checks that a tracker can start from the first of [t, 4] boxes.

  Raises:
    UserError: it is not finite or has no area.
  """
  if not (np.isfinite(boxes_xywh[0]).all() and (boxes_xywh[0, 2:] > 0).all()):
    raise UserError(
        f'{where}: the first box has no area; a tracker starts from it; '
        'expected width and height > 0; correct it')


def read_flags(path: Path, count: int, what: str = 'boxes') -> np.ndarray:
  """[count] whole numbers of a file; commas, spaces or line ends separate.

  Args:
    path: the text file.
    count: how many there must be.
    what: what there is one for, for the message.

  Raises:
    UserError: missing, not numbers, or another count.
  """
  words = results.read_text(path).replace(',', ' ').split()
  try:
    flags = np.array([int(float(word)) for word in words])
  except (ValueError, OverflowError):
    raise UserError(f'{path}: not all entries are numbers; expected {count} '
                    'flags; restore the file') from None
  if len(flags) != count:
    raise UserError(f'{path}: {len(flags)} flags but {count} {what}; expected '
                    'one flag for each; check the download')
  return flags


def read_names(path: Path) -> list[str]:
  """The sequence names of a list file, one per line.

  Raises:
    UserError: missing, empty, or not text.
  """
  names = results.read_text(path).split()
  if not names:
    raise UserError(f'{path} is empty; expected one sequence name per line; '
                    'restore the file')
  return names


def subfolders(folder: Path) -> list[Path]:
  """The folders in a folder, sorted, without hidden ones.

  Raises:
    UserError: it is not a folder.
  """
  if not folder.is_dir():
    raise UserError(f'{folder} is not a folder; expected the annotations of a '
                    'benchmark; check the path')
  return sorted(f for f in folder.iterdir()
                if f.is_dir() and not hidden(f))


def hidden(folder: Path) -> bool:
  """Whether a folder is to be left out by its name."""
  return folder.name.startswith(('_', '.'))


def some(found: list[Annotation], folder: Path, layout: str
         ) -> list[Annotation]:
  """`found`, if it is not empty.

  Raises:
    UserError: it is.
  """
  if not found:
    raise UserError(f'no sequences in {folder}; expected {layout}; check the '
                    'path')
  return found


def missing(folder: Path, names: list[str], what: str) -> UserError:
  """The error for sequences that a list names and a folder lacks."""
  more = f' and {len(names) - 1} more' if len(names) > 1 else ''
  return UserError(f'sequence {names[0]}{more} is missing in {folder}; '
                   f'expected {what}; complete the download')
