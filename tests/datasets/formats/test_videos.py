"""Data sets of videos that are trained on: what is read and what is not."""

import gzip
import os

import pytest

from siamkpn_jax.datasets.formats import LAYOUTS, lasot_split
from tests.datasets.formats import miniatures
from tests.datasets.formats.reading import (
    NAN,
    check,
    check_images,
    names_of,
    read,
)


@pytest.mark.parametrize('split', ['', 'train/'])
def test_got10k(tmp_path, split):
  miniatures.got10k(tmp_path / split)
  tracks, dropped = read('got10k', tmp_path)
  prefix = f'{split}GOT-10k_Train_00000'
  assert list(tracks) == [f'GOT-10k_Train_00000{n}' for n in (1, 2, 5)]
  check(tracks['GOT-10k_Train_000001'],
        [f'{prefix}1/0000000{n}.jpg' for n in (1, 2, 3, 4)],
        [[1, 2, 3.5, 4], [1, 2, 3, 4], [0, 0, 0, 0], [5, 6, 7, 8]],
        absent=[1, 2])
  check(tracks['GOT-10k_Train_000002'],
        [f'{prefix}2/0000000{n}.jpg' for n in (1, 2)],
        [[1, 1, 2, 2], [NAN] * 4])
  # A missing image does not shift the boxes of those after it.
  check(tracks['GOT-10k_Train_000005'],
        [f'{prefix}5/0000000{n}.jpg' for n in (1, 3)],
        [[1, 1, 2, 2], [3, 3, 2, 2]])
  assert dropped == {'tracks: no annotation': 2,
                     'frames: more boxes than images': 2}
  check_images(tmp_path, tracks)
  assert names_of(tmp_path, LAYOUTS['got10k'].annotations(tmp_path)) == [
      *(f'{prefix}{n}/groundtruth.txt' for n in (1, 2, 5)), f'{split}list.txt']


def test_got10k_list_that_is_not_text(tmp_path):
  (tmp_path / 'list.txt').write_bytes(b'\xff\xfe')
  assert read('got10k', tmp_path) == (
      {}, {'files: annotation cannot be read': 1})


@pytest.mark.parametrize('class_level', [True, False])
def test_lasot(tmp_path, class_level):
  """Its files count pixels from 1, tracks from 0."""
  miniatures.lasot(tmp_path, class_level=class_level)
  airplane = 'airplane/' if class_level else ''
  tracks, dropped = read('lasot', tmp_path)
  assert list(tracks) == ['airplane-2', 'airplane-10']
  check(tracks['airplane-2'],
        [f'{airplane}airplane-2/img/0000000{n}.jpg' for n in (1, 2, 3)],
        [[0, 1, 3, 4], [4, 5, 0, 8], [8, 9, 11, 12]], absent=[1, 2])
  check(tracks['airplane-10'],
        [f'{airplane}airplane-10/img/0000000{n}.jpg' for n in (1, 2)],
        [[0, 1, 3, 4], [4, 5, 7, 8]])
  assert dropped == {'tracks: of the test split': 2,
                     'tracks: annotation cannot be read': 1,
                     'tracks: labels cannot be read': 1,
                     'tracks: no annotation': 1}
  check_images(tmp_path, tracks)
  assert len(LAYOUTS['lasot'].annotations(tmp_path)) == 6


def test_lasot_with_its_own_list_of_test_videos(tmp_path):
  miniatures.lasot(tmp_path)
  path = tmp_path / 'testing_set.txt'
  miniatures.put_text(path, 'airplane-2\r\nzebra-20')
  tracks, dropped = read('lasot', tmp_path)
  assert list(tracks) == ['airplane-1', 'airplane-10', 'zebra-16']
  assert dropped['tracks: of the test split'] == 2
  assert path in LAYOUTS['lasot'].annotations(tmp_path)
  path.write_bytes(b'\n')  # an empty list names nothing: the built-in one
  assert list(read('lasot', tmp_path)[0]) == ['airplane-2', 'airplane-10']


def test_lasot_split():
  videos = lasot_split.TEST_VIDEOS
  assert len(videos) == 280
  assert len({name.rpartition('-')[0] for name in videos}) == 70
  assert {'airplane-1', 'rubicCube-1', 'zebra-17'} <= videos


def test_trackingnet(tmp_path):
  miniatures.trackingnet(tmp_path)
  tracks, dropped = read('trackingnet', tmp_path)
  assert list(tracks) == ['TRAIN_0/a_0', 'TRAIN_0/b_0', 'TRAIN_2/d_0',
                          'TRAIN_10/a_0']
  check(tracks['TRAIN_0/a_0'],
        [f'TRAIN_0/frames/a_0/{n}.jpg' for n in range(11)],
        [[1.5, 2, 3, 4]] * 11)
  check(tracks['TRAIN_0/b_0'], ['TRAIN_0/frames/b_0/0.jpg'], [[1, 2, 3, 4]])
  check(tracks['TRAIN_2/d_0'],  # as many as boxes: in order
        [f'TRAIN_2/frames/d_0/{n}.jpg' for n in (0, 2, 3)],
        [[0, 0, 1, 1], [1, 1, 1, 1], [2, 2, 1, 1]])
  check(tracks['TRAIN_10/a_0'],
        [f'TRAIN_10/frames/a_0/{n}.jpg' for n in (0, 1)],
        [[1, 2, 3, 4], [5, 6, 7, 8]])
  assert dropped == {'tracks: no images': 1, 'tracks: no annotation': 1,
                     'frames: images without a box': 1}
  check_images(tmp_path, tracks)
  assert names_of(tmp_path, LAYOUTS['trackingnet'].annotations(tmp_path)) == [
      'TRAIN_0/anno/a_0.txt', 'TRAIN_0/anno/b_0.txt', 'TRAIN_10/anno/a_0.txt',
      'TRAIN_2/anno/c_0.txt', 'TRAIN_2/anno/d_0.txt']


@pytest.mark.parametrize('name', [
    'yt_bb_detection_train.csv', 'yt_bb_detection_train.csv.gz',
    'youtube_boundingboxes_detection_train.csv'])
def test_youtube_bb(tmp_path, name):
  miniatures.youtube_bb(tmp_path, name=name)
  tracks, dropped = read('youtube_bb', tmp_path)
  assert list(tracks) == ['AB-c_1+0+0+1000', 'AB-c_1+2+1+1000', 'zz+7+0+4000',
                          'voc+7+2+4000', 'voc+7+3+6000', 'flat+7+2+4000']
  two = ['frames/AB-c_1/1000.jpg', 'frames/AB-c_1/2000.jpg']
  check(tracks['AB-c_1+0+0+1000'], two,
        [[0.5, 0.25, 0.25, 0.25], [-1, -1, 0, 0]], absent=[1])
  check(tracks['AB-c_1+2+1+1000'], two, [[0, 0, 1, 1], [0.25, 0, 0.25, 1]])
  check(tracks['zz+7+0+4000'],  # in order of time
        ['train/7/zz_4000_7_0.jpg', 'train/7/zz_5000_7_0.jpg'],
        [[0.5, 0.5, 0.5, 0.5], [0, 0, 0.5, 0.5]])
  for target, image in (
      ('voc+7+2+4000',
       'youtubebbdevkit2017/youtubebb2017/JPEGImages/voc+7+2+4000.jpg'),
      ('voc+7+3+6000',
       'youtubebbdevkit/youtubebb2017/JPEGImages/voc+7+3+6000.jpg'),
      ('flat+7+2+4000', 'train/flat_4000_7_2.jpg')):
    check(tracks[target], [image], [[0.5] * 4])
  assert dropped == {'frames: not decoded': 2, 'frames: row cannot be read': 1}
  check_images(tmp_path, tracks)
  assert LAYOUTS['youtube_bb'].annotations(tmp_path) == [tmp_path / name]


def test_youtube_bb_without_any_frame(tmp_path):
  """Nothing is read, but it is said why."""
  miniatures.put_text(tmp_path / 'yt_bb_detection_train.csv',
                      miniatures.YOUTUBE_BB + '\r\n\r\n')
  assert read('youtube_bb', tmp_path) == (
      {}, {'frames: not decoded': 11, 'frames: row cannot be read': 1})


def test_youtube_bb_download_that_was_cut_off(tmp_path):
  miniatures.youtube_bb(tmp_path, name='yt_bb_detection_train.csv.gz')
  rows = miniatures.YOUTUBE_BB + ''.join(
      f'\r\nq,{n},1,bird,{n % 7},present,0.{n},0.9,0.1,0.8'
      for n in range(20_000))
  data = gzip.compress(rows.encode())
  path = tmp_path / 'yt_bb_detection_train.csv.gz'
  path.write_bytes(data[:len(data) // 2])
  tracks, dropped = read('youtube_bb', tmp_path)
  assert len(tracks) == 6
  assert dropped['files: annotation is damaged'] == 1
  path.write_bytes(b'not gzip')
  assert read('youtube_bb', tmp_path) == (
      {}, {'files: annotation is damaged': 1})


def test_folder(tmp_path):
  miniatures.own(tmp_path)
  tracks, dropped = read('folder', tmp_path)
  assert list(tracks) == ['a', 'c']
  check(tracks['a'], [f'a/img/{n}.png' for n in (1, 2, 10)],
        [[1, 2, 3, 4], [5, 6, 7, 8], [NAN] * 4], absent=[1])
  # Counted from 1, as the complete videos of the set are.
  check(tracks['c'], [f'c/color/{n}.jpg' for n in (1, 2, 3)],
        [[1, 2, 3, 4]] * 3, absent=[1])
  assert dropped == {'tracks: no annotation': 1, 'tracks: no images': 1,
                     'tracks: annotation cannot be read': 2,
                     'tracks: unclear which box belongs to which image': 1,
                     'frames: more boxes than images': 1}
  check_images(tmp_path, tracks)
  assert names_of(tmp_path, LAYOUTS['folder'].annotations(tmp_path)) == [
      'a/absence.label', 'a/groundtruth_rect.txt', 'b/gt.txt',
      'c/absence.label', 'c/groundtruth.txt', 'e/gt.txt', 'f/gt.txt',
      'g/gt.txt']


@pytest.mark.parametrize('text', [
    '1,2,3\n', '1,2,3,4,5\n', '1,2,3,4\n\n1,2,3,4\n', 'a,b,c,d\n', '\n'])
def test_damaged_boxes(tmp_path, text):
  """A line too short or too long would shift the boxes after it."""
  miniatures.put_images(tmp_path / 'a', ['1.jpg', '2.jpg'])
  miniatures.put_text(tmp_path / 'a' / 'gt.txt', text)
  assert read('folder', tmp_path) == (
      {}, {'tracks: annotation cannot be read': 1})


@pytest.mark.parametrize('text', ['', 'x\n'])
def test_damaged_labels(tmp_path, text):
  miniatures.put_images(tmp_path / 'a', ['1.jpg'])
  miniatures.put_text(tmp_path / 'a' / 'gt.txt', '1,2,3,4')
  miniatures.put_text(tmp_path / 'a' / 'absence.label', text)
  assert read('folder', tmp_path) == ({}, {'tracks: labels cannot be read': 1})


def test_linked_folders(tmp_path):
  """Parts of large sets often lie on other disks."""
  miniatures.imagenet_vid(tmp_path / 'disk' / 'vid')
  miniatures.lasot(tmp_path / 'disk' / 'lasot')
  (tmp_path / 'vid').mkdir()
  for name in ('Annotations', 'Data'):
    os.makedirs(tmp_path / 'vid' / name / 'VID' / 'train')
    part = f'{name}/VID/train/ILSVRC2015_VID_train_0000'
    (tmp_path / 'vid' / part).symlink_to(tmp_path / 'disk' / 'vid' / part)
  assert len(read('imagenet_vid', tmp_path / 'vid')[0]) == 3
  (tmp_path / 'lasot').mkdir()
  (tmp_path / 'lasot' / 'airplane').symlink_to(
      tmp_path / 'disk' / 'lasot' / 'airplane')
  assert len(read('lasot', tmp_path / 'lasot')[0]) == 2


@pytest.mark.parametrize('layout', LAYOUTS)
def test_another_folder(tmp_path, layout):
  """An empty or a missing folder is not the layout and gives no error."""
  assert '\n' not in LAYOUTS[layout].EXPECTED
  for folder in (tmp_path, tmp_path / 'missing'):
    assert LAYOUTS[layout].annotations(folder) == []
    assert read(layout, folder) == ({}, {})


@pytest.mark.realdata
def test_real_sequences(real_data):
  tracks, dropped = read('folder', real_data / 'sequences')
  # Jogging-2/img is a link to Jogging-1's images, stored as a text file.
  assert dropped == {'tracks: no annotation': 1, 'tracks: no images': 1}
  assert len(tracks) == 11
  assert len(tracks['Dog1'].images) == 1350
  assert tracks['David'].images[0] == 'David/img/00000001.jpg'
  assert tracks['David'].boxes_xywh[0].tolist() == [129, 80, 64, 78]
  assert tracks['vot_bag'].boxes_xywh[0].tolist() == [
      292.23, 128.36, 145.96, 132.47]
  for track in tracks.values():
    for image in (track.images[0], track.images[-1]):
      assert (real_data / 'sequences' / image).is_file()


@pytest.mark.realdata
def test_real_list_of_test_videos(real_data):
  path = real_data / 'annotations' / 'lasot' / 'testing_set.txt'
  assert frozenset(path.read_text().split()) == lasot_split.TEST_VIDEOS
