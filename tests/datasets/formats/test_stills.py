"""Layouts of stills and of ImageNet: what is read and what is not."""

import json
import os

import numpy as np
import pytest

from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.formats import LAYOUTS
from tests.datasets.formats import miniatures
from tests.datasets.formats.reading import (
    NAN,
    check,
    check_images,
    names_of,
    read,
)


@pytest.mark.parametrize(('json_at', 'images_at', 'prefix'), [
    ('annotations/instances_train2017.json', 'train2017', 'train2017/'),
    ('annotations/instances_train2014.json', 'images', 'images/'),
    ('annotations/instances_own.json', 'images/own', 'images/own/'),
    ('instances_val2017.json', 'val2017', 'val2017/'),
    ('annotations/instances.json', 'annotations', 'annotations/'),
    ('instances.json', 'images', 'images/'),
    ('instances.json', '', ''),
    ('annotations/instances.json', '', '')])
def test_coco(tmp_path, json_at, images_at, prefix):
  miniatures.coco(tmp_path, json_at=json_at, images_at=images_at)
  tracks, dropped = read('coco', tmp_path)
  assert list(tracks) == ['9/1', '25/3', '9/6']
  check(tracks['9/1'], [f'{prefix}000000000009.jpg'], [[1.5, 2, 3, 4]])
  check(tracks['25/3'], [f'{prefix}000000000025.jpg'], [[1, 1, 0, 2]])
  check(tracks['9/6'], [f'{prefix}000000000009.jpg'], [[1, 1, NAN, 2]])
  assert dropped == {'boxes: crowd': 1, 'boxes: of an unknown image': 1,
                     'boxes: cannot be read': 2}
  check_images(tmp_path, tracks)
  assert LAYOUTS['coco'].annotations(tmp_path) == [tmp_path / json_at]


@pytest.mark.parametrize(('json_at', 'images_at', 'prefix'), [
    ('result.json', 'images', 'images/'), ('result.json', '', ''),
    ('_annotations.coco.json', '', ''),
    ('train/_annotations.coco.json', 'train', 'train/'),
    ('annotations/annotations.json', 'images', 'images/'),
    ('labels.json', 'data', None), ('coco.json', '', '')])
def test_coco_of_other_programs(tmp_path, json_at, images_at, prefix):
  """Label Studio, Roboflow and the like have names of their own."""
  miniatures.coco(tmp_path, json_at=json_at, images_at=images_at)
  if images_at == 'train':  # the other parts are not trained on
    miniatures.coco(tmp_path, json_at='valid/_annotations.coco.json',
                    images_at='valid')
  assert LAYOUTS['coco'].annotations(tmp_path) == [tmp_path / json_at]
  assert catalog.find_kind('mine', tmp_path) == 'coco'
  tracks, _ = read('coco', tmp_path)
  if prefix is not None:
    check_images(tmp_path, tracks)
    check(tracks['9/1'], [f'{prefix}000000000009.jpg'], [[1.5, 2, 3, 4]])


@pytest.mark.parametrize('text', ['{}', '[{"images": []}]', '{"AUC": 0.5}', '',
                                  '{"images": 0'])
def test_files_of_these_names_that_are_something_else(tmp_path, text):
  miniatures.own(tmp_path)
  miniatures.put_text(tmp_path / 'result.json', text)
  if '"images": 0' in text:
    assert read('coco', tmp_path)[1] == {'files: annotation cannot be read': 1}
  else:
    assert LAYOUTS['coco'].annotations(tmp_path) == []
    assert catalog.find_kind('mine', tmp_path) == 'folder'


@pytest.mark.parametrize(('value', 'crowd'), [
    ('"0"', False), ('"1"', True), ('false', False), ('true', True),
    ('0', False), ('1', True), ('0.0', False), ('"0.0"', False),
    ('"false"', False), ('"True"', True), ('null', False), ('""', False),
    ('2', None), ('"x"', None), ('[0]', None), ('NaN', None), ('-1', None),
    ('9' * 400, None)])
def test_coco_crowds(tmp_path, value, crowd):
  """Also as text; what is neither 0 nor 1 is not guessed."""
  miniatures.put_images(tmp_path, ['1.jpg'])
  miniatures.put_text(tmp_path / 'instances.json', (
      '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 1, '
      f'"image_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": {value}}}]}}'))
  tracks, dropped = read('coco', tmp_path)
  assert len(tracks) == (crowd is False)
  assert dropped == {None: {'boxes: cannot be read': 1},
                     True: {'boxes: crowd': 1}, False: {}}[crowd]


def check_one(folder, json_at, spelled, image):
  """An image that is spelled so is found."""
  miniatures.put_text(folder / json_at, json.dumps({
      'images': [{'id': 1, 'file_name': spelled}],
      'annotations': [{'id': 1, 'image_id': 1, 'bbox': [1, 2, 3, 4]}]}))
  check(read('coco', folder)[0]['1/1'], [image], [[1, 2, 3, 4]])


@pytest.mark.parametrize(('spelled', 'images_at', 'image'), [
    (r'images\a\1.jpg', 'images/a', 'images/a/1.jpg'),
    (r'a\1.jpg', 'train2017/a', 'train2017/a/1.jpg'),
    ('./a/1.jpg', 'train2017/a', 'train2017/a/1.jpg'),
    (r'.\a\1.jpg', 'a', 'a/1.jpg'), (r'a/b\1.jpg', 'images/a/b',
                                     'images/a/b/1.jpg')])
def test_coco_with_separators_of_windows(tmp_path, spelled, images_at, image):
  miniatures.put_images(tmp_path / images_at, ['1.jpg'])
  check_one(tmp_path, 'annotations/instances_train2017.json', spelled, image)


@pytest.mark.skipif(os.name == 'nt', reason='a separator there')
def test_coco_with_names_that_only_look_like_those_of_windows(tmp_path):
  miniatures.put_images(tmp_path, ['a\\1.jpg'])
  check_one(tmp_path, 'instances.json', 'a\\1.jpg', 'a\\1.jpg')


def test_coco_takes_the_training_split(tmp_path):
  """Of the official archive; where that is unclear, none."""
  miniatures.coco(tmp_path)
  home = tmp_path / 'annotations'
  for name in ('instances_val2017.json', 'person_keypoints_train2017.json',
               'instances_train2014.json', '._instances_train2017.json'):
    miniatures.put_text(home / name, '{')
  assert LAYOUTS['coco'].annotations(tmp_path) == [
      home / 'instances_train2017.json']
  (home / 'instances_train2017.json').rename(home / 'instances_train2015.json')
  assert LAYOUTS['coco'].annotations(tmp_path) == []


def test_coco_without_images(tmp_path):
  """The places where they are expected; a later step misses them."""
  miniatures.coco(tmp_path, images_at='elsewhere')
  tracks, _ = read('coco', tmp_path)
  check_images(tmp_path, tracks, missing=[
      'train2017/000000000009.jpg', 'train2017/000000000025.jpg'])


@pytest.mark.parametrize('text', [
    '{"images": [', '[]', '{}', '{"images": [{}], "annotations": []}',
    '{"images": 3, "annotations": []}', '{"images": [], "annotations": 3}',
    '{"images": [3], "annotations": []}', '\udcff'])
def test_coco_annotation_that_is_none(tmp_path, text):
  path = tmp_path / 'instances.json'
  path.write_bytes(text.encode(errors='surrogateescape'))
  assert read('coco', tmp_path) == ({}, {'files: annotation cannot be read': 1})


@pytest.mark.parametrize('root', ['', 'ILSVRC2015/'])
def test_imagenet_vid(tmp_path, root):
  miniatures.imagenet_vid(tmp_path / root)
  tracks, dropped = read('imagenet_vid', tmp_path)
  part = 'ILSVRC2015_VID_train_0000'
  assert list(tracks) == [f'{part}/v_000/1', f'{part}/v_000/0',
                          f'{part}/v_001/0']
  images = f'{root}Data/VID/train/{part}'
  check(tracks[f'{part}/v_000/1'], [f'{images}/v_000/000000.JPEG'],
        [[0, 0, 4, 4]])
  check(tracks[f'{part}/v_000/0'],
        [f'{images}/v_000/{n:06d}.JPEG' for n in (0, 2, 4)],
        [[1, 2, 4, 3], [2, 2, 0, 3], [1, 1, 2, NAN]])
  check(tracks[f'{part}/v_001/0'], [f'{images}/v_001/000000.JPEG'],
        [[0, 0, 3, 3]])
  assert dropped == {'frames: annotation cannot be read': 1,
                     'frames: images without a box': 1,
                     'boxes: no trackid': 1, 'tracks: no annotation': 1}
  check_images(tmp_path, tracks, missing=[f'{images}/v_000/000004.JPEG'])
  top = f'{root}Annotations/VID/train'
  assert names_of(tmp_path, LAYOUTS['imagenet_vid'].annotations(tmp_path)) == [
      top, f'{top}/{part}', f'{top}/{part}/v_000', f'{top}/{part}/v_001']


@pytest.mark.parametrize('root', ['', 'ILSVRC2015/', 'ILSVRC/'])
def test_imagenet_det(tmp_path, root):
  (tmp_path / 'ILSVRC2012').mkdir()
  miniatures.imagenet_det(tmp_path / root)
  tracks, dropped = read('imagenet_det', tmp_path)
  one = 'ILSVRC2013_train/n01/n01_1'
  two = 'ILSVRC2014_train_0000/ILSVRC2014_train_00000001'
  assert list(tracks) == [f'{one}/0', f'{one}/1', f'{two}/0']
  for name, image, box in ((f'{one}/0', one, [1, 1, 2, 3]),
                           (f'{one}/1', one, [0, 0, 8, 6]),
                           (f'{two}/0', two, [2, 2, 5, 1])):
    check(tracks[name], [f'{root}Data/DET/train/{image}.JPEG'], [box])
  assert dropped == {'frames: annotation cannot be read': 1,
                     'frames: images without a box': 1}
  check_images(tmp_path, tracks)
  top = f'{root}Annotations/DET/train'
  assert names_of(tmp_path, LAYOUTS['imagenet_det'].annotations(tmp_path)) == [
      top, f'{top}/ILSVRC2013_train', f'{top}/ILSVRC2013_train/n01',
      f'{top}/ILSVRC2013_train/n02', f'{top}/ILSVRC2014_train_0000']


@pytest.mark.realdata
def test_real_stills(real_data):
  tracks, dropped = read('coco', real_data / 'stills' / 'coco_train')
  assert len(tracks) == 929 and dropped == {'boxes: crowd': 10}
  images = {image for track in tracks.values() for image in track.images}
  assert all((real_data / 'stills/coco_train' / i).is_file() for i in images)
  for track in tracks.values():
    assert np.isfinite(track.boxes_xywh).all() and not track.absent.any()
