"""Crops in record files, as `python -m siamkpn_jax.pack` writes them.

They may lie in object storage: every crop is one request for a range of bytes.
"""

import contextlib
import dataclasses
import io
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.core.npz import read_npz
from siamkpn_jax.datasets.patches import EncodedFrame, decode_patch
from siamkpn_jax.datasets.stored_arrays import (
  check,
  check_starts,
  dropped_from_text,
  dropped_to_text,
  take,
)
from siamkpn_jax.datasets.tracks import Dropped

INDEX_NAME = 'siamkpn_index.npz'
PLAN_NAME = 'siamkpn_plan.json'  # there from the start of the packing on
_FILES = 'the record files of this data set'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crops:
  """Where crops are in record files.

  Attributes:
    files: [f] record files.
    sizes: [f] of them, bytes.
    file_ids: [n] int32 of each crop's file.
    offsets: [n] int64 where its JPEG begins.
    lengths: [n] int32 of the JPEG.
    checksums: [n] uint32 CRC-32 of the JPEG.
    wh: [n, 2] float32 width and height of the target in the crop.
  """

  files: np.ndarray
  sizes: np.ndarray
  file_ids: np.ndarray
  offsets: np.ndarray
  lengths: np.ndarray
  checksums: np.ndarray
  wh: np.ndarray

  def to_npz(self, **more: Any) -> bytes:
    """Content of a file of these arrays, and of more."""
    buffer = io.BytesIO()
    np.savez(buffer, **dataclasses.asdict(self), **more)
    return buffer.getvalue()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PackedIndex(Crops):
  """The crops of a set, track by track; files are below its folder.

  Attributes:
    starts: [t + 1] where each track's crops begin; the last is n.
    groups: [t] see `Source`; [0] for None.
  """

  starts: np.ndarray
  groups: np.ndarray

  def to_bytes(self, dropped: Dropped) -> bytes:
    """Content of the index file."""
    return self.to_npz(dropped=np.asarray(dropped_to_text(dropped)))

  @staticmethod
  def from_bytes(data: bytes) -> tuple['PackedIndex', Dropped]:
    """The opposite of `to_bytes`.

    Raises:
      ValueError: damaged, or something else.
    """
    content = read_npz(io.BytesIO(data))
    index = PackedIndex(starts=take(content, 'starts', 'i', None),
                        groups=take(content, 'groups', 'i', None),
                        **take_crops(content))
    check_starts(index.starts, len(index.wh))
    check('groups', len(index.groups) in (0, len(index.starts) - 1))
    check('wh', index.wh > 0)
    return index, dropped_from_text(str(take(content, 'dropped', 'U')))


def take_crops(content: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The fields of `Crops` from a file's content.

  Raises:
    ValueError: they do not fit.
  """
  files, wh = take(content, 'files', 'U', None), take(content, 'wh', 'f', None,
                                                      2)
  sizes = take(content, 'sizes', 'i', len(files))
  ids, offsets, lengths, checksums = (
      take(content, name, 'iu', len(wh))
      for name in ('file_ids', 'offsets', 'lengths', 'checksums'))
  check('files', [is_plain(name) for name in files.tolist()])
  check('file_ids', (ids >= 0) & (ids < len(files)))
  check('offsets', (offsets >= 0) & (lengths > 0) &
        (offsets <= sizes[ids] - lengths))
  check('wh', np.isfinite(wh) & (wh >= 0) & (wh <= geometry.CONTEXT_SIZE))
  return {'files': files, 'sizes': sizes, 'file_ids': ids, 'offsets': offsets,
          'lengths': lengths, 'checksums': checksums, 'wh': wh}


def is_plain(name: str) -> bool:
  """Whether a file of this name is surely below the folder of the set."""
  return not re.search(r'[\x00\\:]', name) and all(
      part not in ('', '.', '..') for part in name.split('/'))


class PackedSource:
  """The tracks of a packed set; see `Source`."""

  kind = 'packed'

  def __init__(self, name: str, place: str):
    """Reads the index and compares the record files with it.

    The place is a folder, or an address that fsspec knows, as gs://...

    Raises:
      UserError: no such set, or files of it are missing or cut.
    """
    self.name = name
    self._place = place
    with _reading(f'{place}/{INDEX_NAME}',
                  'a data set packed by python -m siamkpn_jax.pack'):
      # fsspec would find a meaning in '::' and the like of a local path.
      if '://' in place:
        self._files, self._folder = fsspec.core.url_to_fs(place)
      else:
        self._files, self._folder = LocalFileSystem(), os.path.abspath(place)
      content = self._files.cat_file(f'{self._folder}/{INDEX_NAME}')
    try:
      self._index, self.dropped = PackedIndex.from_bytes(content)
    except ValueError as error:
      raise UserError(f'{place}/{INDEX_NAME}: damaged ({error}): run python -m '
                      'siamkpn_jax.pack again, which keeps intact '
                      'parts') from error
    self._check_files()
    self.num_tracks = len(self._index.starts) - 1
    self.total_frames = len(self._index.wh)
    self.groups = self._index.groups if len(self._index.groups) else None

  def _check_files(self) -> None:
    names = self._index.files.tolist()
    sizes: dict[str, int] = {}
    for parent in sorted({f'{self._folder}/{name}'.rpartition('/')[0]
                          for name in names}):
      with (_reading(f'{self._place}/', _FILES),
            contextlib.suppress(FileNotFoundError)):
        listed = self._files.ls(parent, detail=True)
        sizes |= {entry['name'].lstrip('/'): entry['size'] for entry in listed}
    bad = [name for name, size in zip(names, self._index.sizes, strict=True)
           if sizes.get(f'{self._folder}/{name}'.lstrip('/')) != size]
    if bad:
      raise UserError(
          f'{self._place}: {len(bad)} of {len(names)} record files are missing '
          f'or truncated, first {bad[0]}: run python -m siamkpn_jax.pack again '
          'to rebuild them')

  def num_frames(self, track: int) -> int:
    """See `Source`."""
    starts = self._index.starts
    return int(starts[track + 1] - starts[track])

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`.

    Raises:
      UserError: the record is damaged or cannot be reached.
    """
    return decode_patch(self.load(track, position), patch)

  def load(self, track: int, position: int) -> EncodedFrame:
    """The JPEG of a crop; arguments as of `read`.

    Raises:
      UserError: the record is damaged or cannot be reached.
    """
    index = self._index
    frame = int(index.starts[track]) + position
    begin, length = int(index.offsets[frame]), int(index.lengths[frame])
    file = f'{self._place}/{index.files[index.file_ids[frame]]}'
    with _reading(file, _FILES):
      data = self._files.cat_file(file.replace(self._place, self._folder, 1),
                                  begin, begin + length)
    if zlib.crc32(data) != index.checksums[frame]:
      raise UserError(f'{file}: damaged at byte {begin}; expected an intact '
                      'record: run python -m siamkpn_jax.pack --verify')
    wh = index.wh[frame]
    size = geometry.CONTEXT_SIZE
    return EncodedFrame(data, f'{file} at byte {begin}',
                        np.concatenate([(size - wh) / 2, wh]), side=size)


@contextlib.contextmanager
def _reading(what: str, expected: str) -> Iterator[None]:
  """Turns what a storage raises while `what` is read into a UserError."""
  try:
    yield
  except ImportError as error:
    raise UserError(f'{what}: {error}; expected the package for this storage: '
                    'install it') from error
  except Exception as error:
    # Each storage has errors of its own; Python's other ones are bugs, or a
    # full memory.
    if not isinstance(error, OSError | ValueError | RuntimeError) and (
        type(error).__module__ == 'builtins'):
      raise
    raise UserError(f'{what}: cannot be read ({first_line(error)}); expected '
                    f'{expected}') from error


def is_packed(folder: Path) -> bool:
  """Whether a folder holds a packed set."""
  return (folder / INDEX_NAME).is_file()


def is_unfinished(folder: Path) -> bool:
  """Whether a folder holds a packing that was interrupted."""
  return (folder / PLAN_NAME).is_file() and not is_packed(folder)
