"""The crop511 layout, made here, and a real folder of it."""

import json
import shutil

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from tests.datasets.fakes import open_one
from tests.datasets.sizes import at_scale


def image_of(number):
  """511x511; the middle pixel is marked."""
  image = np.full((511, 511, 3), 20 * (number % 12), np.uint8)
  image[247:264, 247:264] = 255
  return image


@pytest.fixture(params=['crop511', ''], ids=['subfolder', 'flat'])
def make_folder(request, tmp_path):
  """Returns a function that writes annotations and their crops."""
  def make(annotations):
    (tmp_path / 'train.json').write_text(json.dumps(annotations))
    images = tmp_path / request.param
    for video, tracks in annotations.items():
      (images / video).mkdir(parents=True, exist_ok=True)
      for track, frames in tracks.items():
        for frame in frames:
          if frame.isdigit():
            cv2.imwrite(str(images / video / f'{int(frame):06d}.{track}.x.jpg'),
                        image_of(int(frame)))
    return tmp_path
  return make


def test_tracks_and_patches(make_folder):
  """Frames in order, sizes at the scale of the template."""
  source = open_one(make_folder({
      'a/b': {'00': {'000002': [10, 20, 50, 80], '000001': [0, 0, 30, 30]},
              '03': {'000005': [1.5, 2, 9, 12.25]}},
      'c': {'00': {'000000': [0, 0, 8, 8], 'meta': 'x'}}}))
  assert (source.kind, source.num_tracks) == ('crop511', 3)
  assert [source.num_frames(k) for k in range(3)] == [2, 1, 1]
  for track, position, number, (w, h) in (
      (0, 0, 1, (30, 30)), (0, 1, 2, (40, 60)), (1, 0, 5, (7.5, 10.25)),
      (2, 0, 0, (8, 8))):
    for patch in (511, 143, 1):
      image, wh = source.read(track, position, patch)
      assert image.shape == (patch, patch, 3) and image.dtype == np.uint8
      assert (image[patch // 2, patch // 2] > 250).all()  # still the middle
      if patch > 100:
        assert abs(int(image[0, 0, 0]) - 20 * number) <= 2
      assert wh.dtype == np.float32
      np.testing.assert_allclose(wh, at_scale((w, h)), rtol=1e-6)


def test_separators_of_windows(make_folder):
  folder = make_folder({'a/b': {'00': {'1': [0, 0, 30, 30]}}})
  (folder / 'train.json').write_text(json.dumps(
      {'a\\b': {'00': {'1': [0, 0, 30, 30]}}}))
  assert open_one(folder).num_tracks == 1


def test_frames_are_in_the_order_of_their_numbers(make_folder):
  """Also where the annotations do not pad them with zeros."""
  source = open_one(make_folder(
      {'a': {'00': {str(n): [0, 0, n, n] for n in (10, 2, 1, 9)}}}))
  found = [source.read(0, k, 511)[0][0, 0, 0] for k in range(4)]
  assert [round(int(v) / 20) for v in found] == [1, 2, 9, 10]


def test_sizes_instead_of_boxes(make_folder):
  source = open_one(make_folder(
      {'a': {'00': {'1': [30, 40], '2': [60, 20]}}}))
  for k, (w, h) in enumerate([(30, 40), (60, 20)]):
    wh = source.read(0, k, 143)[1]
    np.testing.assert_allclose(wh, at_scale((w, h)), rtol=1e-6)


def test_name_of_coco_and_the_cache(make_folder):
  """pysot calls its COCO annotations train2017.json; they are parsed once."""
  folder = make_folder({'a': {'00': {'1': [0, 0, 5, 5]}}})
  if (folder / 'crop511').is_dir():
    (folder / 'train.json').rename(folder / 'train2017.json')
  first = open_one(folder)
  assert first.num_tracks == 1 and list(folder.glob('.siamkpn_index*'))
  again = open_one(folder)
  for a, b in zip(first.read(0, 0, 143), again.read(0, 0, 143), strict=True):
    np.testing.assert_array_equal(a, b)


def test_tracks_of_a_video_are_one_group(make_folder):
  """Each is of its video's, also in a cache that is read again."""
  box = [0, 0, 30, 30]
  folder = make_folder({
      'a/b': {'00': {'1': box}, '01': {'2': box, '3': box}},
      'a/c': {'00': {'1': box}}, 'd': {'07': {'1': box}, '08': {'1': box}}})
  for _ in range(2):
    groups = open_one(folder).groups.tolist()
    assert groups[0] == groups[1] and groups[3] == groups[4]
    assert len(set(groups)) == 3


def test_crops_are_read_once_into_a_cache(make_folder):
  folder = make_folder({'a': {'00': {'1': [0, 0, 30, 30]}}})
  kept, plain = open_one(folder, cache_mb=1), open_one(folder)
  expected = plain.read(0, 0, 143)[0]
  np.testing.assert_array_equal(kept.read(0, 0, 143)[0], expected)
  next(folder.rglob('*.jpg')).unlink()
  np.testing.assert_array_equal(kept.read(0, 0, 143)[0], expected)
  with pytest.raises(UserError):
    plain.read(0, 0, 143)


def test_crops_are_not_resampled(make_folder):
  """Whatever the size of the target, pixels are those of the file."""
  rng = np.random.default_rng(0)
  corners = np.concatenate(
      [np.zeros((40, 2)), rng.uniform(3, 900, (40, 2))], axis=1).tolist()
  folder = make_folder({'a': {'00': dict(zip(
      map(str, range(40)), corners, strict=True))}})
  noise = rng.integers(0, 255, (511, 511, 3), np.uint8)
  for path in folder.rglob('*.jpg'):
    cv2.imwrite(str(path), noise)
  whole = cv2.imread(str(path))
  source = open_one(folder)
  for k in range(40):
    np.testing.assert_array_equal(
        source.read(0, k, 431)[0], whole[40:471, 40:471])


def test_bad_boxes_are_dropped(make_folder):
  """Curation as in SiamFC; a track without any box is none."""
  source = open_one(make_folder({'a': {
      '00': {'1': [5, 5, 5, 9], '2': [5, 5, 9, 5], '3': [9, 5, 5, 9],
             '4': [0, 0, float('nan'), 5], '5': [0, 0, float('inf'), 5],
             '6': [0, 0, 4, 4]},
      '01': {'1': [3, 3, 3, 3]}}}))
  assert source.num_tracks == 1 and source.num_frames(0) == 1
  assert sum(source.dropped.counts.values()) == 6 + 1  # boxes, a track
  assert abs(int(source.read(0, 0, 511)[0][0, 0, 0]) - 120) <= 2


@pytest.mark.parametrize('text', [
    '{"a": ', '[]', '{"a": []}', '{"a": {"00": []}}', '{}', '"a"',
    '{"a": {"00": {"1": [1, 2, 3]}}}', '[' * 100_000,
    '{"a": {"00": {"1": [1, 2, 3, 4, 5, 6, 7, 8]}}}',
    '{"a": {"00": {"1": [1, 2, 3, 4], "2": [3, 4]}}}',
    '{"a": {"00": {"1": 5}}}',
    '{"a": {"00": {"1": ["x", 1, 2, 3]}}}',
    '{"a": {"00": {"1": [1, 1, 1, 1]}}}', '\xff\xfe\0{'])
def test_bad_annotations(tmp_path, text):
  """One message with the file and what was expected."""
  (tmp_path / 'train.json').write_bytes(text.encode('latin-1'))
  with pytest.raises(UserError, match=r'expected.*train\.json'):
    open_one(tmp_path)


ONE = {'a': {'00': {'1': [0, 0, 9, 9]}}}


def test_missing_and_wrong_crops(make_folder):
  folder = make_folder(ONE)
  source = open_one(folder)
  path = next(folder.rglob('*.jpg'))
  for content, message in (
      (b'', 'cannot be read'), (b'not a picture', 'cannot be read'),
      (path.read_bytes()[:50], 'cannot be read'),
      (path.read_bytes()[:path.stat().st_size // 2], 'cannot be read')):
    path.write_bytes(content)
    with pytest.raises(UserError, match=f'000001.00.x.jpg.*{message}'):
      source.read(0, 0, 143)
  cv2.imwrite(str(path), np.zeros((255, 511, 3), np.uint8))
  with pytest.raises(UserError, match='511x255 pixels; expected a 511x511'):
    source.read(0, 0, 143)
  path.unlink()
  with pytest.raises(UserError, match='cannot be read'):
    source.read(0, 0, 143)


@pytest.mark.realdata
def test_real_folder(real_data, tmp_path):
  """COCO crops: targets about 64 pixels large, every tenth crop readable."""
  shutil.copytree(real_data / 'train' / 'coco_mini', tmp_path / 'coco_mini')
  source = open_one(tmp_path / 'coco_mini')
  assert source.num_tracks == 714
  for track in range(0, source.num_tracks, 10):
    assert source.num_frames(track) == 1
    image, wh = source.read(track, 0, 431)
    assert image.shape == (431, 431, 3) and image.std() > 1
    np.testing.assert_allclose(wh, at_scale(wh), rtol=1e-5)
