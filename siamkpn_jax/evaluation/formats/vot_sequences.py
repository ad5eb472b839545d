"""Annotated sequences of the VOT short-term challenges (2013 to 2019).

Two sources are read:

  <root>/list.txt                     the layout of the vot-toolkit: names, one
  <root>/<name>/groundtruth.txt       per line; a region per frame
  <root>/<name>/<tag>.tag             0 or 1 per frame, any number of files
  <root>/<name>/sequence              optional: channels.color=color/%08d.jpg
  <root>/<name>/color/00000001.jpg    or where `sequence` says, or <root>/<name>

  VOT2018.json                        all annotations in one file, as pysot
                                      wants it, beside the sequence folders

Images need not be there: annotations alone are enough for scoring if the size
of the frames is known, which pysot's file and `sequence` (width=, height=) may
say.
"""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import check_name
from siamkpn_jax.core.images import list_images, read_image
from siamkpn_jax.core.numbers import whole
from siamkpn_jax.core.stored_json import check_plain
from siamkpn_jax.datasets.formats import json_file, pairing, scan, text
from siamkpn_jax.datasets.formats.annotations import (
  Unreadable,
  check_kind,
  usable,
)
from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.formats.regions import Regions

TAGS = ('camera_motion', 'illum_change', 'motion_change', 'size_change',
        'occlusion')  # as pysot's files call them


@dataclasses.dataclass(frozen=True, eq=False)
class VotSequence:
  """One target in one video, its region in every frame.

  Attributes:
    name: unique in its benchmark.
    truth: t regions, no markers.
    tags: name -> [t] bool, what is difficult in which frame.
    frames: t image files, in order; none if the images are not there.
    size: width and height of the frames in pixels, if the annotation says it.
  """
  name: str
  truth: Regions
  tags: Mapping[str, np.ndarray]
  frames: tuple[Path, ...] = ()
  size: tuple[int, int] | None = None

  def __len__(self) -> int:
    return len(self.truth)


def load_vot(path: str | Path) -> list[VotSequence]:
  """Reads a folder in the vot-toolkit's layout, or pysot's JSON file.

  At least one sequence, in the order of the list.

  Raises:
    UserError: nothing to read, a damaged annotation, or frames and regions that
      do not belong together.
  """
  return usable(find_vot(Path(path)))


def find_vot(path: Path) -> list[VotSequence | Unreadable]:
  """As `load_vot`, with those sequences that cannot be used.

  Raises:
    UserError: nothing to read.
  """
  check_kind(path)
  sequences = _load_json(path) if path.is_file() else _load_folder(path)
  if not sequences:
    raise UserError(f'{path}: lists no sequence; expected at least one: '
                    'restore the file')
  return sequences


def frame_size(sequence: VotSequence) -> tuple[int, int]:
  """Width and height of the frames; the first is read if nothing else says it.

  Raises:
    UserError: neither the annotation nor an image says it.
  """
  if sequence.size:
    return sequence.size
  if not sequence.frames:
    raise UserError(
        f'sequence {sequence.name}: unknown frame size; expected width and '
        'height in the annotation, or images next to it: add either')
  height, width = read_image(sequence.frames[0]).shape[:2]
  return width, height


def starting_box(region: list[float]) -> np.ndarray:
  """The box that stands for a region when a tracker is started, [4] xywh.

  A rectangle stands for itself. For a polygon of 8 numbers it is the upright
  box around the mean of its corners that has the sides' area and the bounding
  box's shape. Source: SPEC 8, "rotated ground truth"; pysot and the released
  tracker do so.

  Raises:
    ValueError: the polygon's bounding box has no area.
  """
  if len(region) == 4:
    return np.array(region, np.float64)
  points = np.array(region, np.float64).reshape(4, 2)
  sides = np.linalg.norm(points[1:3] - points[:2], axis=1)
  extent = points.max(axis=0) - points.min(axis=0)
  if not extent.all():
    raise ValueError(f'the region {region} has no area')
  size = np.sqrt(sides.prod() / extent.prod()) * extent + 1
  return np.concatenate([points.mean(axis=0) - (size - 1) / 2, size])


def _load_folder(root: Path) -> list[VotSequence | Unreadable]:
  listed = root / 'list.txt'
  for path in (root, listed):
    if not path.exists():
      raise UserError(f'{path}: does not exist; expected a folder with '
                      "list.txt, or pysot's JSON file: check the path")
  names = text.read_names(listed)
  if len(set(names)) < len(names):
    raise UserError(f'{listed}: lists a sequence twice; expected each once: '
                    'remove the duplicate')
  return [_read(name, functools.partial(_load_sequence, root / name))
          for name in names]


def _read(name: str, load: Callable[[], VotSequence]
          ) -> VotSequence | Unreadable:
  try:
    return load()
  except UserError as error:
    return Unreadable(name, error)


def _load_sequence(folder: Path) -> VotSequence:
  truth = regions.read_truth(folder / 'groundtruth.txt')
  tags = {path.stem: _read_tag(path, len(truth))
          for suffix in ('.tag', '.label')
          for path in scan.files(folder, suffix)}
  properties = _read_properties(folder / 'sequence')
  frames = _frames_of(folder, properties)
  _check_count(folder.name, frames, truth)
  width, height = (properties.get(key, '') for key in ('width', 'height'))
  try:
    size = (_size(folder.name, whole(width), whole(height))
            if width and height else None)
  except ValueError as error:
    raise UserError(f'{folder / "sequence"}: {" ".join(str(error).split())}; '
                    'expected width and height in pixels: correct it'
                    ) from error
  _check_first(folder.name, truth, size)
  return VotSequence(folder.name, truth, tags, frames, size)


def _size(name: str, width: Any, height: Any) -> tuple[int, int]:
  """Width and height; ValueError, OverflowError if they cannot be those."""
  size = int(width), int(height)
  if not all(1 <= side <= regions.LARGEST for side in size):
    raise ValueError(f'frames of {name} are {width} x {height}'[:60])
  return size


def _check_first(name: str, truth: Regions,
                 size: tuple[int, int] | None) -> None:
  """Checks that the first region touches the frame; else all overlaps are 0."""
  if size is None:
    return
  points = regions.corners(truth[:1], inclusive=False)[0]
  if (points.max(axis=0) <= 0).any() or (points.min(axis=0) >= size).any():
    raise UserError(
        f'sequence {name}: the first region lies outside the frame, {size[0]} '
        f'x {size[1]} pixels by the annotation; expected a visible target: '
        'correct one of them')


def _read_properties(path: Path) -> dict[str, str]:
  if not path.is_file():
    return {}
  pairs = (line.partition('=') for line in text.read_text(path).splitlines())
  return {key.strip(): value.strip() for key, _, value in pairs}


def _frames_of(folder: Path, properties: dict[str, str]) -> tuple[Path, ...]:
  places = [folder / 'color', folder]
  said = properties.get('channels.color', '').replace('\\', '/')
  if said:  # a pattern of files, or a folder
    path = PurePosixPath(said)
    places = [folder / (path.parent if path.suffix else path)]
  found = (pairing.frames_only(list_images(place)) for place in places)
  return tuple(next(filter(None, found), ()))


def _check_count(name: str, frames: tuple[Path, ...], truth: Regions) -> None:
  if frames and len(frames) != len(truth):
    raise UserError(
        f'sequence {name}: {len(frames)} images in {frames[0].parent} but '
        f'{len(truth)} regions; expected one region per image: check the '
        'download')


def _read_tag(path: Path, count: int) -> np.ndarray:
  words = text.read_text(path).split()
  return _tag([word == '1' for word in words], count)


def _tag(values: list[bool], count: int) -> np.ndarray:
  """[count] bool; the toolkits read missing frames as untagged, too."""
  tag = np.zeros(count, bool)
  tag[:len(values)] = values[:count]
  return tag


def _load_json(path: Path) -> list[VotSequence | Unreadable]:
  with _json_errors(path):
    entries = dict(
        json_file.parse_unique(text.read_text(path)).items())
  for name in entries:
    check_name(name, str(path))

  def load(name: str) -> VotSequence:
    with _json_errors(path):
      return _from_entry(path.parent, name, entries[name])

  return [_read(name, functools.partial(load, name)) for name in entries]


@contextlib.contextmanager
def _json_errors(path: Path) -> Iterator[None]:
  """Not JSON, or not what it should hold."""
  try:
    yield
  except (ValueError, KeyError, TypeError, AttributeError, RecursionError,
          OverflowError) as error:
    raise UserError(
        f'{path}: not an annotation file ({type(error).__name__}: '
        f'{" ".join(str(error).split())[:60]}); expected name -> gt_rect, '
        "img_names and tags, as in pysot's VOT2018.json: restore it") from error


def _from_entry(root: Path, name: str, entry: dict[str, Any]) -> VotSequence:
  check_plain(entry, finite=False)
  rows = entry['gt_rect']
  if not rows or any(len(row) not in {4, 8} for row in rows):
    raise ValueError(f'gt_rect of {name}: expected 4 or 8 numbers per frame')
  truth = regions.from_rows(rows)
  if not (np.abs(truth.numbers) <= regions.LARGEST).all():
    raise ValueError(f'gt_rect of {name} holds invalid numbers')
  images = tuple(root / scan.spelled(root, image)
                 for image in entry.get('img_names', ()))
  if images and len(images) != len(truth):
    raise UserError(f'sequence {name}: {len(images)} images but {len(truth)} '
                    'regions in the annotation; expected one region per image: '
                    'restore it')
  tags = {tag: _tag([value == 1 for value in entry[tag]], len(truth))
          for tag in TAGS if tag in entry}
  size = (_size(name, entry['width'], entry['height'])
          if 'width' in entry and 'height' in entry else None)
  _check_first(name, truth, size)
  there = images and os.path.isfile(images[0])
  return VotSequence(name, truth, tags, images if there else (), size)
