"""When an mp4 file shows its frames, by its tables.

Trimming on a phone leaves all frames in the file, and an edit list says which
of them are shown: FFmpeg decodes what comes before and drops it. Those frames
are not lost.
"""

import math
import mmap
import struct
from collections.abc import Iterator

import numpy as np

_Box = tuple[int, int]  # where what is in it begins and ends
_MOST = 10**7  # frames, those of four days
_BEGINNINGS = (b'ftyp', b'wide', b'moov', b'mdat', b'free', b'skip')


def shown_times(name: str) -> np.ndarray | None:
  """Times of the frames that a file shows, read without decoding.

  Returns:
    [n] milliseconds from the first one, ascending; None if the file is no mp4,
    or tables do not tell: there is no edit list, or one of several parts, or
    frames are in fragments, as those of a live recording.
  """
  with open(name, 'rb') as file:
    if file.read(8)[4:] not in _BEGINNINGS:
      return None
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
      try:
        return _read(data)
      except (struct.error, StopIteration, IndexError, ValueError,
              ArithmeticError):  # damaged: FFmpeg decides
        return None


def _read(data: mmap.mmap) -> np.ndarray | None:
  moov = _first(data, (0, len(data)), b'moov')
  if any(_inside(data, moov, b'mvex')):  # fragments follow
    return None
  ticks = _number(data, _first(data, moov, b'mvhd'), 12, 20)
  for trak in _inside(data, moov, b'trak'):
    mdia = _first(data, trak, b'mdia')
    hdlr = _first(data, mdia, b'hdlr')
    if data[hdlr[0] + 8:hdlr[0] + 12] != b'vide':
      continue
    units = _number(data, _first(data, mdia, b'mdhd'), 12, 20)
    stbl = _first(data, _first(data, mdia, b'minf'), b'stbl')
    edits = (edit for edit in _edits(data, trak) if edit[0] >= 0)  # -1: a pause
    start, wanted = next(edits)
    if next(edits, None):
      return None
    span = (2 * wanted * units + ticks) // (2 * ticks)  # rounded
    times = _times(data, stbl)
    end = start + span if span else math.inf
    shown = times[(times >= start) & (times < end)]
    return (shown - shown[0]) * (1000 / units)
  return None


def _times(data: mmap.mmap, stbl: _Box) -> np.ndarray:
  """[n] int64, of all samples, ascending, in the track's units."""
  count = _samples(data, stbl)
  step = _per_sample(data, _first(data, stbl, b'stts'), count)
  times = np.cumsum(step) - step
  for ctts in _inside(data, stbl, b'ctts'):  # of frames decoded out of order
    times = times + _per_sample(data, ctts, count)
  return np.sort(times)


def _samples(data: mmap.mmap, stbl: _Box) -> int:
  """How many there are, by the table of their sizes."""
  start, end = _first(data, stbl, b'stsz')
  size, count = struct.unpack_from('>II', data, start + 4)
  if size or count > min((end - start - 12) // 4, _MOST):
    raise ValueError('damaged, or not compressed')
  return int(count)


def _per_sample(data: mmap.mmap, box: _Box, samples: int) -> np.ndarray:
  """[samples] int64, from a table of (how many samples, value of each)."""
  (rows,) = struct.unpack_from('>I', data, box[0] + 4)
  if rows > samples:
    raise ValueError('a damaged table')
  table = np.frombuffer(data[box[0] + 8:min(box[0] + 8 + 8 * rows, box[1])],
                        '>i4').reshape(rows, 2).astype(np.int64)
  if table[:, 0].min(initial=0) < 0 or table[:, 0].sum() != samples:
    raise ValueError('a damaged table')  # of any length
  return np.repeat(table[:, 1], table[:, 0])


def _edits(data: mmap.mmap, trak: _Box) -> Iterator[tuple[int, int]]:
  """Start in the track's units, length in the file's; 0: up to the end."""
  for edts in _inside(data, trak, b'edts'):
    for place, end in _inside(data, edts, b'elst'):
      form = '>Qqi' if data[place] == 1 else '>Iii'
      (count,) = struct.unpack_from('>I', data, place + 4)
      rows = data[place + 8:min(place + 8 + count * struct.calcsize(form), end)]
      for length, start, _ in struct.iter_unpack(form, rows):
        yield start, length


def _number(data: mmap.mmap, box: _Box, short: int, long: int) -> int:
  """Of 4 bytes, in a box whose layout depends on its version."""
  place = box[0] + (long if data[box[0]] == 1 else short)
  return int(struct.unpack_from('>I', data, place)[0])


def _first(data: mmap.mmap, box: _Box, wanted: bytes) -> _Box:
  return next(_inside(data, box, wanted))


def _inside(data: mmap.mmap, span: _Box, wanted: bytes) -> Iterator[_Box]:
  """Boxes of a name in a box."""
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
