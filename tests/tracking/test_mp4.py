"""What the tables of an mp4 file say: trimmed, turned, of varying rate."""

import struct
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.tracking.mp4_times import shown_times
from siamkpn_jax.tracking.video import open_frames
from tests.tracking.numbered_video import COUNT, KEY, read, shown, write_video


def with_steps(data: bytes, steps: list[tuple[int, int]]) -> bytearray:
  """An mp4 with another table of time steps: (samples, length) each."""
  at = data.index(b'stts') + 8
  assert struct.unpack('>II', data[at:at + 8]) == (1, COUNT)
  assert data.index(b'moov') > data.index(b'mdat')
  grown = bytearray(data[:at] + struct.pack('>I', len(steps)) + b''.join(
      struct.pack('>II', *step) for step in steps) + data[at + 12:])
  for name in (b'moov', b'trak', b'mdia', b'minf', b'stbl', b'stts'):
    box = data.index(name) - 4
    size = int.from_bytes(data[box:box + 4], 'big') + 8 * (len(steps) - 1)
    grown[box:box + 4] = size.to_bytes(4, 'big')
  return grown


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
  at = data.index(b'elst') + 8  # the number of edits, and the only one
  edit = data[at + 4:at + 16]
  grown = bytearray(
      data[:at] + struct.pack('>I', 2) + 2 * edit + data[at + 16:])
  for name in (b'moov', b'trak', b'edts', b'elst'):
    box = data.index(name) - 4
    size = int.from_bytes(data[box:box + 4], 'big') + len(edit)
    grown[box:box + 4] = size.to_bytes(4, 'big')
  path.write_bytes(grown)
  assert shown_times(str(path)) is None


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
