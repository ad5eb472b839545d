"""The usable frames of a data set as arrays, built once and cached."""

import dataclasses
import functools
import hashlib
import json
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamkpn_jax.core.atomic_io import atomic_paths
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.npz import read_npz
from siamkpn_jax.core.user_cache import cache_home
from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.shared_images import groups_of
from siamkpn_jax.datasets.stored_arrays import (
  check,
  check_starts,
  dropped_from_text,
  dropped_to_text,
  take,
)
from siamkpn_jax.datasets.tracks import Dropped, Layout, RawTrack

CACHE_NAME = '.siamkpn_index'  # the beginning of it
_VERSION = 6  # of the arrays below and of what the layouts read
_FAR = 1e6  # pixels; no image is as large


@dataclasses.dataclass(frozen=True)
class Index:
  """All tracks of a set, one after the other.

  Attributes:
    starts: [t + 1] where each track's frames begin; the last is n.
    folders: [f] below the set's folder.
    folder_ids: [n] of each frame's image.
    names: [n] of each frame's image, as the file system's bytes.
    boxes_xywh: [n, 4] float32, left, top, width, height; positive and finite.
    relative: [t] whether a track's boxes are fractions of the image.
    groups: [t] equal for tracks of one video, see `shared_images`.
  """

  starts: np.ndarray
  folders: np.ndarray
  folder_ids: np.ndarray
  names: np.ndarray
  boxes_xywh: np.ndarray
  relative: np.ndarray
  groups: np.ndarray

  @property
  def num_tracks(self) -> int:
    """Number of tracks."""
    return len(self.starts) - 1

  @staticmethod
  def of(content: dict[str, np.ndarray]) -> 'Index':
    """From its arrays as they were stored.

    Raises:
      ValueError: they do not fit.
    """
    names = take(content, 'names', 'S', None)
    index = Index(
        take(content, 'starts', 'i', None), take(content, 'folders', 'U', None),
        take(content, 'folder_ids', 'i', len(names)), names,
        take(content, 'boxes_xywh', 'f', len(names), 4),
        take(content, 'relative', 'b', len(content['starts']) - 1),
        take(content, 'groups', 'i', len(content['starts']) - 1))
    check_starts(index.starts, len(names))
    check('folder_ids', (index.folder_ids >= 0) &
          (index.folder_ids < len(index.folders)))
    check('boxes_xywh', np.isfinite(index.boxes_xywh).all() and
          index.boxes_xywh.dtype == np.float32)
    check('boxes_xywh', index.boxes_xywh[:, 2:] > 0)
    return index

  def digest(self) -> str:
    """Changes with anything that is in it; the groups follow from the rest."""
    digest = hashlib.sha256()
    for field in dataclasses.fields(self):
      if field.name == 'groups':
        continue
      digest.update(np.ascontiguousarray(getattr(self, field.name)).tobytes())
    return digest.hexdigest()

  def image(self, frame: int) -> str:
    """Path of a frame's image below the set's folder."""
    folder = str(self.folders[self.folder_ids[frame]])
    name = os.fsdecode(bytes(self.names[frame]))
    return f'{folder}/{name}'.removeprefix('/')


def load_index(name: str, folder: Path, layout: Layout
               ) -> tuple[Index, Dropped]:
  """The index of a data set, from its cache if nothing has changed.

  The cache lies in the set's folder or, if that cannot be written to, in
  $XDG_CACHE_HOME (~/.cache). The name of the set is for messages.

  Raises:
    UserError: there is no usable frame at all.
  """
  files = layout.annotations(folder)
  mark = _fingerprint(folder, files, layout)
  for path in _cache_paths(folder, layout):
    cached = _read_cache(path, mark, folder, files)
    if cached is not None:
      return cached
  dropped = Dropped()
  index = build_index(layout.tracks(folder, dropped), folder, dropped)
  if not index.num_tracks:
    reasons = ', '.join(
        f'{reason}: {count} (first: {dropped.examples[reason]})'
        for reason, count in dropped.counts.items())
    raise UserError(f'{folder}: no usable frame for {name}; expected '
                    f'{layout.EXPECTED}; skipped: {reasons or "nothing"}')
  paths = _cache_paths(folder, layout)
  if not any(_write_cache(path, mark, folder, files, index, dropped)
             for path in paths):
    print(f'note: the index of {name} cannot be saved in {paths[0].parent} or '
          f'{paths[1].parent}; the data set is scanned at every start',
          file=sys.stderr)
  return index, dropped


def build_index(tracks: Iterator[RawTrack], folder: Path,
                dropped: Dropped) -> Index:
  """Keeps the frames whose box has an area and whose image exists.

  What is left out of the set in the folder is noted.
  """
  existing = _Existing(folder)
  folders: dict[str, int] = {}
  starts, ids, names, boxes, relative = [0], [], [], [], []
  for track in tracks:
    keep = _usable(track, existing, dropped)
    if not keep.any():
      dropped.add('tracks: no usable frame', track.name)
      continue
    if not track.relative and (track.boxes_xywh[keep] <= 1).all() and (
        track.boxes_xywh[keep, 2:] < 1).all():
      dropped.add('tracks: boxes are fractions of the image, not pixels',
                  track.name)
      continue
    for k in np.flatnonzero(keep):
      parent, _, name = track.images[k].rpartition('/')
      ids.append(folders.setdefault(parent, len(folders)))
      names.append(os.fsencode(name))
    boxes.append(track.boxes_xywh[keep].astype(np.float32))
    starts.append(len(names))
    relative.append(track.relative)
  of_images = (np.asarray(ids, np.int32), np.asarray(names, bytes))
  return Index(
      np.asarray(starts), np.asarray(list(folders), str), *of_images,
      np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
      np.asarray(relative, bool), groups_of(np.asarray(starts), *of_images))


def _usable(track: RawTrack, existing: '_Existing',
            dropped: Dropped) -> np.ndarray:
  """[t] True for the frames that can be trained on."""
  with np.errstate(over='ignore'):
    boxes = track.boxes_xywh.astype(np.float32)  # as they are kept
  finite = np.isfinite(boxes).all(axis=1)
  with np.errstate(invalid='ignore', over='ignore'):
    area = (boxes[:, 2:] > 0).all(axis=1) & (
        boxes[:, 2] * boxes[:, 3] > 0) & (np.abs(boxes) < _FAR).all(axis=1)
  there = np.asarray([image in existing for image in track.images], bool)
  keep = np.ones(len(boxes), bool)
  for reason, good in (
      ('frames: target absent', ~track.absent),
      ('frames: box is not a number', finite),
      ('frames: box without area or far outside', area),
      ('frames: image missing', there)):
    bad = keep & ~good
    if bad.any():
      first = track.images[int(np.argmax(bad))]
      dropped.add(reason, f'{track.name}, {first}', int(bad.sum()))
    keep &= good
  return keep


class _Existing:
  """Which images exist, from one listing of each folder."""

  def __init__(self, folder: Path):
    self._folder = folder
    # A set has as many folders as videos, or a few large ones.
    self._list = functools.lru_cache(maxsize=4096)(self._names)

  def __contains__(self, image: str) -> bool:
    parent, _, name = image.rpartition('/')
    return name in self._list(parent)

  def _names(self, parent: str) -> frozenset[str]:
    return frozenset(
        entry.name for entry in scan.entries(f'{self._folder}/{parent}'))


def _fingerprint(folder: Path, files: list[Path], layout: Layout) -> str:
  """Changes with the annotation files."""
  digest = hashlib.sha256(f'{_VERSION} {layout.EXPECTED}'.encode())
  for path in sorted(files):
    stat = path.stat()
    digest.update(f'{path.relative_to(folder)} {stat.st_size} '
                  f'{stat.st_mtime_ns}\n'.encode(errors='surrogateescape'))
  return digest.hexdigest()


def _changes(folder: Path, folders: np.ndarray, files: list[Path]) -> list[int]:
  """When something was last added to or removed from the images' folders.

  And from those of the annotation files, where images may be missing yet, and
  from the folders above both, where other videos may appear. Of the set's own
  folder, in which the cache is written, the names count.
  """
  known = {*map(Path, map(str, folders)),
           *(path.parent.relative_to(folder) for path in files)}
  watched = {above for path in known for above in (path, *path.parents)}
  names = '\0'.join(sorted(scan.names(folder))).encode(errors='surrogateescape')
  return [zlib.crc32(names), *((folder / path).stat().st_mtime_ns
                               for path in sorted(watched - {Path()}))]


def _cache_paths(folder: Path, layout: Layout) -> list[Path]:
  """In the folder, which may hold sets of two layouts, then in the home."""
  digest = lambda text: hashlib.sha256(os.fsencode(text)).hexdigest()
  name = f'{CACHE_NAME}_{digest(layout.EXPECTED)[:8]}.npz'
  return [folder / name, cache_home() / 'siamkpn_jax' /
          f'{digest(str(folder.resolve()))[:24]}{name}']


def _read_cache(path: Path, mark: str, folder: Path, files: list[Path]
                ) -> tuple[Index, Dropped] | None:
  """None if there is no cache, or it is stale, damaged or of something else."""
  try:
    with path.open('rb') as file:
      content = read_npz(file)
    head = json.loads(str(take(content, 'head', 'U')))
    if head['mark'] != mark:
      return None
    index, dropped = Index.of(content), dropped_from_text(head['dropped'])
    fresh = (head['digest'] == index.digest() and
             head['changes'] == _changes(folder, index.folders, files))
  except (OSError, ValueError, LookupError, TypeError, RecursionError):
    return None
  return (index, dropped) if fresh else None


def _write_cache(path: Path, mark: str, folder: Path, files: list[Path],
                 index: Index, dropped: Dropped) -> bool:
  """Whole or not at all; False where it cannot be written."""
  head = json.dumps({
      'mark': mark, 'changes': _changes(folder, index.folders, files),
      'digest': index.digest(), 'dropped': dropped_to_text(dropped)})
  arrays = {field.name: getattr(index, field.name)
            for field in dataclasses.fields(Index)}
  try:
    with atomic_paths([path]) as partial, partial[path].open('wb') as file:
      np.savez(file, head=np.asarray(head), **arrays)
  except (OSError, UserError):
    return False
  return True
