"""OTB folders: what is read, what is left out, what is refused."""

import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import list_images
from siamkpn_jax.datasets.formats import otb
from siamkpn_jax.evaluation.formats import sequences
from siamkpn_jax.evaluation.formats.result_files import find_results
from siamkpn_jax.evaluation.formats.vot_sequences import load_vot
from siamkpn_jax.tuning import data
from tests.evaluation import vot_files

BOXES = [(5, 6, 7, 8), (6, 7, 7, 8), (7, 8, 7, 8)]


def _numbers(sequence):
  return [int(f.stem) for f in sequence.frames]


def test_boxes_are_made_zero_based(make_sequence):
  root = make_sequence('Ball', BOXES).parent
  make_sequence('uav_car', BOXES)
  for options, origins in (({}, [1, 1]), ({'zero_based': ['*']}, [0, 0]),
                           ({'zero_based': ['uav_*']}, [1, 0])):
    found = sequences.load_otb(root, **options)
    assert [s.name for s in found] == ['Ball', 'uav_car']
    assert [s.origin for s in found] == origins
    for s in found:
      np.testing.assert_array_equal(
          s.boxes_xywh, np.array(BOXES) - [s.origin, s.origin, 0, 0])
      assert s.boxes_xywh.dtype == np.float64
      assert len(s) == 3


def test_selection_and_single_sequence(make_sequence):
  folder = make_sequence('Ball', BOXES)
  make_sequence('Car', BOXES, annotation='damaged')
  root = folder.parent
  assert [s.name for s in sequences.load_otb(root, names=['B*'])] == ['Ball']
  assert [s.name for s in sequences.load_otb(folder)] == ['Ball']
  assert otb.skipped_folders(folder) == []
  with pytest.raises(UserError, match='expected some of Ball, Car'):
    sequences.load_otb(root, names=['Bal'])
  with pytest.raises(UserError, match='zero_based: no sequence matches x'):
    sequences.load_otb(root, zero_based=['x'])


def test_folders_left_out(make_sequence):
  root = make_sequence('Ball', BOXES).parent
  make_sequence('_dQw4w9WgXcQ', BOXES)  # a video of YouTube
  make_sequence('.cache', BOXES)
  make_sequence('__MACOSX', BOXES)
  (root / 'notes').mkdir()
  (root / 'readme.txt').write_text('')
  assert [s.name for s in sequences.load_otb(root)] == ['Ball', '_dQw4w9WgXcQ']
  assert [a.name for a in sequences.load_annotations('folder', root)] == [
      'Ball', '_dQw4w9WgXcQ']
  assert otb.skipped_folders(root) == ['.cache', '__MACOSX', 'notes']


NAMES = ('clip1', 'clip[1]', 'what', 'what?', 'x*', 'xy', '_a', 'c[!a]', 'cb')


@pytest.mark.parametrize(('patterns', 'names'), [
    (['clip[1]'], ['clip[1]']), (['clip1'], ['clip1']), (['what?'], ['what?']),
    (['x*'], ['x*']), (['c[!a]'], ['c[!a]']), (['clip[12]'], ['clip1']),
    (['clip[1]', 'clip?'], ['clip1', 'clip[1]']), (['_*'], ['_a']),
    (['x?'], ['x*', 'xy']), ([], [])])
def test_an_exact_name_comes_first(make_sequence, patterns, names):
  for name in NAMES:
    root = make_sequence(name, BOXES).parent
  found = sequences.load_otb(root, names=patterns)
  assert [s.name for s in found] == (names or sorted(NAMES))
  assert [a.name for a in sequences.load_annotations(
      'folder', root, names=patterns)] == (names or sorted(NAMES))
  counted = sequences.load_otb(root, zero_based=patterns)
  assert [s.name for s in counted if not s.origin] == names
  # The names of all count, not only of those that are read.
  found = sequences.load_otb(root, names=['clip1'], zero_based=['clip[1]'])
  assert [s.origin for s in found] == [1]
  found = data.load('otb', root, None, names=['clip1', 'clip[1]'],
                    zero_based=['clip[1]']).videos
  assert [(v.name, v.origin) for v in found] == [('clip1', 1), ('clip[1]', 0)]


LINES = {'nfs': '0 1 2 9 9 1\n'}
FLAGS = {'full_occlusion.txt': '0\n', 'out_of_view.txt': '0\n'}


def _litter(folder):
  """What macOS leaves beside every file."""
  for path in [*folder.rglob('*')]:
    if path.is_file():
      path.with_name(f'._{path.name}').write_bytes(b'\0\5\x16\7')
      copy = folder / '__MACOSX' / path.relative_to(folder)
      copy.parent.mkdir(parents=True, exist_ok=True)
      copy.with_name(f'._{path.name}').write_bytes(b'\0\5\x16\7')


@pytest.mark.parametrize(('benchmark', 'files'), [
    ('otb', ['a/groundtruth_rect.1.txt', 'a/groundtruth_rect.2.txt']),
    ('otb', ['a.txt', 'b.txt', 'attr_list.txt']), ('folder', ['a.txt']),
    ('folder', ['a/gt.txt']), ('uav123', ['anno/UAV123/a.txt']),
    ('lasot', ['a/a-1/groundtruth.txt', 'a/a-1/full_occlusion.txt',
               'a/a-1/out_of_view.txt']),
    ('trackingnet', ['TEST/anno/a.txt']), ('nfs', ['a/30/a.txt'])],
    ids=lambda value: value if isinstance(value, str) else value[0])
def test_files_of_macos_are_nobodys(tmp_path, benchmark, files):
  for file in files:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FLAGS.get(path.name, LINES.get(benchmark, '1,2,9,9\n')))
  before = sequences.load_annotations(benchmark, tmp_path)
  _litter(tmp_path)
  after = sequences.load_annotations(benchmark, tmp_path)
  assert [a.name for a in after] == [a.name for a in before] != []


def test_files_of_macos_beside_json_tags_and_results(tmp_path):
  path = vot_files.write_json(tmp_path / 'json' / 'OTB.json', {
      'a': [[1, 2, 9, 9]] * 2})
  _litter(path.parent)
  (found,) = sequences.load_annotations('otb', path.parent)
  assert found.name == 'a'
  root = vot_files.write_folder(
      tmp_path / 'vot', {'a': [[1, 2, 9, 9]] * 2},
      tags={'a': {'occlusion': [0, 1]}})
  _litter(root)
  (vot,) = load_vot(root)
  assert list(vot.tags) == ['occlusion']
  results = tmp_path / 'results'
  results.mkdir()
  for name in ('a', 'b'):
    (results / f'{name}.txt').write_text('1,2,3,4')
    (results / f'._{name}.txt').write_text('1,2,3,4')
  (results / 'b.txt').unlink()
  assert find_results(results, ['a']) == {'a': [results / 'a.txt']}
  with pytest.raises(UserError, match='no result file for b'):
    find_results(results, ['b'])


def test_several_targets(make_sequence):
  folder = make_sequence('Human', BOXES)
  plain = folder / 'groundtruth_rect.txt'
  text = plain.read_text()
  (folder / 'groundtruth_rect.10.txt').write_text(text)
  (folder / 'groundtruth_rect.2.txt').write_text(text)
  (folder / 'groundtruth_rect.1.txt').write_text('\n')  # as Human4 has
  assert [s.name for s in sequences.load_otb(folder)] == ['Human']
  plain.unlink()
  names = [s.name for s in sequences.load_otb(folder)]
  assert names == ['Human-10', 'Human-2']
  make_sequence('Human-2', BOXES)
  with pytest.raises(UserError, match='duplicate sequence Human-2'):
    sequences.load_otb(folder.parent)


@pytest.mark.parametrize('link', ['text', 'symlink'])
def test_images_of_another_folder(make_sequence, link):
  source = make_sequence('Jog-1', BOXES)
  other = source.parent / 'Jog-2'
  other.mkdir()
  (other / 'groundtruth_rect.txt').write_text('1 2 3 4\n' * 3)
  if link == 'text':
    (other / 'img').write_text('../Jog-1/img\n')
  else:
    (other / 'img').symlink_to('../Jog-1/img')
  first, second = sequences.load_otb(source.parent)
  assert [f.resolve() for f in second.frames] == list(first.frames)


def test_frames_sorted_by_number(make_sequence):
  folder = make_sequence('Ball', BOXES[:1] * 4)
  for old, new in (('0001.png', 'f9.PNG'), ('0002.png', 'f10.png'),
                   ('0003.png', 'f100.png'), ('0004.png', 'f011.png')):
    (folder / 'img' / old).rename(folder / 'img' / new)
  (folder / 'img' / '._f9.png').write_text('')
  (folder / 'img' / 'Thumbs.db').write_text('')
  frames = sequences.load_otb(folder)[0].frames
  assert [f.stem for f in frames] == ['f9', 'f10', 'f011', 'f100']


def test_otb_frame_range_only_where_it_fits(make_sequence):
  uncut = make_sequence('BlurCar3', BOXES[:1] * 357, numbers=range(1, 361))
  assert _numbers(sequences.load_otb(uncut)[0]) == list(range(3, 360))
  cut = make_sequence('Football1', BOXES)  # equal counts: taken as they are
  assert _numbers(sequences.load_otb(cut)[0]) == [1, 2, 3]
  wrong = make_sequence('Freeman4', BOXES, frames=5)
  with pytest.raises(UserError, match='Freeman4: 5 images .* but 3 boxes'):
    sequences.load_otb(wrong)


@pytest.mark.parametrize('first', ['nan,nan,nan,nan', '0,0,0,0', '1,1,5,-1'])
def test_first_box_must_be_valid(make_sequence, first):
  folder = make_sequence('Ball', BOXES, annotation=first + '\n1,2,3,4' * 2)
  with pytest.raises(UserError, match='line 1: the first box'):
    sequences.load_otb(folder)


def test_later_boxes_may_be_absent(make_sequence):
  folder = make_sequence('Ball', BOXES,
                         annotation='1,2,3,4\nNaN,NaN,NaN,NaN\n0,0,0,0\n')
  assert np.isnan(sequences.load_otb(folder)[0].boxes_xywh[1]).all()


@pytest.mark.parametrize('image', ['x' * 300, 'a\0b', '/'.join('a' * 5000)])
def test_images_that_no_disk_can_hold_are_missing(tmp_path, image):
  path = tmp_path / 'all.json'
  path.write_text(json.dumps({'a': {
      'gt_rect': [[1, 2, 3, 4]], 'img_names': [f'{image}.jpg']}}))
  with pytest.raises(UserError, match='is missing'):
    sequences.load_benchmark('otb', path)
  assert list_images(tmp_path / image) == []


def test_nothing_to_read(make_sequence, tmp_path):
  with pytest.raises(UserError, match='not a folder'):
    sequences.load_otb(tmp_path / 'none')
  (tmp_path / 'bare').mkdir()
  with pytest.raises(UserError, match='no sequences in'):
    sequences.load_otb(tmp_path / 'bare')
  folder = make_sequence('Ball', BOXES)
  for image in (folder / 'img').iterdir():
    image.unlink()
  with pytest.raises(UserError, match='no images; expected'):
    sequences.load_otb(folder)
  (folder / 'img').rmdir()
  with pytest.raises(UserError, match='img: not a folder'):
    sequences.load_otb(folder)
  (folder / 'img').write_text('x' * 5000)
  with pytest.raises(UserError, match='not a folder'):
    sequences.load_otb(folder)
  (folder / 'groundtruth_rect.txt').write_text('')
  with pytest.raises(UserError, match='groundtruth_rect.txt: empty'):
    sequences.load_otb(folder)


@pytest.mark.realdata
def test_real_sequences(real_data):
  folder = real_data / 'sequences'
  found = {s.name: s for s in sequences.load_otb(
      folder, zero_based=['davis_*', 'uav_*', 'vot_*'])}
  assert len(found) == 12
  assert otb.skipped_folders(folder) == ['_demo_no_gt']
  assert len(found['David']) == 471
  assert found['Jogging-2'].frames[0].samefile(found['Jogging-1'].frames[0])
  assert found['David'].boxes_xywh[0].tolist() == [128, 79, 64, 78]
  assert found['uav_wakeboard7'].boxes_xywh[0].tolist() == [623, 299, 11, 38]
