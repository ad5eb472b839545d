"""Training on labels of CVAT, Label Studio and COCO-video."""

import shutil

import pytest

from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.tracks import Dropped
from tests.datasets.formats import miniatures
from tests.datasets.formats.reading import check, check_images, read
from tests.datasets.labeled import CARS, LABELS, XML


def test_train_on_cvat(tmp_path):
  """Two videos, one of them with images that are not those of all frames."""
  for name, numbers in (('a', range(5)), ('b', (0, 2))):
    (tmp_path / name).mkdir()
    shutil.copy(LABELS / 'cvat_video.xml', tmp_path / name / 'annotations.xml')
    miniatures.put_images(tmp_path / name / 'images',
                          [f'frame_{k:06d}.png' for k in numbers])
  assert catalog.find_kind('mine', tmp_path) == 'labeled'
  tracks, dropped = read('labeled', tmp_path)
  assert list(tracks) == ['a/0', 'a/1', 'b/0', 'b/1']
  image = 'a/images/frame_{:06d}.png'.format
  check(tracks['a/0'], map(image, (0, 1, 2)), list(CARS[0].values()))
  check(tracks['b/0'], [image(k).replace('a/', 'b/') for k in (0, 2)],
        [CARS[0][1], CARS[0][3]])
  check_images(tmp_path, tracks)
  assert dropped == {'frames: image missing': 4}


def test_train_on_cvat_with_images(tmp_path):
  shutil.copy(LABELS / 'cvat_images.xml', tmp_path / 'annotations.xml')
  miniatures.put_images(tmp_path / 'images', ['a.png', 'b.png', 'c.png'])
  tracks, dropped = read('labeled', tmp_path)
  check(tracks['annotations/3'], ['images/a.png', 'images/b.png'],
        [[1, 2, 3, 4], [2, 2, 3, 4]])
  check(tracks['annotations/4'], ['images/b.png'], [[9, 9, 3, 2]])
  assert not dropped


def test_train_on_stills_of_a_video_of_a_project(tmp_path):
  """CVAT leaves out suffixes there, and puts images below their subset."""
  text = (LABELS / 'cvat_images.xml').read_text()
  text = text.replace('a.png', 'frame_000000').replace('b.png', 'frame_000001')
  miniatures.put_text(tmp_path / 'annotations.xml', text)
  miniatures.put_images(tmp_path / 'images' / 'default',
                        ['frame_000000.PNG', 'frame_000001.PNG'])
  tracks, dropped = read('labeled', tmp_path)
  image = 'images/default/frame_{:06d}.PNG'.format
  check(tracks['annotations/3'], [image(0), image(1)],
        [[1, 2, 3, 4], [2, 2, 3, 4]])
  assert not dropped


def test_every_third_frame_of_a_video(tmp_path):
  """CVAT counts the frames of the video, its images may be counted anew."""
  text = XML.replace('<frame_filter>', '<frame_filter>step=3')
  text = text.replace('<size>5', '<size>2').replace('frame="4"', 'frame="3"')
  miniatures.put_text(tmp_path / 'annotations.xml', text)
  miniatures.put_images(tmp_path / 'images', ['1.png', '2.png'])
  tracks, _ = read('labeled', tmp_path)
  assert tracks['annotations/0'].images == ['images/1.png']
  assert tracks['annotations/1'].images == ['images/2.png']


def test_images_that_are_not_those_of_the_frames(tmp_path):
  shutil.copy(LABELS / 'cvat_video.xml', tmp_path / 'annotations.xml')
  miniatures.put_images(tmp_path / 'images', ['1.png', '2.png'])
  tracks, dropped = read('labeled', tmp_path)
  assert not tracks and dropped == {
      'tracks: unclear which box belongs to which image': 1}


@pytest.mark.parametrize('home', ['cars', '1a2b3c4d-cars'])
def test_train_on_label_studio(tmp_path, home):
  """Boxes are fractions of images, which are frames counted from 1."""
  shutil.copy(LABELS / 'label_studio.json', tmp_path / 'project-2.json')
  miniatures.put_images(
      tmp_path / home, [f'{k:06d}.jpg' for k in range(1, 7)])
  assert catalog.find_kind('mine', tmp_path) == 'labeled'
  (track,) = catalog.LAYOUTS['labeled'].tracks(tmp_path, Dropped())
  assert track.relative and track.images == [
      f'{home}/{k:06d}.jpg' for k in (1, 2, 3, 5, 6)]  # in 4 it is not seen
  assert track.boxes_xywh[:3].tolist() == [
      [0.1, 0.2, 0.5, 0.25], pytest.approx([0.15, 0.2, 0.5, 0.25]),
      [0.2, 0.2, 0.5, 0.25]]


def test_train_on_label_studio_of_another_frame_rate(tmp_path):
  """Its frame 24 is frame 30 of a video of 30 frames per second."""
  shutil.copy(LABELS / 'label_studio.json', tmp_path / 'project-2.json')
  miniatures.put_images(
      tmp_path / 'cars', [f'{k:06d}.jpg' for k in range(1, 31)])
  tracks, dropped = read('labeled', tmp_path)
  assert not tracks and dropped == {
      'tracks: unclear which box belongs to which image': 1}


@pytest.mark.parametrize(('name', 'home', 'want'), [
    ('coco_vid', 'cars', ['0-cars/4', '0-cars/9']),
    ('youtube_vis', 'v', ['0-v/8'])])
def test_train_on_coco_video(tmp_path, name, home, want):
  """Tracks of many frames, not stills."""
  files = {'cars': ['000001.jpg', '000002.jpg', '000003.jpg'],
           'v': ['00000.jpg', '00005.jpg', '00010.jpg']}[home]
  miniatures.put_text(tmp_path / 'annotations' / 'instances_train2017.json',
                      (LABELS / f'{name}.json').read_text())
  miniatures.put_images(tmp_path / 'train2017' / home, files)
  assert catalog.find_kind('mine', tmp_path) == 'coco'
  tracks, _ = read('coco', tmp_path)
  assert list(tracks) == want
  first = tracks[want[0]]
  assert first.images == [f'train2017/{home}/{files[k]}' for k in (0, 2)]
  check_images(tmp_path, tracks)
