"""Frames in, and videos out, with files made by the tests themselves."""

import itertools
import os
from pathlib import Path

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.video import FrameSource, open_frames
from siamkpn_jax.tracking.video_writer import VideoWriter
from tests.tracking.gray import gray_frame, read_values, write_images


def test_folder_is_read_in_natural_order(tmp_path: Path) -> None:
  write_images(tmp_path, ['1.png', '2.jpg', '10.JPG', '10b.bmp', '011.jpeg'])
  (tmp_path / '._1.png').write_bytes(b'not an image')
  (tmp_path / 'notes.txt').write_text('not an image')

  with open_frames(tmp_path) as source:
    assert (source.size, source.count, source.fps) == ((64, 48), 5, 25.0)
    assert not source.live and source.rate is None  # images say nothing of it
  assert read_values(tmp_path) == [0, 1, 2, 3, 4]


def test_images_that_may_be_no_frames_are_told(tmp_path: Path) -> None:
  write_images(tmp_path / 'a', ['1.25.png', '1.5.png', 'thumbnail.jpg'])
  with open_frames(tmp_path / 'a') as source:
    (note,) = source.notes
    assert source.count == 2
  assert note.endswith('1 images without a number in the name are no frames, '
                       'as thumbnail.jpg')
  assert read_values(tmp_path / 'a') == [0, 1]
  write_images(tmp_path / 'b', ['f_1.png', 'f_2.png', 'thumb_1.png'])
  with open_frames(tmp_path / 'b') as source:
    (note,) = source.notes
  assert '2 as f_1.png, 1 as thumb_1.png: all are taken for frames' in note
  write_images(tmp_path / 'c', ['1.png', '2.png', '10.png'])
  with open_frames(tmp_path / 'c') as source:
    assert not source.notes
  for pattern, notes in (('a/*', 1), ('a/*.png', 0), ('b/*', 1), ('b/f*', 0)):
    with open_frames(tmp_path / pattern) as source:
      assert len(source.notes) == notes
      if pattern == 'a/*':
        assert source.notes[0].endswith('are no frames, as thumbnail.jpg')


def test_a_pattern_that_fits_no_image(tmp_path: Path) -> None:
  """But a folder of them, as in OTB's layout."""
  write_images(tmp_path / 'walk' / 'img', ['1.png'])
  for pattern, advice in (('walk/*', 'img$'), ('walk/*.jpg', 'check it$')):
    with pytest.raises(UserError, match=f'no image fits .*{advice}'):
      open_frames(tmp_path / pattern)


def test_img_subfolder_is_found(tmp_path: Path) -> None:
  write_images(tmp_path / 'img', ['0001.jpg', '0002.jpg'])
  assert read_values(tmp_path) == [0, 1]


@pytest.mark.parametrize('suffix', ['.mp4', '.avi'])
@pytest.mark.parametrize('fps', [0.5, 23.976, 29.97, 142.857, 600.0])
def test_written_video_is_read_back(
    tmp_path: Path, suffix: str, fps: float) -> None:
  path = tmp_path / f'out{suffix}'
  with VideoWriter(path, (64, 48), fps) as writer:
    for place in range(5):
      writer.write(gray_frame(10 * place))

  with open_frames(path) as source:
    assert (source.size, source.count) == ((64, 48), 5)
    assert source.fps == source.rate == pytest.approx(fps, abs=0.005)
  assert read_values(path) == [0, 1, 2, 3, 4]


def test_odd_size_is_padded_to_even(tmp_path: Path) -> None:
  path = tmp_path / 'odd.mp4'
  with VideoWriter(path, (63, 47), 25) as writer:
    writer.write(gray_frame(200, 63, 47))

  with open_frames(path) as source:
    (frame,) = source
  assert frame.shape == (48, 64, 3)
  assert abs(int(frame[-1, -1, 0]) - 200) < 5  # repeats the border, not black


def test_relative_name_with_colon_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.chdir(tmp_path)
  with VideoWriter('file:a%02d.mp4', (64, 48), 25) as writer:
    writer.write(gray_frame(10))
  assert os.listdir() == ['file:a%02d.mp4']
  assert read_values(Path('file:a%02d.mp4')) == [1]


@pytest.mark.parametrize('fps', [0.0, -1.0, 1e6, float('nan'), float('inf')])
def test_impossible_rate(tmp_path: Path, fps: float) -> None:
  with pytest.raises(UserError, match='expected frames per second between'):
    VideoWriter(tmp_path / 'out.mp4', (64, 48), fps)


def test_early_end_closes_the_source() -> None:
  closed = []

  def frames():
    try:
      yield from itertools.repeat(gray_frame(0))
    finally:
      closed.append(True)

  with FrameSource('endless', frames()) as source:
    assert len(list(itertools.islice(source, 3))) == 3
  assert closed
