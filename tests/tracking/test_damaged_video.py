"""Videos with holes: every frame keeps its number, what is lost is marked."""

import struct
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.container import check_beginning
from siamkpn_jax.tracking.frame_numbers import FrameNumbers, Packets
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.track_files import Outputs, track_to_files
from siamkpn_jax.tracking.video import FrameSource, open_frames
from tests.tracking.numbered_video import (
  COUNT,
  KEY,
  numbered,
  read,
  shown,
  write_video,
)

GIVEN = GivenBox(None, 1, (0.0, 0, 9, 9))


class NumberReader:
  """A tracker whose box is the number that a frame shows."""

  score = 1.0

  def init(self, frame: np.ndarray, box_xywh: np.ndarray) -> None:
    del frame, box_xywh

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    return True, np.full(4, shown(frame))


def damage(path: Path, data: bytes, start: float, length: int) -> None:
  place = int(len(data) * start)
  junk = np.random.default_rng(0).bytes(length)
  path.write_bytes(data[:place] + junk + data[place + length:])


def follow(path: Path, tmp_path: Path):
  boxes = tmp_path / 'boxes.txt'
  with open_frames(path) as source:
    summary = track_to_files(
        OneTarget(NumberReader()), source, [GIVEN],
        Outputs(tmp_path / 'out.avi', boxes), progress=False)
  return summary, np.loadtxt(boxes, delimiter=',')


@pytest.mark.parametrize(('name', 'codec'), [
    ('v.mp4', 'mp4v'), ('v.avi', 'XVID'), ('v.avi', 'MJPG'), ('v.mkv', 'mp4v')])
@pytest.mark.parametrize('start', [0.3, 0.5, 0.8])
def test_line_k_is_frame_k(tmp_path: Path, name: str, codec: str,
                           start: float) -> None:
  path = tmp_path / name
  data = write_video(path, codec)
  assert read(path) == list(range(COUNT))
  damage(path, data, start, len(data) // 8)

  summary, boxes = follow(path, tmp_path)

  lost = np.isnan(boxes).all(axis=1)
  assert len(boxes) == summary.frames
  assert summary.undecoded == lost.sum()
  if name != 'v.mkv':  # which has no table of its frames
    assert len(boxes) == COUNT and summary.undecoded
  with open_frames(tmp_path / 'out.avi') as shown_frames:
    assert shown_frames.count == len(boxes)
  # What is decoded without its key frame shows remains of other frames.
  behind = (start + 1 / 8) * COUNT
  if name != 'v.mkv' and start < 0.8:
    assert not lost[int(behind + KEY) + 1:].all()  # what follows is read
  intact = [number for number in range(1, len(boxes)) if not lost[number] and (
      number < 0.6 * start * COUNT or number > behind + KEY)]
  for number in intact:
    assert boxes[number].tolist() == [number] * 4


def test_damage_at_the_end_is_counted(tmp_path: Path) -> None:
  path = tmp_path / 'v.avi'
  data = write_video(path, 'XVID')
  damage(path, data, 0.85, int(0.1 * len(data)))
  summary, boxes = follow(path, tmp_path)
  assert (len(boxes), summary.undecoded) == (COUNT, np.isnan(boxes[:, 0]).sum())
  assert summary.undecoded > 0


@pytest.mark.parametrize('announced', [0, 7, 39, 4000])
def test_wrong_count_in_the_header(tmp_path: Path, announced: int) -> None:
  """All frames are read, whatever an AVI header says; none is made up."""
  path = tmp_path / 'v.avi'
  data = bytearray(write_video(path, 'MJPG'))
  data[48:52] = struct.pack('<I', announced)  # avih.dwTotalFrames
  at = data.index(b'strh') + 8 + 32
  data[at:at + 4] = struct.pack('<I', announced)  # strh.dwLength
  path.write_bytes(data)
  assert read(path) == list(range(COUNT))


def test_avi_without_index_ends_at_the_damage(tmp_path: Path) -> None:
  """What comes behind it has no number."""
  path = tmp_path / 'v.avi'
  data = write_video(path, 'MJPG')
  data = data[:data.rindex(b'idx1')]
  path.write_bytes(data)
  assert read(path) == list(range(COUNT))
  damage(path, data, 0.5, len(data) // 10)
  found = read(path)
  assert 15 < len(found) < 25
  assert found[:15] == list(range(15))


@pytest.mark.parametrize('start', [0.3, 0.7])
@pytest.mark.parametrize('length', [-500, 2000])
def test_avi_with_bytes_missing_or_too_many(tmp_path: Path, start: float,
                                            length: int) -> None:
  """Its index is not where it says, and knows no place behind that."""
  path = tmp_path / 'v.avi'
  data = write_video(path, 'MJPG')
  place = int(len(data) * start)
  path.write_bytes(data[:place] + bytes(max(length, 0)) +
                   data[place + max(-length, 0):])
  found = read(path)
  first = int(COUNT * start) - 2
  assert first < len(found) <= first + 5
  assert found[:first] == list(range(first))


def test_avi_damaged_before_its_frames(tmp_path: Path) -> None:
  path = tmp_path / 'v.avi'
  data = write_video(path, 'XVID')
  damage(path, data, 0.01, data.index(b'movi') + 50)
  with pytest.raises(UserError, match='damaged before its first frame|cannot'):
    open_frames(path)


@pytest.mark.parametrize(('name', 'codec'), [
    ('v.mp4', 'mp4v'), ('v.mov', 'mp4v'), ('V.M4V', 'mp4v'), ('v.3gp', 'mp4v'),
    ('v', 'mp4v'), ('v.avi', 'XVID'), ('v.mpg', 'mpg2'), ('v.vob', 'mpg2'),
    ('v.mpeg', 'PIM1'), ('v.ts', 'mp4v'), ('v.mjpg', 'MJPG')])
def test_head_lost(tmp_path: Path, name: str, codec: str) -> None:
  """FFmpeg makes a bare stream of what follows, numbered from anywhere."""
  made = tmp_path / (name if Path(name).suffix else 'v.mp4')
  data = write_video(made, codec)
  path = made.rename(tmp_path / name)
  assert read(path) == list(range(COUNT))
  for changed in (bytes(1000) + data[1000:], data[5000:],
                  bytes(5000) + data[5000:]):
    if name == 'v.ts' and changed == data[5000:]:
      continue  # a recording may begin anywhere
    path.write_bytes(changed)
    with pytest.raises(UserError, match=r'before its first frame|be opened|be '
                                        'decoded'):
      open_frames(path)


@pytest.mark.parametrize('name', ['v.mpg', 'v.vob'])
@pytest.mark.parametrize('start', [0.3, 0.5])
def test_program_streams(tmp_path: Path, name: str, start: float) -> None:
  """Their packets share time stamps, so that some frames have others'."""
  path = tmp_path / name
  data = write_video(path, 'mpg2')
  assert read(path) == list(range(COUNT))
  damage(path, data, start, 4000)
  found = read(path)
  assert len(found) == COUNT
  assert found[:10] == list(range(10)) and found[-3:] == [37, 38, 39]


def _program_stream(monkeypatch: pytest.MonkeyPatch, path: Path,
                    times: list[float]) -> FrameNumbers:
  monkeypatch.setattr('siamkpn_jax.tracking.frame_numbers.read_packets',
                      lambda name: Packets(np.sort(times), 0))
  path.write_bytes(b'\0\0\1\xba' + bytes(9999))
  return FrameNumbers(str(path), 25, len(times))


@pytest.mark.parametrize(('places', 'lost'), [
    # Frames of others' times, or none, as FFmpeg's muxer makes them.
    ([*range(8), 6, 7, 8, 11, 12, 0], [0] * 14),
    ([0, 1, 2, 6, 7, 8, 0], [0, 0, 0, 3, 0, 0, 0]),
    ([0, 1, 2, 1000, 4, 5], [0] * 6)])
def test_times_of_a_program_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, places: list[int],
    lost: list[int]) -> None:
  times = [40.0 * place for place in places]
  numbers = _program_stream(monkeypatch, tmp_path / 'v.mpg', times)
  assert [numbers.lost_before(time, 0) for time in times] == lost


def test_program_stream_whose_frames_came_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
  """Then those behind it have wrong numbers."""
  times = [40.0 * place for place in [0, 1, 2, 5, 5, 6, 7, 8]]
  numbers = _program_stream(monkeypatch, tmp_path / 'v.mpg', times)
  for time in times:
    numbers.lost_before(time, 0)
  with pytest.raises(UserError, match='damaged, and without time stamps'):
    numbers.lost_at_the_end()


@pytest.mark.parametrize(('content', 'told'), [
    (b'\n<!DOCTYPE html><p>', 'an HTML page'), (b'', 'an empty file'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'a Git LFS pointer')])
def test_what_it_is_instead(tmp_path: Path, content: bytes, told: str) -> None:
  path = tmp_path / 'v.mp4'
  path.write_bytes(content)
  with pytest.raises(UserError, match=f'be opened as a video, as it is {told}'):
    open_frames(path)


def test_numbers_by_the_rate_where_packets_are_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
  """Matroska and MPEG-TS lose them with their time stamps."""
  times = np.array([*range(10), *range(25, 40)]) * 40.0
  monkeypatch.setattr('siamkpn_jax.tracking.frame_numbers.read_packets',
                      lambda name: Packets(times, 0))
  (tmp_path / 'v.mkv').write_bytes(bytes(1000))
  numbers = FrameNumbers(str(tmp_path / 'v.mkv'), 25, COUNT)
  lost = [numbers.lost_before(time, 0) for time in times]
  assert lost == [0] * 10 + [15] + [0] * 14
  assert numbers.lost_at_the_end() == 0


@pytest.mark.parametrize('failures', [0, 2])
def test_without_time_stamps_no_hole_has_a_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failures: int) -> None:
  """As in raw H.264."""
  monkeypatch.setattr('siamkpn_jax.tracking.frame_numbers.read_packets',
                      lambda name: Packets(np.zeros(COUNT), 0))
  (tmp_path / 'v.h264').write_bytes(bytes(1000))
  numbers = FrameNumbers(str(tmp_path / 'v.h264'), 25, None)
  for number in range(COUNT - 5):
    numbers.lost_before(0.0, failures if number == 9 else 0)
  with pytest.raises(UserError, match='damaged, and without time stamps'):
    numbers.lost_at_the_end()


def test_frames_that_come_again_do_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
  times = np.arange(COUNT) * 40.0
  monkeypatch.setattr('siamkpn_jax.tracking.frame_numbers.read_packets',
                      lambda name: Packets(times, 0))
  (tmp_path / 'v.mp4').write_bytes(bytes(1000))
  numbers = FrameNumbers(str(tmp_path / 'v.mp4'), 25, COUNT)
  delivered = [0.0, 40.0, 80.0, 40.0, 80.0, 120.0, 200.0]
  lost = [numbers.lost_before(time, 0) for time in delivered]
  assert lost == [0, 0, 0, None, None, 0, 1]


def test_lost_frames_of_a_source() -> None:
  frames = [None, numbered(1), None, None, numbered(4), None]
  with FrameSource('v', iter(frames)) as source:
    assert source.number == 2
    found = [(source.number, shown(frame)) for frame in source]
  assert found == [(2, 1), (5, 4)] and source.number == 6


def test_first_frames_lost(tmp_path: Path) -> None:
  source = FrameSource('v', iter([None, None, numbered(2), numbered(3)]))
  boxes = tmp_path / 'boxes.txt'
  summary = track_to_files(OneTarget(NumberReader()), source, [GIVEN],
                           Outputs(None, boxes), progress=False)
  assert (summary.frames, summary.undecoded) == (4, 2)
  assert boxes.read_text().splitlines()[:2] == ['nan,nan,nan,nan'] * 2


@pytest.mark.parametrize('head', [
    b'\x06\x0e\x2b\x34\x02\x05\x01\x01', b'\x1f\x07\x00\xbf', b'nut/multimedia',
    b'\0\0\0\1\x47\x42', b'..' + 4 * (b'G' + bytes(203))])
def test_beginnings_of_cameras_and_broadcasts(tmp_path, head):
  """An upload has no ending: MXF, DV, NUT, H.264, packets of 204 bytes."""
  path = tmp_path / 'video'
  path.write_bytes(head + bytes(1000))
  check_beginning(str(path))
  path.write_bytes(b'?' + bytes(1000))
  with pytest.raises(UserError, match='damaged before its first frame'):
    check_beginning(str(path))
