"""Each image gets its own box, or none: boxes are lines without names."""

import numpy as np
import pytest

from siamkpn_jax.datasets.formats import pairing
from tests.datasets.formats import miniatures
from tests.datasets.formats.reading import read

UNCLEAR = 'tracks: unclear which box belongs to which image'


def pair(numbers, num_boxes, form='frame_{:04d}.jpg', **kwargs):
  rows = pairing.pair([f'v/{form.format(n)}' for n in numbers], num_boxes,
                      **kwargs)
  return None if rows is None else rows.tolist()


def without(numbers, *missing):
  return [n for n in numbers if n not in missing]


@pytest.mark.parametrize(('numbers', 'boxes', 'rows'), [
    (range(1, 11), 10, [*range(10)]), (range(10), 10, [*range(10)]),
    ([3, 7, 20], 3, [0, 1, 2]),  # complete, whatever the numbers
    (without(range(1, 11), 4), 10, [0, 1, 2, 4, 5, 6, 7, 8, 9]),
    (range(4, 11), 10, [3, 4, 5, 6, 7, 8, 9]),  # the first three are missing
    (without(range(10), 4), 10, [0, 1, 2, 3, 5, 6, 7, 8, 9]),
    (range(9), 10, [*range(9)]),
    (without(range(300, 310), 305), 10, [0, 1, 2, 3, 4, 6, 7, 8, 9]),
    (range(1, 6), 3, [0, 1, 2, -1, -1]), (range(5), 3, [0, 1, 2, -1, -1]),
    (without(range(1, 6), 2), 3, [0, 2, -1, -1])])
def test_numbers_that_decide(numbers, boxes, rows):
  assert pair(numbers, boxes) == rows
  assert pair(numbers, boxes, '{}.png') == rows
  assert pair(numbers, boxes, 'take2_{:06d}.PNG') == rows


@pytest.mark.parametrize(('numbers', 'boxes'), [
    (range(1, 10), 10),  # 10 is missing, or 0 is
    (range(3, 10), 10), (range(300, 309), 10), (range(0, 50, 5), 12),
    (range(300, 310), 5), ([10**18 + n for n in range(5)], 6)])
def test_numbers_that_do_not_decide(numbers, boxes):
  assert pair(numbers, boxes) is None


@pytest.mark.parametrize('names', [
    ['a.jpg', 'b.jpg'], ['a_1.jpg', 'b_1.jpg'], ['a_2.jpg', 'b_1.jpg'],
    [f'{"9" * 5000}.jpg', f'{"9" * 5001}.jpg']])
def test_names_that_do_not_decide(names):
  assert pairing.pair(names, 1) is None
  assert pairing.pair(names, 4) is None
  assert pairing.pair(names, 2).tolist() == [0, 1]


@pytest.mark.parametrize('names', [
    ['1.jpg', '1.png', '2.jpg'], ['1.jpg', '01.jpg', '2.jpg'],
    ['v/a_9.jpg', 'v/a_10.jpg', 'v/a_0010.jpg']])
def test_a_frame_in_two_files(names):
  """As many boxes as files are those of other frames."""
  assert pairing.pair(names, 3) is None
  assert pairing.pair([*names[:1], *names[2:]], 2).tolist() == [0, 1]


def test_what_the_data_set_says():
  assert pair(range(3, 10), 10, first=0) == [*range(3, 10)]
  assert pair(range(3, 10), 10, first=1) == [*range(2, 9)]
  assert pair(range(1, 4), 10, first=1) == [0, 1, 2]
  # It cannot be: the last image would have no box, or the first.
  assert pair(without(range(1, 11), 4), 10, first=0) == [
      0, 1, 2, 4, 5, 6, 7, 8, 9]
  assert pair(without(range(10), 4), 10, first=1) == [
      0, 1, 2, 3, 5, 6, 7, 8, 9]
  assert pair(range(1, 12), 10, first=0) is None
  assert pair(range(1, 12), 5, frame_range=(3, 7)) == [
      -1, -1, 0, 1, 2, 3, 4, -1, -1, -1, -1]
  assert pair(range(1, 12), 5, frame_range=(3, 8)) == [*range(5), *[-1] * 6]


def test_what_other_videos_say():
  assert pair(range(3, 10), 10, usual_first=lambda: 0) == [*range(3, 10)]
  assert pair(range(3, 10), 10, usual_first=lambda: 1) == [*range(2, 9)]
  assert pair(range(5, 10), 6, usual_first=lambda: 1) is None
  assert pairing.starts_at(['a/0.jpg', 'a/1.jpg']) == 0
  assert pairing.starts_at(['a/7.jpg', 'a/8.jpg']) is None
  assert pairing.starts_at(['a/x.jpg']) is None


def test_an_image_without_a_number_takes_no_box():
  names = ['cover.jpg', *(f'f{n}.jpg' for n in (1, 2, 4, 5))]
  assert pairing.pair(names, 5).tolist() == [-1, 0, 1, 3, 4]
  assert pairing.pair(names, 4).tolist() == [-1, 0, 1, 2, 3]
  assert pairing.pair(['a.jpg', 'b.jpg'], 2).tolist() == [0, 1]


@pytest.mark.parametrize('missing', [(4,), (1, 2, 3), (2, 9)])
@pytest.mark.parametrize('images', ['img', ''])
def test_own_data(tmp_path, missing, images):
  """Line k of the boxes is frame k, however many images are missing."""
  numbers = without(range(1, 11), *missing)
  miniatures.put_images(tmp_path / 'v' / images,
                        [f'frame_{n:04d}.jpg' for n in numbers])
  miniatures.put_text(tmp_path / 'v' / 'groundtruth.txt', ''.join(
      f'{n},1,5,5\n' for n in range(1, 11)))
  tracks, dropped = read('folder', tmp_path)
  assert [int(i[-8:-4]) for i in tracks['v'].images] == numbers
  assert tracks['v'].boxes_xywh[:, 0].tolist() == numbers
  assert dropped == {'frames: more boxes than images': len(missing)}


def test_own_data_that_is_unclear(tmp_path):
  """Left out, and said why; another video of the set may tell."""
  miniatures.put_images(tmp_path / 'v', [f'{n}.jpg' for n in range(3, 10)])
  miniatures.put_text(tmp_path / 'v' / 'gt.txt', ''.join(
      f'{n},1,5,5\n' for n in range(10)))
  assert read('folder', tmp_path) == ({}, {UNCLEAR: 1})
  miniatures.put_images(tmp_path / 'whole', ['0.jpg', '1.jpg'])
  miniatures.put_text(tmp_path / 'whole' / 'gt.txt', '1,1,5,5\n' * 2)
  tracks, dropped = read('folder', tmp_path)
  assert tracks['v'].boxes_xywh[:, 0].tolist() == [*range(3, 10)]
  assert UNCLEAR not in dropped
  miniatures.put_images(tmp_path / 'other', ['1.jpg', '2.jpg'])
  miniatures.put_text(tmp_path / 'other' / 'gt.txt', '1,1,5,5\n' * 2)
  assert read('folder', tmp_path)[1] == {UNCLEAR: 1}


def test_own_data_of_otb(tmp_path):
  """David's boxes begin at image 300."""
  miniatures.put_images(tmp_path / 'David' / 'img',
                        [f'{n:04d}.jpg' for n in (1, *range(300, 771))])
  miniatures.put_text(tmp_path / 'David' / 'groundtruth_rect.txt', ''.join(
      f'{n},1,5,5\n' for n in range(300, 771)))
  (track,) = read('folder', tmp_path)[0].values()
  assert track.boxes_xywh[:, 0].tolist() == [*range(300, 771)]
  assert track.images[0] == 'David/img/0300.jpg'


@pytest.mark.parametrize('labels', ['0\n' * 3, '0\n' * 5, '0\n' * 11])
def test_labels_that_are_not_one_for_each_box(tmp_path, labels):
  """A line may be missing anywhere, so that those after it would be wrong."""
  for home in (tmp_path / 'mine' / 'v', tmp_path / 'got' / 'train' / 'v'):
    miniatures.put_images(home, miniatures.eight_digits(1, 2, 3, 4))
    miniatures.put_text(home / 'groundtruth.txt', '1,1,5,5\n' * 4)
    miniatures.put_text(home / 'absence.label', labels)
  miniatures.put_text(tmp_path / 'got' / 'train' / 'list.txt', 'v')
  reason = {'tracks: not one label for each box': 1}
  assert read('folder', tmp_path / 'mine') == ({}, reason)
  assert read('got10k', tmp_path / 'got') == ({}, reason)


@pytest.mark.parametrize(('layout', 'first'), [
    ('got10k', 1), ('lasot', 1), ('trackingnet', 0)])
@pytest.mark.parametrize('missing', [(4,), (0, 1, 2), (9,), (0, 5)])
def test_benchmarks(tmp_path, layout, first, missing):
  """They say what the first image is called."""
  homes = {'got10k': ('train/v', 'train/v/groundtruth.txt', '{:08d}'),
           'lasot': ('cat/cat-2/img', 'cat/cat-2/groundtruth.txt', '{:08d}'),
           'trackingnet': ('TRAIN_0/frames/v', 'TRAIN_0/anno/v.txt', '{}')}
  images, boxes, form = homes[layout]
  kept = without(range(10), *missing)
  miniatures.put_images(tmp_path / images,
                        [f'{form.format(n + first)}.jpg' for n in kept])
  miniatures.put_text(tmp_path / boxes, ''.join(
      f'{n},1,5,5\n' for n in range(10)))
  miniatures.put_text(tmp_path / 'train' / 'list.txt', 'v')
  (track,) = read(layout, tmp_path)[0].values()
  origin = layout == 'lasot'  # its pixels are counted from 1
  assert (track.boxes_xywh[:, 0] + origin).tolist() == kept
  np.testing.assert_array_equal(
      [pairing.frame_number(i) - first for i in track.images], kept)
