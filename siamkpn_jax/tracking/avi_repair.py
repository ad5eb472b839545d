"""AVI files whose chunk headers are damaged, read by their index.

An AVI file has no time stamps: a frame's number is its place among the chunks.
FFmpeg skips a chunk whose header is damaged, without a word, and every later
frame gets the number of an earlier one. The index at the end of the file says
where each chunk is and how long, so the headers can be restored. Without an
index, or where bytes are missing or too many so that it does not fit, nothing
behind the first damage has a number: the file ends there.

Layout: RIFF <size> 'AVI ' | LIST <size> 'hdrl' ... | LIST <size> 'movi' (chunk
<id> <size> data)* | idx1 <size> (id, flags, offset, size)*.
"""

import mmap
import re
import shutil
import struct
from typing import BinaryIO, NamedTuple

from siamkpn_jax.core.errors import UserError

_HEADER = 8  # bytes: id, size
_CHUNK = 2**20  # bytes
_INDEX = 2**26  # bytes of an index at most
_CHUNK_ID = re.compile(rb'[0-9]{2}[a-z0-9]{2}|ix[0-9]{2}|JUNK|LIST|idx1|RIFF',
                       re.IGNORECASE)


class Repair(NamedTuple):
  """What differs from the file on disk.

  Attributes:
    headers: (offset, the 8 bytes there) in ascending order.
    end: where the readable part ends; None: at the end of the file.
  """

  headers: list[tuple[int, bytes]]
  end: int | None = None


def repair(file: BinaryIO) -> Repair | None:
  """What has to be restored of a file; None if nothing, or it is no AVI.

  Raises:
    UserError: it is an AVI file in which the list of chunks cannot be found.
  """
  if not _is_avi(file.read(12)):
    return None
  with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
    movi, end = _find_movi(data)
    if movi < 0:
      raise UserError(
          f'{file.name}: this AVI file is damaged before its first frame, so '
          'that its frames cannot be numbered; expected an intact file: repair '
          'or convert it')
    index = _read_index(data, end)
    headers = _damaged_headers(data, movi, index)
    in_place = _is_index(data, end)
    if headers is not None and (in_place or not headers):
      return Repair(headers) if headers else None
    damage = _first_damage(data, movi + 4, min(end, len(data)))
    return None if damage is None else Repair([], damage)


def is_avi(name: str) -> bool:
  """Whether a file is one, by its first bytes."""
  with open(name, 'rb') as file:
    return _is_avi(file.read(12))


def _is_avi(head: bytes) -> bool:
  return head[:4] == b'RIFF' and head[8:12] == b'AVI '


def _find_movi(data: mmap.mmap) -> tuple[int, int]:
  """Where the word 'movi' is, 0 if nowhere, and the end of its list."""
  place = 12
  while place + 12 <= len(data):
    name, size, kind = struct.unpack_from('<4sI4s', data, place)
    if name == b'LIST' and kind == b'movi':
      return place + 8, place + _HEADER + size
    place += _HEADER + size + size % 2
  return data.find(b'movi', 12), len(data)  # what comes before is damaged


def _read_index(data: mmap.mmap, place: int) -> list[tuple[bytes, int, int]]:
  """(id, offset, size) of each chunk; [] without an index.

  Args:
    data: of the file.
    place: the end of the list of chunks, where an intact file has its index.
  """
  if _is_index(data, place):
    place += place % 2
  else:
    place = data.rfind(b'idx1', max(0, len(data) - _INDEX))
  if place < 0 or place + _HEADER > len(data):
    return []
  (size,) = struct.unpack_from('<I', data, place + 4)
  entries = data[place + _HEADER:place + _HEADER + size]
  return [(name, offset, size) for name, _, offset, size
          in struct.iter_unpack('<4sIII', entries[:len(entries) // 16 * 16])]


def _is_index(data: mmap.mmap, place: int) -> bool:
  """Whether it is where the list of chunks ends."""
  place += place % 2
  return data[place:place + 4] == b'idx1'


def _damaged_headers(data: mmap.mmap, movi: int,
                     index: list[tuple[bytes, int, int]]
                     ) -> list[tuple[int, bytes]] | None:
  """The headers that differ from the index; None if it does not fit."""
  for base in (movi, 0):  # from which offsets count, whatever made the file
    headers, intact = [], 0
    for number, (name, offset, size) in enumerate(index):
      place, wanted = base + offset, struct.pack('<4sI', name, size)
      if data[place:place + _HEADER] == wanted:
        intact += 1
      elif _fits(index, number):
        headers.append((place, wanted))
    if intact > len(index) / 2:
      return sorted(headers)
  return None


def _fits(index: list[tuple[bytes, int, int]], number: int) -> bool:
  """Whether an entry is one: its chunk ends before the next one begins."""
  name, offset, size = index[number]
  return bool(_CHUNK_ID.fullmatch(name)) and (
      number + 1 == len(index) or
      offset + _HEADER + size <= index[number + 1][1])


def _first_damage(data: mmap.mmap, place: int, end: int) -> int | None:
  """Where the chain of chunks breaks; None if it reaches the end."""
  while place + _HEADER <= end:
    name, size = struct.unpack_from('<4sI', data, place)
    if not _CHUNK_ID.fullmatch(name):
      return place
    inside = 4 if name in (b'LIST', b'RIFF') else size  # a list of chunks
    place += _HEADER + inside + inside % 2
  return None


def write_repaired(file: BinaryIO, changes: Repair, out: BinaryIO) -> None:
  """Copies a file with what `repair` found."""
  file.seek(0)
  shutil.copyfileobj(file, out, _CHUNK)
  length = out.tell()
  for offset, header in changes.headers:
    out.seek(offset)
    out.write(header[:max(length - offset, 0)])
  if changes.end is not None:
    out.truncate(min(length, changes.end))
