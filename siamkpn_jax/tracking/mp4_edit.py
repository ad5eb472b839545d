"""The edit list of an mp4 file: what a trimmed video does not show.

Trimming on a phone leaves all frames in the file and writes which of them
count. FFmpeg drops the others; they are not lost.
"""

import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

_ROUNDING = 5.0  # milliseconds: the two lengths have different units


class Edit(NamedTuple):
  """What an mp4 file shows of its video.

  Attributes:
    end: its length in milliseconds.
    trimmed: whether the file has more than that.
  """

  end: float
  trimmed: bool


def read_edit(name: str) -> Edit | None:
  """Of a file; None if it is no mp4 or has no edit list that matters."""
  with open(name, 'rb') as file:
    if file.read(8)[4:] != b'ftyp':
      return None
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
      try:
        return _read(data)
      except (struct.error, ZeroDivisionError):  # damaged: FFmpeg decides
        return None


def _read(data: mmap.mmap) -> Edit | None:
  for moov in _inside(data, (0, len(data)), b'moov'):
    (ticks,) = (_version(data, box, 12, 20, '>I') for box in
                _inside(data, moov, b'mvhd'))
    for trak in _inside(data, moov, b'trak'):
      edit = _track_edit(data, trak, ticks)
      if edit:
        return edit
  return None


def _track_edit(data: mmap.mmap, trak: tuple[int, int],
                ticks: int) -> Edit | None:
  for mdia in _inside(data, trak, b'mdia'):
    for hdlr in _inside(data, mdia, b'hdlr'):
      if data[hdlr[0] + 8:hdlr[0] + 12] != b'vide':
        return None
    for mdhd in _inside(data, mdia, b'mdhd'):
      units = _version(data, mdhd, 12, 20, '>I')
      length = _version(data, mdhd, 16, 24, '>I', '>Q')
      for start, shown in _edits(data, trak):
        end = 1000 * shown / ticks
        whole = 1000 * (length - start) / units
        return Edit(end, end < whole - _ROUNDING)
  return None


def _edits(data: mmap.mmap,
           trak: tuple[int, int]) -> Iterator[tuple[int, int]]:
  """Start in the track's units, length in the file's; 0: up to the end."""
  for edts in _inside(data, trak, b'edts'):
    for place, _ in _inside(data, edts, b'elst'):
      form = '>Qqi' if data[place] == 1 else '>Iii'
      (count,) = struct.unpack_from('>I', data, place + 4)
      for i in range(count):
        length, start, _ = struct.unpack_from(
            form, data, place + 8 + i * struct.calcsize(form))
        if start >= 0 and length:  # -1: a pause before the video
          yield start, length


def _version(data: mmap.mmap, box: tuple[int, int], short: int, long: int,
             form: str, long_form: str | None = None) -> int:
  """A number of a box whose layout depends on its version."""
  later = data[box[0]] == 1
  return int(struct.unpack_from(
      (long_form or form) if later else form, data,
      box[0] + (long if later else short))[0])


def _inside(data: mmap.mmap, span: tuple[int, int],
            wanted: bytes) -> Iterator[tuple[int, int]]:
  """Where the boxes of a name in a box begin and end."""
  place, end = span
  while place + 8 <= end:
    size, name = struct.unpack_from('>I4s', data, place)
    head = 8
    if size == 1:
      (size,), head = struct.unpack_from('>Q', data, place + 8), 16
    if size < head:
      return
    if name == wanted:
      yield place + head, min(place + size, end)
    place += size
