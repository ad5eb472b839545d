"""One bad entry is dropped and counted; the rest of the data set is used."""

import errno
import json
import os

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import LAYOUTS, json_file, scan
from siamkpn_jax.datasets.index import load_index
from tests.datasets.formats import miniatures
from tests.datasets.formats.reading import read

DEEP = '[' * 100_000 + ']' * 100_000
# As they stand in a file.
NO_NUMBERS = ['1' + '0' * 400, '-1' + '0' * 400, '9' * 5000, '1e999', 'NaN',
              '-Infinity', '{}', '[]', '"x"', 'true', '-3', '0', DEEP,
              '{"a": ' * 5000 + '1' + '}' * 5000, '"\\u0000"', '"1_0"']
NO_NAMES = ['v\\u0000', 'v\0', '\\ud800', '\\udfff\\ud800', 'v' * 300,
            '/' * 300, 'v/' * 3000, '..', '../a', '/a', 'a/../../b', 'C:/a',
            '\\n', '\\u0007', '\\udcff', '\udcff', '\\u2028']


def put(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(text.encode(errors='surrogateescape'))


def load(layout, folder):
  """The images of the index, {reason: count}; all can be printed."""
  index, dropped = load_index(layout, folder, LAYOUTS[layout])
  again, cached = load_index(layout, folder, LAYOUTS[layout])
  assert again.digest() == index.digest()
  assert cached.counts == dropped.counts
  for example in dropped.examples.values():
    assert example.isprintable() and len(example.encode()) < 4000
  return [index.image(k) for k in range(len(index.names))], dropped.counts


def coco(folder, image, box):
  """Two good images and boxes around an `image` and a `box`."""
  good = [json.dumps({'id': n, 'file_name': f'{n}.jpg'}) for n in (1, 2)]
  boxes = [json.dumps({'id': n, 'image_id': n, 'bbox': [1, 2, 3, 4]})
           for n in (1, 2)]
  put(folder / 'annotations' / 'instances_train2017.json',
      f'{{"images": [{good[0]}, {image}, {good[1]}], '
      f'"annotations": [{boxes[0]}, {box}, {boxes[1]}]}}')
  miniatures.put_images(folder / 'train2017', ['1.jpg', '2.jpg'])
  images, counts = load('coco', folder)
  assert images == ['train2017/1.jpg', 'train2017/2.jpg']
  return counts


IMAGE = '{"id": 3, "file_name": "1.jpg"}'


@pytest.mark.parametrize('value', NO_NUMBERS, ids=lambda v: v[:20])
@pytest.mark.parametrize('form', [
    '{"id": 3, "image_id": 3, "bbox": [1, 2, @, 4]}',
    '{"id": 3, "image_id": 3, "bbox": [1, 2, 3, @]}',
    '{"id": 3, "image_id": 3, "bbox": @}', '@'])
def test_coco_boxes(tmp_path, form, value):
  assert coco(tmp_path, IMAGE, form.replace('@', value)).total() in (1, 2)


@pytest.mark.parametrize('box', [
    *(f'{{"image_id": 3, "bbox": {box}}}' for box in (
        '[[1, 2], [3, 4]]', '[1, 2, 3, 4, 5]', '"abcd"', '[[1, 2, 3, 4]]',
        'null', '{}')),
    '3', '{}', '{"image_id": [], "bbox": [1, 2, 3, 4]}'])
def test_coco_boxes_of_another_shape(tmp_path, box):
  assert coco(tmp_path, IMAGE, box) == {'boxes: cannot be read': 1}


@pytest.mark.parametrize('name', NO_NAMES, ids=lambda v: ascii(v[:20]))
def test_coco_names(tmp_path, name):
  box = f'{{"id": "{name}", "image_id": 3, "bbox": [1, 2, 3, 4]}}'
  image = f'{{"id": 3, "file_name": "{name}"}}'
  assert coco(tmp_path, image, box) == {'frames: image missing': 1,
                                        'tracks: no usable frame': 1}


@pytest.mark.parametrize('image', [
    '3', 'null', '{}', '{"id": 3}', '{"id": [], "file_name": "1.jpg"}',
    '{"id": 3, "file_name": null}', '{"id": 3, "file_name": 7}', DEEP,
    f'{{"id": {"9" * 5000}, "file_name": "1.jpg"}}',
    f'{{"id": 3, "file_name": {{"a": {DEEP}}}}}'])
def test_coco_images(tmp_path, image):
  box = '{"id": 3, "image_id": 3, "bbox": [1, 2, 3, 4]}'
  counts = coco(tmp_path, image, box)
  assert counts['boxes: of an unknown image'] == 1


def test_coco_images_of_one_id(tmp_path):
  """As in files that were put together: whose box it is cannot be told."""
  box = '{"image_id": 3, "bbox": [1, 2, 3, 4]}'
  counts = coco(tmp_path, f'{IMAGE}, {IMAGE.replace("1.jpg", "2.jpg")}', box)
  assert counts == {'images: of an id that another has': 1,
                    'boxes: of an image whose id is used twice': 1}


def crop511(folder, entry):
  """Two good tracks around an entry of the file."""
  good = [f'"{name}": {{"00": {{"1": [1, 2, 30, 40]}}}}' for name in 'ab']
  put(folder / 'train.json', f'{{{good[0]}, {entry}, {good[1]}}}')
  for name in ('a', 'b'):
    miniatures.put_images(folder / name, ['000001.00.x.jpg'])
  images, counts = load('crop511', folder)
  assert images == ['a/000001.00.x.jpg', 'b/000001.00.x.jpg']
  return counts


@pytest.mark.parametrize('value', [*NO_NUMBERS, 'null'], ids=lambda v: v[:20])
@pytest.mark.parametrize('form', [
    '{"00": {"1": [9, 9, @, 4]}}', '{"00": {"1": @}}', '{"00": @}', '@'])
def test_crop511_boxes(tmp_path, form, value):
  if form == '@' and value == '{}':
    return  # a video without tracks
  counts = crop511(tmp_path, '"c": ' + form.replace('@', value))
  assert 1 <= counts.total() <= 3


@pytest.mark.parametrize('name', NO_NAMES, ids=lambda v: ascii(v[:20]))
def test_crop511_names(tmp_path, name):
  for entry in (f'"{name}": {{"00": {{"1": [1, 2, 3, 4]}}}}',
                f'"c": {{"{name}": {{"1": [1, 2, 3, 4]}}}}'):
    counts = crop511(tmp_path, entry)
    assert counts in ({'tracks: not a name': 1}, {
        'frames: image missing': 1, 'tracks: no usable frame': 1})


def test_crop511_frames(tmp_path):
  """A bad frame costs that frame, whatever its number."""
  put(tmp_path / 'train.json', json.dumps({'a': {'00': {
      '1': [1, 2, 30, 40], '2': 'x', '9' * 5000: [1, 2, 3, 4],
      '\u00b2': [1, 2, 3, 4], '4': [1, 2, 30, 50]}}}))
  tracks, dropped = read('crop511', tmp_path)
  assert tracks['a/00'].images == ['a/000001.00.x.jpg', 'a/000004.00.x.jpg']
  assert dropped == {'frames: box cannot be read': 2}


@pytest.mark.parametrize('row', [
    'v\0,1000,0,person,0,present,0.5,0.75,0.25,0.5', '"' * 3,
    'zz,"1000,0,person,0,present,0.5,0.75,0.25,0.5', 'x' * 200_000,
    'v' * 300 + ',1000,0,person,0,present,0.5,0.75,0.25,0.5',
    f'zz,{"9" * 5000},0,person,0,present,0.5,0.75,0.25,0.5',
    f'zz,1000,0,person,0,present,{"9" * 5000},0.75,0.25,0.5',
    '\udcff,1000,0,person,0,present,0.5,0.75,0.25,0.5'],
    ids=lambda v: ascii(v[:20]))
def test_youtube_bb(tmp_path, row):
  """Nor does a row spoil those after it."""
  miniatures.youtube_bb(tmp_path)
  rows = miniatures.YOUTUBE_BB.split('\r\n')
  images, counts = load('youtube_bb', tmp_path)
  put(tmp_path / 'yt_bb_detection_train.csv',
      '\r\n'.join([rows[0], row, *rows[1:]]))
  found, bad = load('youtube_bb', tmp_path)
  assert sorted(found) == sorted(images)
  assert bad.total() > counts.total()


@pytest.mark.parametrize('name', [
    'v\0', 'v' * 300, 'v/' * 3000, '..', '\x07', '../victim'])
def test_got10k(tmp_path, name):
  miniatures.got10k(tmp_path)
  images, _ = load('got10k', tmp_path)
  text = (tmp_path / 'list.txt').read_text()
  put(tmp_path / 'list.txt', f'{name}\n{text}')
  found, counts = load('got10k', tmp_path)
  assert found == images
  assert counts.total() >= 5


@pytest.mark.parametrize('text', [
    '<?xml version="1.0" encoding="foo"?><annotation/>', '<a>' * 50_000, '\0',
    '', '<?xml version="1.0" encoding="undefined"?><annotation/>',
    miniatures.xml((0, miniatures.corners('9' * 5000, 0, 3, 3)))])
def test_imagenet(tmp_path, text):
  miniatures.imagenet_vid(tmp_path)
  images, counts = load('imagenet_vid', tmp_path)
  part = 'VID/train/ILSVRC2015_VID_train_0000/v_001'
  put(tmp_path / 'Annotations' / part / '000001.xml', text)
  found, bad = load('imagenet_vid', tmp_path)
  assert found == images and bad != counts


def test_a_disk_that_fails_hides_nothing(tmp_path, monkeypatch):
  """What cannot be listed just now is not missing."""
  miniatures.own(tmp_path)

  def stale(folder):
    raise OSError(errno.ESTALE, 'Stale file handle')

  monkeypatch.setattr(os, 'scandir', stale)
  with pytest.raises(UserError, match='Stale file handle.*try again'):
    scan.names(tmp_path)


def test_json_that_is_read_entry_by_entry(tmp_path):
  """The same as Python's reader where that can read it."""
  content = {'a': [1, 2.5, -3, True, None, 'x"\\[{\n', {'b': [[[]]]}], 'ü': ''}
  text = json.dumps(content)
  assert json_file._without_depth(text) == text
  path = tmp_path / 'a.json'
  put(path, text[:-1] + f', "bad": {DEEP}, "huge": {"9" * 5000}}}')
  found = json_file.read(path)
  assert found.pop('huge') == float('inf') and 'bad' in found
  del found['bad']
  assert found == content
  for damaged in ('{"a": ', '[' * 100_000, '"', '{"a": "' + '\\"' * 50_000):
    put(path, damaged)
    with pytest.raises(ValueError, match='.'):
      json_file.read(path)
