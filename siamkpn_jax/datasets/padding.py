"""Finds the flat border around an image in a patch, and fills it otherwise.

Patches of large targets reach outside of their images, where they have one
color. A network that sees it there only could learn that it ends the search.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

_NOISE = 3  # gray levels by which JPEG changes a flat area
# Blocks of a JPEG that the image's edge crosses are less flat: their lines
# count as border where most of their pixels are nearly of its color.
_RINGING = 16  # gray levels
_BLOCK = 16  # pixels
_MOST = 0.9
_RIM = 2  # pixels of the image itself that have taken on some of the color
_BLUR = 31  # pixels, odd


class Border(NamedTuple):
  """How many lines belong to the border, on each side."""

  top: int
  bottom: int
  left: int
  right: int


def refill(rng: np.random.Generator, image: np.ndarray,
           wh: np.ndarray) -> np.ndarray:
  """Fills the border of [m, m, 3] uint8 in one of three ways, drawn at random.

  Mirrored, in the color of a pixel of the image, or its stretched edge; the
  target of size `wh` [2] is in the middle. Without a border, `image` itself.
  """
  border = flat_border(image, wh)
  if not any(border):
    return image
  way = int(rng.integers(3))
  if way == 0:
    return mirrored(image, border, wh)
  if way == 1:
    inside = _inside(image, border)
    y, x = rng.integers(inside.shape[:2])
    return colored(image, border, inside[y, x])
  return stretched(image, border)


def flat_border(image: np.ndarray, wh: np.ndarray) -> Border:
  """The lines of one color at the edges of [m, m, 3] uint8.

  It ends before the target of size `wh` [2] in the middle.
  """
  color = _edge_color(image)
  if color is None:
    return Border(0, 0, 0, 0)
  flat = _near(image, color, _NOISE)
  top, bottom = _both_ends(flat.all(axis=1))
  left, right = _both_ends(flat.all(axis=0))
  size = len(image)
  # Beside a wide border few pixels of a line belong to the image: only these.
  inner = _near(image, color, _RINGING)[top:size - bottom, left:size - right]
  if inner.size:
    rows, columns = (_both_ends(inner.mean(axis=axis) > _MOST, _BLOCK)
                     for axis in (1, 0))
    top, bottom = top + rows[0], bottom + rows[1]
    left, right = left + columns[0], right + columns[1]
  across, down = np.maximum((size - np.asarray(wh)) // 2, 0)
  cut = lambda count, most: int(min(count + _RIM, most)) if count else 0
  return Border(cut(top, down), cut(bottom, down),
                cut(left, across), cut(right, across))


def mirrored(image: np.ndarray, border: Border, wh: np.ndarray) -> np.ndarray:
  """Mirrors what lies between target and border, again and again.

  Not the target: it would be there twice.
  """
  across, down = (np.asarray(wh) / 2).tolist()
  rows = _mirror(len(image), border.top, border.bottom, down)
  columns = _mirror(len(image), border.left, border.right, across)
  return image[rows][:, columns]


def colored(image: np.ndarray, border: Border,
            color: np.ndarray) -> np.ndarray:
  """Gives the border another color, [3]."""
  return cv2.copyMakeBorder(_inside(image, border), *border,
                            cv2.BORDER_CONSTANT, value=color.tolist())


def stretched(image: np.ndarray, border: Border) -> np.ndarray:
  """Repeats the image's edge, blurred."""
  inside = _inside(image, border)
  whole = cv2.copyMakeBorder(inside, *border, cv2.BORDER_REPLICATE)
  out = cv2.blur(whole, (_BLUR, _BLUR), borderType=cv2.BORDER_REPLICATE)
  _inside(out, border)[...] = inside
  return out


def _inside(image: np.ndarray, border: Border) -> np.ndarray:
  """What the border leaves, a view."""
  height, width = image.shape[:2]
  return image[border.top:height - border.bottom,
               border.left:width - border.right]


def _edge_color(image: np.ndarray) -> np.ndarray | None:
  """[3] color of the first edge that has only one."""
  for line in (image[0], image[-1], image[:, 0], image[:, -1]):
    if (np.ptp(line, axis=0) <= 2 * _NOISE).all():
      return np.median(line, axis=0)
  return None


def _near(image: np.ndarray, color: np.ndarray, reach: int) -> np.ndarray:
  """[h, w] bool, which pixels differ by at most `reach` in each channel."""
  return cv2.inRange(image, color - reach, color + reach) > 0


def _both_ends(flags: npt.ArrayLike,
               most: int | None = None) -> tuple[int, int]:
  """How many of the first, and of the last, are True, up to a number."""
  line = np.asarray(flags)
  ends = (line[:most], line[::-1][:most])
  before, after = (len(end) if end.all() else int(np.argmin(end))
                   for end in ends)
  return before, after


def _mirror(size: int, before: int, after: int, half: float) -> np.ndarray:
  """[size] which line is shown at each place.

  So many lines before and after are border; `half` of the target's extent is in
  the middle.
  """
  lines, order = np.arange(size), np.arange(size)
  room = size / 2 - half  # lines outside of the target, on either side
  for count, place in ((before, order), (after, order[::-1])):
    period = max(int(room) - count, 1)
    steps = np.arange(count)[::-1] % (2 * period)  # away from the image
    mirror = np.minimum(steps, 2 * period - 1 - steps)
    lines[place[:count]] = place[count + mirror]
  return lines
