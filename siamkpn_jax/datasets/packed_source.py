"""Crops in record files, as `python -m siamkpn_jax.pack` writes them.

They may lie in object storage: every crop is one request for a range of bytes.
"""

import dataclasses
import io
import json
import os
import zlib
from pathlib import Path

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.datasets.patches import EncodedFrame, decode_patch
from siamkpn_jax.datasets.tracks import Dropped

INDEX_NAME = 'siamkpn_index.npz'
PLAN_NAME = 'siamkpn_plan.json'  # there from the start of the packing on


@dataclasses.dataclass(frozen=True)
class PackedIndex:
  """Where every crop is.

  Attributes:
    starts: [t + 1] where each track's crops begin; the last is n.
    files: [f] record files below the set's folder.
    sizes: [f] of them, bytes.
    file_ids: [n] int32 of each crop's file.
    offsets: [n] int64 where its JPEG begins.
    lengths: [n] int32 of the JPEG.
    checksums: [n] uint32 CRC-32 of the JPEG.
    wh: [n, 2] float32 width and height of the target in the crop.
  """

  starts: np.ndarray
  files: np.ndarray
  sizes: np.ndarray
  file_ids: np.ndarray
  offsets: np.ndarray
  lengths: np.ndarray
  checksums: np.ndarray
  wh: np.ndarray

  def to_bytes(self, dropped: Dropped) -> bytes:
    """Content of the index file."""
    head = {reason: (count, dropped.examples[reason])
            for reason, count in dropped.counts.items()}
    buffer = io.BytesIO()
    np.savez(buffer, dropped=np.asarray(json.dumps(head)),
             **dataclasses.asdict(self))
    return buffer.getvalue()

  @staticmethod
  def from_bytes(data: bytes) -> tuple['PackedIndex', Dropped]:
    """The opposite of `to_bytes`; raises errors of any kind if damaged."""
    content = np.load(io.BytesIO(data), allow_pickle=False)
    dropped = Dropped()
    for reason, (count, example) in json.loads(
        str(content['dropped'])).items():
      dropped.add(reason, example, count)
    return PackedIndex(**{field.name: content[field.name] for field in
                          dataclasses.fields(PackedIndex)}), dropped


class PackedSource:
  """The tracks of a packed set; see `Source`."""

  kind = 'packed'

  def __init__(self, name: str, place: str):
    """Reads the index and compares the record files with it.

    Args:
      name: of the set.
      place: its folder, or the address of it that fsspec knows, as gs://...

    Raises:
      UserError: no such set, or files of it are missing or cut.
    """
    self.name = name
    self._place = place
    try:
      # fsspec would find a meaning in '::' and the like of a local path.
      if '://' in place:
        self._files, self._folder = fsspec.core.url_to_fs(place)
      else:
        self._files, self._folder = LocalFileSystem(), os.path.abspath(place)
      content = self._files.cat_file(f'{self._folder}/{INDEX_NAME}')
    except ImportError as error:
      raise UserError(f'{place}: {error}; expected the package for this '
                      'storage: install it') from error
    except Exception as error:  # each storage has errors of its own
      raise UserError(
          f'{place}/{INDEX_NAME}: cannot be read ({first_line(error)}); '
          'expected a data set packed by python -m siamkpn_jax.pack') from error
    try:
      self._index, self.dropped = PackedIndex.from_bytes(content)
    except Exception as error:  # a cut file shows as errors of any kind
      raise UserError(f'{place}/{INDEX_NAME}: damaged: run python -m '
                      'siamkpn_jax.pack again, which keeps intact '
                      'parts') from error
    self._check_files()
    self.num_tracks = len(self._index.starts) - 1
    self.total_frames = len(self._index.wh)

  def _check_files(self) -> None:
    names = self._index.files.tolist()
    sizes: dict[str, int] = {}
    for parent in sorted({f'{self._folder}/{name}'.rpartition('/')[0]
                          for name in names}):
      try:
        listed = self._files.ls(parent, detail=True)
      except FileNotFoundError:
        continue
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
    data = self._range(file, begin, begin + length)
    if zlib.crc32(data) != index.checksums[frame]:
      raise UserError(f'{file}: damaged at byte {begin}; expected an intact '
                      'record: run python -m siamkpn_jax.pack --verify')
    wh = index.wh[frame]
    size = geometry.CONTEXT_SIZE
    return EncodedFrame(data, f'{file} at byte {begin}',
                        np.concatenate([(size - wh) / 2, wh]), side=size)

  def _range(self, file: str, begin: int, end: int) -> bytes:
    path = file.replace(self._place, self._folder, 1)
    try:
      return self._files.cat_file(path, begin, end)
    except Exception as error:  # each storage has errors of its own
      raise UserError(f'{file}: cannot be read ({first_line(error)}); expected '
                      'the record files of this data set') from error


def is_packed(folder: Path) -> bool:
  """Whether a folder holds a packed set."""
  return (folder / INDEX_NAME).is_file()


def is_unfinished(folder: Path) -> bool:
  """Whether a folder holds a packing that was interrupted."""
  return (folder / PLAN_NAME).is_file() and not is_packed(folder)
