"""What the tables of an mp4 file say: trimmed, turned, of varying rate."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.tracking.mp4_times import shown_times
from siamkpn_jax.tracking.video import open_frames
from tests.tracking.numbered_video import COUNT, KEY, read, shown, write_video

PARENTS = {b'mvhd': b'moov', b'trak': b'moov', b'mdia': b'trak',
           b'mdhd': b'mdia', b'edts': b'trak', b'elst': b'edts',
           b'minf': b'mdia', b'stbl': b'minf', b'stts': b'stbl'}


def box(data: bytes, name: bytes) -> tuple[int, int]:
  """Where it begins, with its head of 8 bytes, and ends."""
  start = data.index(name) - 4
  return start, start + int.from_bytes(data[start:start + 4], 'big')


def content(data: bytes, name: bytes) -> bytes:
  """Of a box."""
  start, end = box(data, name)
  return bytes(data[start + 8:end])


def with_content(data: bytes, name: bytes, what: bytes,
                 behind: bytes = b'') -> bytearray:
  """Another content of a box, and boxes behind it; frames stay in place."""
  assert data.index(b'mdat') < data.index(b'moov')
  start, end = box(data, name)
  changed = bytearray(data[:start] + (8 + len(what)).to_bytes(4, 'big') + name +
                      what + behind + data[end:])
  while name in PARENTS:
    name = PARENTS[name]
    start, end = box(data, name)
    size = end - start + len(changed) - len(data)
    changed[start:start + 4] = size.to_bytes(4, 'big')
  return changed


def with_steps(data: bytes, steps: list[tuple[int, int]]) -> bytearray:
  """An mp4 with another table of time steps: (samples, length) each."""
  assert struct.unpack('>III', content(data, b'stts')[:12]) == (0, 1, COUNT)
  return with_content(data, b'stts', table(steps))


def table(rows: list[tuple[int, int]]) -> bytes:
  """(samples, value of each), as stts and ctts have them."""
  return struct.pack('>II', 0, len(rows)) + b''.join(
      struct.pack('>II', *row) for row in rows)


def test_variable_frame_rate(tmp_path: Path) -> None:
  """Long steps in the time table of an mp4 are no holes."""
  path = tmp_path / 'v.mp4'
  data = write_video(path, 'mp4v')
  step = struct.unpack('>I', data[data.index(b'stts') + 16:][:4])[0]
  data = with_steps(data, [(10, step), (20, step // 2), (10, 2 * step)])
  path.write_bytes(data)
  assert read(path) == list(range(COUNT))

  at = data.index(b'mdat')  # and with a hole
  data[at + 30000:at + 34000] = np.random.default_rng(0).bytes(4000)
  path.write_bytes(data)
  found = read(path)
  assert len(found) == COUNT and None in found
  assert found[36:] == [36, 37, 38, 39]


def with_edit(data: bytes, first: int, frames: int) -> bytearray:
  """An mp4 that shows only some of its frames, as a phone trims it."""
  changed = bytearray(data)
  at = data.index(b'elst') + 12  # length and start of the only edit
  whole, start = struct.unpack('>II', data[at:at + 8])
  step = struct.unpack('>I', data[data.index(b'stts') + 16:][:4])[0]
  changed[at:at + 8] = struct.pack('>II', whole * frames // COUNT,
                                   start + first * step)
  return changed


@pytest.mark.parametrize('first', [0, 5, KEY, 17])
@pytest.mark.parametrize('frames', [18, 23])
def test_trimmed_mp4(tmp_path: Path, first: int, frames: int) -> None:
  """What the edit list cuts away is neither lost nor announced."""
  path = tmp_path / 'v.mp4'
  data = write_video(path, 'mp4v')
  path.write_bytes(with_edit(data, first, frames))
  with open_frames(path) as source:
    assert source.count == frames
  assert read(path) == list(range(first, first + frames))

  at = data.index(b'mdat')  # and a hole in what is shown
  middle = at + (data.index(b'moov') - at) * (first + frames // 2) // COUNT
  data = data[:middle] + bytes(1500) + data[middle + 1500:]
  path.write_bytes(with_edit(data, first, frames))
  found = read(path)
  assert len(found) == frames and None in found
  # Frames between the hole and the next key frame show remains of others.
  last = frames - 1
  assert found[0] == first and found[last] == first + last


def test_quicktime_without_a_first_box(tmp_path: Path) -> None:
  """A trimmed .mov may begin with its frames."""
  path = tmp_path / 'v.mov'
  data = with_edit(write_video(path, 'mp4v'), 5, 18)
  at = data.index(b'ftyp')
  data[at:at + 4] = b'free'
  path.write_bytes(data)
  times = shown_times(str(path))
  assert times is not None and len(times) == 18
  assert read(path) == list(range(5, 23))


@pytest.mark.parametrize(('box', 'name'), [
    (b'edts', b'none'), (b'udta', b'mvex')])
def test_tables_that_do_not_tell(
    tmp_path: Path, box: bytes, name: bytes) -> None:
  """Without an edit list, or where fragments may follow, packets are read."""
  path = tmp_path / 'v.mp4'
  data = bytearray(write_video(path, 'mp4v'))
  at = data.rindex(box)
  data[at:at + 4] = name
  path.write_bytes(data)
  assert shown_times(str(path)) is None
  assert read(path) == list(range(COUNT))


def test_several_edits_are_left_to_ffmpeg(tmp_path: Path) -> None:
  path = tmp_path / 'v.mp4'
  data = write_video(path, 'mp4v')
  edit = content(data, b'elst')[8:]
  path.write_bytes(with_content(
      data, b'elst', struct.pack('>II', 0, 2) + 2 * edit))
  assert shown_times(str(path)) is None


def long_numbers(data: bytes, name: bytes) -> bytearray:
  """A header whose times have 8 bytes (version 1)."""
  old = content(data, name)
  made, changed, units, duration = struct.unpack('>4I', old[4:20])
  return with_content(data, name, struct.pack(
      '>IQQIQ', 1 << 24, made, changed, units, duration) + old[20:])


def long_edit(data: bytes) -> bytearray:
  length, start, rate = struct.unpack('>IiI', content(data, b'elst')[8:])
  return with_content(data, b'elst', struct.pack(
      '>IIQqI', 1 << 24, 1, length, start, rate))


def pause_before(data: bytes) -> bytearray:
  """Nothing is shown for a while, as where the sound begins earlier."""
  edit = content(data, b'elst')[8:]
  return with_content(data, b'elst', struct.pack(
      '>IIIiI', 0, 2, 700, -1, 1 << 16) + edit)


def long_box(data: bytes) -> bytearray:
  """moov with a size of 8 bytes."""
  start, end = box(data, b'moov')
  return bytearray(data[:start] + struct.pack('>I4sQ', 1, b'moov', end - start +
                                              8) + data[start + 8:])


def shown_later(data: bytes) -> bytearray:
  """Decoded out of order: every second frame is shown two steps later."""
  steps = content(data, b'stts')
  step = int.from_bytes(steps[-4:], 'big')
  assert COUNT % 2 == 0
  offsets = [(1, 2 * step), (1, 0)] * (COUNT // 2)  # at 2, 1, 4, 3 ... steps
  changed = with_content(
      data, b'stts', steps,
      struct.pack('>I4s', 16 + 8 * COUNT, b'ctts') + table(offsets))
  length, start, rate = struct.unpack('>IiI', content(data, b'elst')[8:])
  return with_content(changed, b'elst', struct.pack(
      '>IIIiI', 0, 1, length, start + step, rate))


@pytest.mark.parametrize('form', [
    lambda data: long_numbers(data, b'mvhd'),
    lambda data: long_numbers(data, b'mdhd'), long_edit, pause_before, long_box,
    shown_later], ids=['mvhd', 'mdhd', 'elst', 'pause', 'moov', 'ctts'])
def test_the_same_in_another_form(tmp_path: Path, form: Callable[
    [bytes], bytearray]) -> None:
  path = tmp_path / 'v.mp4'
  data = bytes(with_edit(write_video(path, 'mp4v'), 5, 18))
  path.write_bytes(data)
  wanted = shown_times(str(path))
  assert wanted is not None and len(wanted) == 18
  path.write_bytes(form(data))
  found = shown_times(str(path))
  assert found is not None
  np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize('table', [
    b'elst', b'stts', b'stsz', b'ctts', b'mvhd', b'mdhd'])
def test_damaged_tables_of_an_mp4(tmp_path: Path, table: bytes) -> None:
  """FFmpeg decides, or refuses the file; nothing else fails."""
  path = tmp_path / 'v.mp4'
  data = with_edit(write_video(path, 'mp4v'), 5, 18)
  if table == b'ctts':  # which it has none of: where its frames begin
    data = data.replace(b'stss', table)
  at = data.index(table) + 8
  for change in (b'\xff' * 12, bytes(12), b'\x7f\xff\xff\xff' * 3):
    data[at:at + 12] = change
    path.write_bytes(data)
    times = shown_times(str(path))
    assert times is None or len(times) <= COUNT


def test_rotated_video_is_upright(tmp_path: Path) -> None:
  """Phones write how a frame is to be turned; boxes are those of what shows."""
  path = tmp_path / 'v.mp4'
  data = bytearray(write_video(path, 'mp4v'))
  matrix = data.index(b'tkhd') + 4 + 40
  one = struct.pack('>I', 0x10000)
  assert data[matrix:matrix + 4] == one
  # x, y -> -y, x: a quarter turn clockwise.
  data[matrix:matrix + 20] = bytes(4) + one + bytes(4) + struct.pack(
      '>i', -0x10000) + bytes(4)
  path.write_bytes(data)
  with open_frames(path) as source:
    turned = [np.rot90(frame) for frame in source]
  assert [shown(frame) for frame in turned] == list(range(COUNT))
