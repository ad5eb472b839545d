"""Which line of a file of boxes belongs to which image.

Files of boxes have a line per image and no names. As long as there are as many
lines as images they belong together in order. Where images are missing, or were
never annotated, only the numbers in the names of the images can tell, and only
if there is one way to read them; any guess would give images the boxes of
others.
"""

import itertools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from siamkpn_jax.datasets.formats import scan

_Image = TypeVar('_Image', str, Path)
_ZEROS = re.compile('(?<![0-9])0+(?=[0-9])')  # that fill a number up


def frame_number(image: str | Path) -> int | None:
  """The last number in the name of an image: 7 of 'cam2_0007.jpg'."""
  numbers = re.findall('[0-9]+', scan.stem(str(image)))
  # Python refuses to read thousands of digits; no frame has such a number.
  return int(numbers[-1]) if numbers and len(numbers[-1]) < 100 else None


def frames_only(images: Sequence[_Image]) -> list[_Image]:
  """The images without what has no number beside frames that have one.

  That is a title or a preview.
  """
  numbered = [image for image in images if frame_number(image) is not None]
  return numbered or list(images)


def frame_numbers(images: Sequence[str | Path]) -> list[int] | None:
  """The numbers of all; None unless each is larger than the one before."""
  found = [frame_number(image) for image in images]
  numbers = [number for number in found if number is not None]
  rising = all(a < b for a, b in itertools.pairwise(numbers))
  return numbers if len(numbers) == len(images) and rising else None


def starts_at(images: Sequence[str]) -> int | None:
  """0 or 1 if the images are numbered from there."""
  return _only({0, 1} & {*(frame_numbers(images) or ())[:1]})


def is_whole(images: Sequence[str | Path]) -> bool:
  """Whether the images are numbered from 0 or 1 on without a gap."""
  numbers = frame_numbers(images) or []
  return bool(numbers) and numbers in ([*range(len(numbers))],
                                       [*range(1, len(numbers) + 1)])


def pair(images: Sequence[str], num_boxes: int, *, first: int | None = None,
         frame_range: tuple[int, int] | None = None,
         usual_first: Callable[[], int | None] = lambda: None
         ) -> np.ndarray | None:
  """[len(images)] the row of each image's box, -1 where it has none.

  Args:
    images: in order, at least one.
    num_boxes: lines in the file of boxes.
    first: number of the first image, where the data set says so.
    frame_range: numbers of the first and last annotated image, where the data
      set says so; counts only if the boxes are as many.
    usual_first: gives that of the first image in other videos of the data set,
      if it is known; asked only if nothing else decides.

  Returns:
    None: nothing tells which box belongs to which image.
  """
  frames = frames_only(images)
  if _twice(frames):
    return None
  if len(frames) == num_boxes:
    row_of = {image: row for row, image in enumerate(frames)}
  else:
    numbers = frame_numbers(frames)
    if numbers is None:
      return None
    begin = _first(numbers, num_boxes, first, frame_range)
    if begin is None:
      begin = usual_first()
      if begin is None or begin not in _possible(numbers, num_boxes):
        return None
    row_of = {image: number - begin
              for image, number in zip(frames, numbers, strict=True)
              if 0 <= number - begin < num_boxes}
  return np.array([row_of.get(image, -1) for image in images], np.int64)


def _twice(images: Sequence[str]) -> bool:
  """Whether a frame is there in two files, as 1.jpg and 1.png or 001.jpg."""
  different = {*images}
  return len({_ZEROS.sub('', os.path.splitext(image)[0])
              for image in different}) < len(different)


def _first(numbers: list[int], num_boxes: int, first: int | None,
           frame_range: tuple[int, int] | None) -> int | None:
  """Number of the image that the first box belongs to, if that is certain."""
  if frame_range and frame_range[1] - frame_range[0] + 1 == num_boxes and (
      numbers[0] <= frame_range[0] and frame_range[1] <= numbers[-1]):
    return frame_range[0]
  if len(numbers) > num_boxes:
    # Images after the last box; that the first is there must be clear.
    return _only({numbers[0]} & ({0, 1} if first is None else {first}))
  possible = _possible(numbers, num_boxes)
  if first in possible:
    return first
  return _only({*possible} if len(possible) == 1 else {0, 1} & {*possible})


def _possible(numbers: list[int], num_boxes: int) -> range:
  """The first numbers with which every image has a box."""
  return range(max(0, numbers[-1] - num_boxes + 1), numbers[0] + 1)


def _only(found: set[int]) -> int | None:
  return found.pop() if len(found) == 1 else None
