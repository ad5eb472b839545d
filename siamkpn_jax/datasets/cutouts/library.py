"""Finds cut-outs and backdrops in folders, and keeps the cut-outs in use.

What a folder gives is found out from what is in it:

  train.json and crops   the objects of crops <frame>.<track>.x.jpg beside which
                         there is a mask <frame>.<track>.m.png; all crops are
                         backdrops
  images                 at any depth: PNG and WebP with alpha are cut-outs,
                         animated ones in motion; other images are backdrops
"""

import collections
import dataclasses
import itertools
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.core import reading
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import (
  SUFFIXES,
  decode_image,
  jpeg_header,
  natural_key,
  read_bytes,
)
from siamkpn_jax.datasets.cutouts import sprites
from siamkpn_jax.datasets.formats import crop511, scan
from siamkpn_jax.datasets.tracks import Dropped

_FRAMES = 24  # of an animation or a video that are kept
_KEPT_BYTES = 2**30  # sprites in memory; what was used longest ago goes
_LARGE = 1000  # pixels; larger JPEGs are decoded at half their size
_PADDING = 12  # gray levels between the pixels of a row that is padding
MIN_BACKDROP = 240  # pixels, without padding


@dataclasses.dataclass(frozen=True)
class Cutout:
  """One object: where its frames are.

  Attributes:
    images: a file per frame, or one that may be animated.
    masks: of each image; (): the images have alpha.
  """

  images: tuple[str, ...]
  masks: tuple[str, ...] = ()


class Library:
  """All cut-outs and backdrops; files are read when they are asked for.

  Attributes:
    groups: the cut-outs' numbers folder by folder; distractors are of one.
    num_cutouts: number of objects; a folder that is named twice counts twice.
    objects: [num_cutouts] the first number of the same object.
    num_backdrops: number of pictures.
    dropped: objects without a mask.
  """

  def __init__(self, cutouts: Sequence[Sequence[Cutout]],
               backdrops: Sequence[str], dropped: Dropped):
    """Reads nothing yet; cut-outs are those of each folder."""
    ends = np.cumsum([0, *map(len, cutouts)]).tolist()
    self.groups = [range(low, high) for low, high in itertools.pairwise(ends)
                   if high > low]
    self.num_cutouts, self.num_backdrops = ends[-1], len(backdrops)
    self.dropped = dropped
    self._cutouts = [cutout for group in cutouts for cutout in group]
    first = {c: n for n, c in reversed(list(enumerate(self._cutouts)))}
    self.objects = np.array([first[c] for c in self._cutouts])
    self._backdrops = backdrops
    self._kept = _Kept(_KEPT_BYTES)

  def group(self, number: int) -> range:
    """The objects of the folder that a cut-out is from."""
    return next(group for group in self.groups if number in group)

  def frames(self, number: int) -> tuple[np.ndarray, ...]:
    """The sprites of a cut-out, in their order in time; see `sprites`.

    Raises:
      UserError: a file cannot be read, or nothing is in it.
    """
    found = self._kept.get(number)
    if found is None:
      found = _load(self._cutouts[number])
      self._kept.put(number, found)
    return found

  def backdrop(self, number: int) -> np.ndarray | None:
    """A picture [h, w, 3] uint8 BGR without padding; None: it is too small.

    Raises:
      UserError: the file cannot be read.
    """
    path = self._backdrops[number]
    data = read_bytes(Path(path))
    header = jpeg_header(data)
    large = header and min(header.width, header.height) > _LARGE
    image = without_padding(decode_image(
        data, path, cv2.IMREAD_REDUCED_COLOR_2 if large else
        cv2.IMREAD_COLOR))
    return image if min(image.shape[:2]) >= MIN_BACKDROP else None


def open_library(folders: Iterable[Path]) -> Library:
  """Lists what is in the folders; one named twice counts twice.

  Raises:
    UserError: a folder is missing or has nothing to use, or there is no
      cut-out in any; names all such folders.
  """
  dropped = Dropped()
  found = {folder: _list_crops(folder, dropped) if crop511.annotations(folder)
           else list_pictures(folder) for folder in dict.fromkeys(folders)}
  useless = [str(folder) for folder, (cutouts, backdrops) in found.items()
             if not cutouts and not backdrops]
  cutouts = [found[folder][0] for folder in folders]
  if useless or not any(cutouts):
    raise UserError(
        f'no cut-outs: {"nothing usable in " if useless else "none in "}'
        f'{", ".join(useless or map(str, found))}; expected folders in '
        'config.data.root, at least one of them with masked crops '
        '(train.json, .x.jpg and .m.png) or PNG or WebP images with alpha '
        '(docs/datasets.md): correct config.data.cutouts')
  return Library(cutouts, [path for folder in folders
                           for path in found[folder][1]], dropped)


def without_padding(image: np.ndarray) -> np.ndarray:
  """The part of [h, w, 3] between rows and columns of a single color."""
  gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
  top, bottom = _busy(gray[:, ::4])
  left, right = _busy(np.ascontiguousarray(gray[::4].T))
  return image[top:bottom, left:right]


def _busy(lines: np.ndarray) -> tuple[int, int]:
  """From where to where lines [n, m] are not of a single gray level."""
  span = lines.max(axis=1) - lines.min(axis=1)
  inside = np.flatnonzero(span > _PADDING)
  if len(inside) < 5:
    return 0, 0
  # JPEG's ringing beside the picture is left out, too.
  rings = lambda end, limit: 0 if end == limit else 3
  return (int(inside[0]) + rings(inside[0], 0),
          int(inside[-1]) + 1 - rings(inside[-1], len(lines) - 1))


def list_pictures(folder: Path) -> tuple[list[Cutout], list[str]]:
  """Cut-outs and backdrops of a folder of images, at any depth."""
  cutouts, backdrops = [], []
  for home, below, names in os.walk(folder):
    below[:] = sorted((b for b in below if not scan.hidden(b)),
                      key=natural_key)
    for name in sorted(names, key=natural_key):
      path = os.path.join(home, name)
      suffix = os.path.splitext(name)[1].lower()
      if scan.hidden(name) or suffix not in (*SUFFIXES, '.webp'):
        continue
      if suffix in ('.png', '.webp') and has_alpha(path):
        cutouts.append(Cutout((path,)))
      else:
        backdrops.append(path)
  return cutouts, backdrops


def _list_crops(folder: Path,
                dropped: Dropped) -> tuple[list[Cutout], list[str]]:
  """Of a folder of crops; objects without a mask are noted."""
  there = {str(path) for path in folder.rglob('*.[mx].*')}
  cutouts, backdrops = [], []
  for track in crop511.tracks(folder, Dropped()):
    images = [image for image in (str(folder / name) for name in track.images)
              if image in there]
    masked = [image for image in images if mask_of(image) in there]
    if masked:
      cutouts.append(Cutout(tuple(masked), tuple(map(mask_of, masked))))
    elif images:
      dropped.add('objects: without a mask', f'{folder}: {track.name}')
    backdrops += images
  return cutouts, backdrops


def mask_of(crop: str) -> str:
  """Where the mask of a crop is, if it has one."""
  return crop.removesuffix('.x.jpg') + '.m.png'


def has_alpha(path: str) -> bool:
  """Whether a PNG or WebP file says that it has alpha, by its first bytes.

  Raises:
    UnreachableError: the system does not give the file.
  """
  head = reading.read_bytes(Path(path), 32).ljust(32, b'\0')
  if head.startswith(b'\x89PNG'):
    return head[25] in (4, 6)  # the color types with alpha
  if head[:4] != b'RIFF' or head[8:12] != b'WEBP':
    return False
  return {b'VP8X': bool(head[20] & 0x10),  # container format, section 2.7
          b'VP8L': bool(head[24] & 0x10)}.get(head[12:16], False)


def _load(cutout: Cutout) -> tuple[np.ndarray, ...]:
  found: list[np.ndarray | None] = []
  files = list(itertools.zip_longest(cutout.images, cutout.masks))
  for image, mask in sprites.thinned(files, _FRAMES):
    if mask is None:
      found += map(sprites.from_alpha, sprites.decode_frames(
          read_bytes(Path(image)), image, _FRAMES))
    else:
      found.append(_masked(image, mask))
  frames = tuple(frame for frame in found if frame is not None)
  if not frames:
    raise UserError(f'{cutout.images[0]}: this cut-out is empty; expected a '
                    'visible object: remove it')
  return frames


def _masked(image: str, mask: str) -> np.ndarray | None:
  """The sprite of a crop and its mask, by their files."""
  crop, solid = (decode_image(read_bytes(Path(path)), path, flags)
                 for path, flags in ((image, cv2.IMREAD_COLOR),
                                     (mask, cv2.IMREAD_GRAYSCALE)))
  if crop.shape[:2] != solid.shape[:2]:
    raise UserError(f'{mask}: {solid.shape[1]}x{solid.shape[0]} pixels; '
                    f'expected the {crop.shape[1]}x{crop.shape[0]} of its crop')
  return sprites.from_mask(crop, solid)


class _Kept:
  """Sprites by number, limited in bytes; threads may share it."""

  def __init__(self, most: int):
    self._most, self._bytes = most, 0
    self._lock = threading.Lock()
    self._items: collections.OrderedDict[
        int, tuple[np.ndarray, ...]] = collections.OrderedDict()

  def get(self, key: int) -> tuple[np.ndarray, ...] | None:
    with self._lock:
      if key in self._items:
        self._items.move_to_end(key)
      return self._items.get(key)

  def put(self, key: int, frames: tuple[np.ndarray, ...]) -> None:
    with self._lock:
      if key not in self._items:
        self._items[key] = frames
        self._bytes += _size(frames)
      while self._bytes > self._most and len(self._items) > 1:
        self._bytes -= _size(self._items.popitem(last=False)[1])


def _size(frames: tuple[np.ndarray, ...]) -> int:
  return sum(frame.nbytes for frame in frames)
