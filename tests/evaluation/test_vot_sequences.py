"""VOT annotations: both layouts, boxes to start from, faults."""

import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.vot_sequences import (
  frame_size,
  load_vot,
  starting_box,
)
from tests.evaluation import vot_files

POLYGON = [10, 5, 20, 5, 20, 15, 10, 15]
ROWS = {'b': [POLYGON] * 3, 'a': [[1, 2, 3, 4]] * 4}
TAGS = {'b': {'occlusion': [0, 1]}, 'a': {'camera_motion': [1, 1, 0, 0, 1]}}


def test_folder(tmp_path):
  root = vot_files.write_folder(tmp_path / 'vot', ROWS, tags=TAGS)
  b, a = load_vot(root)  # as in list.txt
  assert (b.name, a.name) == ('b', 'a') and (len(b), len(a)) == (3, 4)
  assert b.truth.rows() == ROWS['b'] and a.truth.rows() == ROWS['a']
  assert [f.name for f in b.frames] == [f'{i:08d}.png' for i in (1, 2, 3)]
  # A tag file that is short goes on with 0; what is too much is left out.
  np.testing.assert_array_equal(b.tags['occlusion'], [0, 1, 0])
  np.testing.assert_array_equal(a.tags['camera_motion'], [1, 1, 0, 0])
  assert b.size == frame_size(b) == (60, 40)


def test_json(tmp_path):
  path = vot_files.write_json(tmp_path / 'VOT2018.json', ROWS, tags=TAGS)
  b, a = load_vot(path)
  assert b.truth.rows() == ROWS['b'] and a.truth.rows() == ROWS['a']
  np.testing.assert_array_equal(b.tags['occlusion'], [0, 1, 0])
  assert b.frames == () and frame_size(b) == (60, 40)
  vot_files.write_folder(tmp_path, ROWS)
  assert load_vot(path)[0].frames == load_vot(tmp_path)[0].frames


def test_both_layouts_without_images_and_sizes(tmp_path):
  root = vot_files.write_folder(tmp_path / 'vot', ROWS, images=False)
  assert load_vot(root)[0].frames == ()
  (root / 'b' / 'sequence').unlink()
  path = vot_files.write_json(tmp_path / 'v.json', ROWS, size=None)
  for sequence in (load_vot(root)[0], load_vot(path)[0]):
    with pytest.raises(UserError, match='sequence b: unknown frame size'):
      frame_size(sequence)


@pytest.mark.parametrize('place', ['color', '.', 'rgb'])
def test_size_and_images_without_sequence_file(tmp_path, place):
  root = vot_files.write_folder(tmp_path, ROWS)
  (root / 'b' / 'sequence').unlink()
  if place == '.':
    for image in (root / 'b' / 'color').iterdir():
      image.rename(root / 'b' / image.name)
  if place == 'rgb':
    (root / 'b' / 'color').rename(root / 'b' / 'rgb')
    (root / 'b' / 'sequence').write_text('channels.color = rgb')
  b = load_vot(root)[0]
  assert b.size is None and frame_size(b) == (60, 40) and len(b.frames) == 3


def test_counts_that_do_not_match_are_named(tmp_path):
  root = vot_files.write_folder(tmp_path, ROWS)
  (root / 'a' / 'color' / '00000004.png').unlink()
  with pytest.raises(UserError, match='sequence a: 3 images .* but 4 regions'):
    load_vot(root)
  path = vot_files.write_json(tmp_path / 'v.json', ROWS)
  entries = json.loads(path.read_text())
  entries['b']['img_names'].pop()
  path.write_text(json.dumps(entries))
  with pytest.raises(UserError, match='sequence b: 2 images but 3 regions'):
    load_vot(path)


def test_missing_parts_are_named(tmp_path):
  with pytest.raises(UserError, match='none: does not exist'):
    load_vot(tmp_path / 'none')
  with pytest.raises(UserError, match=r'list\.txt: does not exist'):
    load_vot(tmp_path)
  root = vot_files.write_folder(tmp_path, ROWS)
  (root / 'a' / 'groundtruth.txt').unlink()
  with pytest.raises(UserError, match=r'a/groundtruth\.txt: .*No such file'):
    load_vot(root)
  (root / 'list.txt').write_text('b\nb\n')
  with pytest.raises(UserError, match='lists a sequence twice'):
    load_vot(root)
  (root / 'list.txt').write_text('\n')
  with pytest.raises(UserError, match='lists no sequence'):
    load_vot(root)


@pytest.mark.parametrize('text', [
    '', '[', '[]', '{}', '3', '{"a": 1}', '{"a": {}}',
    '{"a": {"gt_rect": []}}', '{"a": {"gt_rect": [[1, 2]]}}',
    '{"a": {"gt_rect": [["x", 1, 2, 3]]}}',
    '{"a": {"gt_rect": [[NaN, 1, 2, 3]]}}',
    '{"a": {"gt_rect": [[1, 1, 2, 3]], "img_names": 3}}',
    '{"a": {"gt_rect": [[1, 1, 2, 3]], "width": "w", "height": 3}}',
    '{"a": {"gt_rect": [[1, 1, 2, 3]], "width": 1e999, "height": 3}}',
    '{"a": {"gt_rect": [[1, 1, 2, 3]], "width": -3, "height": 3}}',
    '{"a": {"gt_rect": [[1, 1, 2, 3]], "width": 3, "height": 0}}',
    '{"a": {"gt_rect": [[1, 1, 2, 3]], "width": 3, "height": NaN}}',
    '{"a": {"gt_rect": [[1, 1, 2, 1%s]]}}' % ('0' * 400),
    '{"a": {"gt_rect": [[1, 1, 2, 1e300]]}}',
    '[' * 100_000, '{"a": ' * 100_000],
    ids=lambda text: text[:60])
def test_damaged_json(tmp_path, text):
  path = tmp_path / 'v.json'
  path.write_text(text)
  with pytest.raises(UserError, match=r'v\.json') as error:
    load_vot(path)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(('width', 'height'), [
    ('-3', '40'), ('60', '0'), ('x', '40'), ('9' * 5000, '40')],
    ids=['negative', 'zero', 'text', 'long'])
def test_damaged_sizes_of_a_folder(tmp_path, width, height):
  root = vot_files.write_folder(tmp_path, ROWS, images=False)
  (root / 'b' / 'sequence').write_text(f'width={width}\nheight={height}\n')
  with pytest.raises(UserError, match='b/sequence: .*expected width') as error:
    load_vot(root)
  assert '\n' not in str(error.value) and len(str(error.value)) < 400


def test_a_size_that_cannot_be(tmp_path):
  """Clipped to it, every region would have overlap 0."""
  root = vot_files.write_folder(tmp_path, {'a': [[10.0, 10, 12, 12]] * 3})
  (root / 'a' / 'sequence').write_text('width=10\nheight=99\n')
  with pytest.raises(UserError, match='sequence a: the first region lies outs'):
    load_vot(root)


def test_starting_boxes():
  np.testing.assert_array_equal(starting_box([1, 2, 3, 4]), [1, 2, 3, 4])
  # Corners of an upright box that are its outermost pixels give the box.
  np.testing.assert_allclose(starting_box([5, 6, 14, 6, 14, 25, 5, 25]),
                             [5, 6, 10, 20])
  # A square on its tip, side s: f = sqrt(s s / 2 s s), so the sides are s + 1.
  s = 10 / 2**0.5
  np.testing.assert_allclose(starting_box([10, 5, 15, 10, 10, 15, 5, 10]),
                             [10 - s / 2, 10 - s / 2, s + 1, s + 1])
  with pytest.raises(ValueError, match='no area'):
    starting_box([1, 1, 2, 1, 3, 1, 4, 1])


@pytest.mark.realdata
def test_vot2018(real_data):
  sequences = load_vot(
      real_data / 'annotations' / 'vot2018' / 'VOT2018.json')
  assert len(sequences) == 60
  assert sum(map(len, sequences)) == 21356
  assert all(s.size for s in sequences)
