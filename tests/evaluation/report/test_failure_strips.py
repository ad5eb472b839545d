"""Failure strips: the sequences, the moments and the boxes that they show."""

import dataclasses
import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.report.drawing import draw_frames, save_strips
from siamkpn_jax.evaluation.report.entries import make_entry
from siamkpn_jax.evaluation.report.failure_strips import (
  FRAMES,
  choose_frames,
  moment_of_loss,
  whole_sequence,
  worst_strips,
)
from tests.evaluation import vot_files


@pytest.mark.parametrize(('overlaps', 'expected'), [
    ([1, .5, 0, 0, 0, 0, 0, 1], (2, True)),
    ([1, 0, 0, 0, 0, .1, .9], (1, False)),  # found again
    ([1, 0, .5, .4, 0, 0], (4, True)),  # lost at the end
    ([1, .5, .2, .6], (2, False)),
    ([1, 0, np.nan, 0, 0, np.nan, 0, 0, 1], (1, True)),
    ([1, np.nan, np.nan, .5], (3, False)),
    ([np.nan] * 3, (0, False))])
def test_moment_of_loss(overlaps, expected):
  assert moment_of_loss(np.array(overlaps, float)) == expected


@pytest.mark.parametrize(('lost', 'length'), [
    (0, 300), (3, 300), (12, 300), (57, 300), (290, 300), (299, 300), (0, 1),
    (2, 4)])
def test_chosen_frames(lost, length):
  frames = choose_frames(lost, length)
  assert lost in frames
  assert frames[0] >= 0
  assert frames[-1] < length
  assert len(set(np.diff(frames).tolist())) <= 1  # even steps
  assert len(frames) <= FRAMES
  if 20 <= lost < length - 20:
    assert len(frames) == FRAMES
    assert (frames > lost).sum() == 2


def write_otb(root, name, count, lost, box=(8.0, 6, 10, 8), size=(32, 24)):
  """A sequence and its result, which is far off from frame `lost` on."""
  folder = root / 'otb' / name
  (folder / 'img').mkdir(parents=True)
  for k in range(count):
    image = np.full((size[1], size[0], 3), 100 + k, np.uint8)
    cv2.imwrite(str(folder / 'img' / f'{k + 1:04d}.png'), image)
  truth = np.tile(np.array(box), (count, 1))  # 1-based
  np.savetxt(folder / 'groundtruth_rect.txt', truth, '%g', ',')
  (root / 'run').mkdir(exist_ok=True)
  truth[lost:, :2] += 1000
  np.savetxt(root / 'run' / f'{name}.txt', truth, '%g', ',')


def _score(root, **options):
  return make_entry('Mine', json.loads(json.dumps(scoring.score(
      scoring.ScoringRequest('otb', root / 'otb', root / 'run', **options)))))


def test_worst_sequences(tmp_path):
  for name, lost in (('Fine', 40), ('Late', 30), ('Early', 12), ('Mid', 20)):
    write_otb(tmp_path, name, 40, lost)
  found, notes = worst_strips(_score(tmp_path), tmp_path / 'otb', 3)
  assert [f.name for f in found] == ['Early', 'Mid', 'Late']
  assert [f.lost for f in found] == [12, 20, 30]
  assert notes == []
  strip = found[0]
  assert strip.frames.tolist() == [2, 4, 6, 8, 10, 12, 14, 16]
  assert [p.name for p in strip.images[:2]] == ['0003.png', '0005.png']
  assert 'lost in frame 13 of 40' in strip.text
  # 1-based in the files, from 0 here.
  assert strip.truth[0].tolist() == [[7, 5], [17, 5], [17, 13], [7, 13]]
  np.testing.assert_array_equal(strip.truth[0], strip.result[0])
  assert strip.result[5, 0].tolist() == [1007, 1005]


def test_shifted_results(tmp_path):
  write_otb(tmp_path, 'One', 20, 10)
  path = tmp_path / 'run' / 'One.txt'
  np.savetxt(path, np.loadtxt(path, delimiter=',') - [1, 1, 0, 0], '%g', ',')
  (strip,), _ = worst_strips(_score(tmp_path, shift=1), tmp_path / 'otb', 5)
  np.testing.assert_array_equal(strip.truth[0], strip.result[0])


def test_pixels_from_0(tmp_path):
  """Whatever the layout says, for the sequences that are named so."""
  for name in ('uav_a', 'uav_b', 'Ball'):
    write_otb(tmp_path, name, 20, 10)
  entry = dataclasses.replace(_score(tmp_path), zero_based=('uav_*',))
  found, _ = worst_strips(entry, tmp_path / 'otb', 5)
  assert {f.name: f.truth[0, 0].tolist() for f in found} == {
      'uav_a': [8, 6], 'uav_b': [8, 6], 'Ball': [7, 5]}
  for strip in found:
    np.testing.assert_array_equal(strip.truth[0], strip.result[0])


def test_broken_and_short_results(tmp_path):
  write_otb(tmp_path, 'One', 20, 20)
  rows = ['8,6,10,8'] * 9 + ['nan,nan,nan,nan'] + ['1e300,0,1e300,9']
  (tmp_path / 'run' / 'One.txt').write_text('\n'.join(rows))
  entry = _score(tmp_path)
  (strip,), _ = worst_strips(entry, tmp_path / 'otb', 5)
  assert strip.lost == 9
  assert np.isnan(strip.result[strip.frames == 9]).all()
  assert len(draw_frames(strip)) == len(strip.frames)


def test_some_images_are_missing(tmp_path):
  for name, lost in (('Gone', 2), ('Cut', 4), ('There', 10)):
    write_otb(tmp_path, name, 20, lost)
  entry = _score(tmp_path)
  for path in (tmp_path / 'otb' / 'Gone').rglob('*.*'):
    path.unlink()
  (tmp_path / 'otb' / 'Cut' / 'img' / '0003.png').unlink()
  found, notes = worst_strips(entry, tmp_path / 'otb', 5)
  assert [f.name for f in found] == ['There']
  assert 'has only 2 of the 3 sequences' in notes[0]
  assert '19 images' in notes[1]


def test_no_results(tmp_path):
  write_otb(tmp_path, 'One', 20, 10)
  entry = _score(tmp_path)
  (tmp_path / 'run' / 'One.txt').unlink()
  assert worst_strips(entry, tmp_path / 'otb', 5)[0] == []
  with pytest.raises(UserError, match='not a folder'):
    worst_strips(entry, tmp_path / 'nowhere', 5)


def _vot_entry(root):
  """Two sequences, `wild` with two failures, and their scores."""
  rows = [[4.0, 4, 14, 4, 14, 12, 4, 12]] * 40  # from 0, as the results
  vot_files.write_folder(root / 'vot', {'calm': rows, 'wild': rows},
                         size=(32, 24))
  runs = {name: [[1.0], *[[5.0, 4, 10, 8]] * 39] for name in ('calm', 'wild')}
  for k in (12, 25):
    runs['wild'][k:k + 6] = [[2.0], *[[0.0]] * 4, [1.0]]
  vot_files.write_results(root / 'run', {n: [run] for n, run in runs.items()})
  summary = scoring.score(scoring.ScoringRequest('vot2018', root / 'vot',
                                          root / 'run'))
  return make_entry('Mine', json.loads(json.dumps(summary)))


def test_vot(tmp_path):
  """The first failure, in the sequence with most of them."""
  (wild, calm), notes = worst_strips(_vot_entry(tmp_path), tmp_path / 'vot', 5)
  assert notes == []
  assert (wild.name, wild.lost) == ('wild', 12)
  assert wild.text == '2 failures; lost in frame 13 of 40'
  assert calm.text.startswith('0 failures; never lost')
  at = wild.frames.tolist().index(12)
  assert np.isnan(wild.result[at]).all()  # no region where it has failed
  assert wild.result[at - 1, 2].tolist() == [15, 12]
  assert wild.truth[at].tolist() == [[4, 4], [14, 4], [14, 12], [4, 12]]


def test_binary_results(tmp_path):
  """What the vot-toolkit writes by itself gives the same failure strips."""
  entry = _vot_entry(tmp_path)
  expected, _ = worst_strips(entry, tmp_path / 'vot', 5)
  for path in (tmp_path / 'run').rglob('*_001.txt'):
    rows = regions.read_trajectory(path).rows()
    path.with_suffix('.bin').write_bytes(
        struct.pack('<hI', 1, len(rows)) + b''.join(
            struct.pack('<BI', 0, int(row[0])) if len(row) == 1 else
            struct.pack('<B4f', 1, *row) for row in rows))
    path.unlink()
  found, notes = worst_strips(entry, tmp_path / 'vot', 5)
  assert notes == []
  assert [f.text for f in found] == [f.text for f in expected]
  for strip, same in zip(found, expected, strict=True):
    np.testing.assert_array_equal(strip.result, same.result)


def test_vot_is_read_as_for_scoring(tmp_path, monkeypatch):
  entry = _vot_entry(tmp_path)
  read = scoring.load_vot_sequences('vot2018', tmp_path / 'vot', ['calm'])
  monkeypatch.setattr(scoring, 'load_vot_sequences',
                      lambda benchmark, path, failed: read)
  (strip,), _ = worst_strips(entry, tmp_path / 'vot', 5)
  assert strip.name == 'calm'


def test_drawing(tmp_path):
  write_otb(tmp_path, 'One', 20, 10, box=(65, 41, 64, 80), size=(320, 240))
  (strip,), _ = worst_strips(_score(tmp_path), tmp_path / 'otb', 1)
  pictures = draw_frames(strip)
  at = strip.frames.tolist().index(10)

  def is_color(picture, y, x, channel):
    blue_green_red = picture[y, x].astype(int)
    return blue_green_red[channel] > 1.5 * np.delete(blue_green_red,
                                                     channel).max()

  for picture, frame in zip(pictures, strip.frames, strict=True):
    assert picture.shape == (240, 320, 3)
    # The left side of the box, x = 64 from 0.
    assert is_color(picture, 80, 64, 1 if frame >= 10 else 2)
    assert is_color(picture, 238, 200, 2) == (frame == 10)  # the border
    assert abs(int(picture[200, 200, 0]) - 100 - frame) <= 1
  save_strips(tmp_path / 'new' / 'strip.png', [pictures, pictures])
  strip = cv2.imread(str(tmp_path / 'new' / 'strip.png'))
  assert strip.shape == (2 * 240 + 4, 8 * 320 + 7 * 4, 3)
  for top in (0, 244):
    np.testing.assert_array_equal(
        strip[top:top + 240, at * 324:at * 324 + 320], pictures[at])


def test_a_whole_sequence_has_the_first_frame_and_the_last():
  truth = np.arange(28.0).reshape(7, 4) + 1
  strip = whole_sequence('n', [Path(f'{k}.png') for k in range(7)], truth,
                    truth * np.nan, 4)
  assert strip.frames.tolist() == [0, 2, 4, 6] and strip.lost == -1
  assert [p.stem for p in strip.images] == ['0', '2', '4', '6']
  # Frame 2's box is at (9, 10) and 11 wide, 12 high.
  assert strip.truth[1].tolist() == [[9, 10], [20, 10], [20, 22], [9, 22]]
  assert np.isnan(strip.result).all()
