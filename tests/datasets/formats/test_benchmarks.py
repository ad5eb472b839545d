"""Data sets that are evaluated on: what is read, what is named if missing."""

import doctest
import functools
import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import BENCHMARKS, has_otb_layout, otb
from siamkpn_jax.evaluation.formats import sequences
from siamkpn_jax.evaluation.formats.vot_sequences import load_vot
from siamkpn_jax.evaluation.scoring import load_vot_sequences
from tests.datasets.formats.miniatures import put_images, put_text

BOX = '3,4,5,6\n'


def _write(path, text=BOX * 3):
  put_text(path, text)
  return path


def _images(folder, numbers=(1, 2, 3), form='{:08d}.jpg'):
  put_images(folder, map(form.format, numbers))


def _numbers(sequence):
  return [int(f.stem) for f in sequence.frames]


@pytest.fixture
def lasot(tmp_path):
  home = tmp_path / 'cat' / 'cat-1'
  _write(home / 'groundtruth.txt')
  _write(home / 'full_occlusion.txt', '0,1,0')
  _write(home / 'out_of_view.txt', '0,0,1')
  _images(home / 'img')
  return tmp_path


def test_lasot(lasot):
  (found,) = sequences.load_annotations('lasot', lasot)
  assert found.name == 'cat-1' and found.visible.tolist() == [True, False,
                                                              False]
  assert found.boxes_xywh[0].tolist() == [3, 4, 5, 6]
  (sequence,) = sequences.load_benchmark('lasot', lasot)
  assert sequence.boxes_xywh[0].tolist() == [2, 3, 5, 6]  # 1-based files
  assert sequence.origin == 1 and _numbers(sequence) == [1, 2, 3]
  assert [a.name for a in sequences.load_annotations('lasot', lasot / 'cat')
          ] == ['cat-1']


def test_lasot_names_what_is_missing(lasot):
  _write(lasot / 'testing_set.txt', 'dog-2\ndog-3\n')
  with pytest.raises(UserError, match='sequence dog-2 and 1 more is missing'):
    sequences.load_annotations('lasot', lasot)
  _write(lasot / 'testing_set.txt', 'cat-1\ndog-2\ndog-3\n')
  failed: dict[str, str] = {}
  (found,) = sequences.load_annotations('lasot', lasot, failed=failed)
  assert found.name == 'cat-1' and sorted(failed) == ['dog-2', 'dog-3']
  assert 'sequence dog-3 is missing' in failed['dog-3']
  _write(lasot / 'testing_set.txt', 'cat-1\n')
  _write(lasot / 'cat' / 'cat-1' / 'out_of_view.txt', '0,0')
  with pytest.raises(UserError, match=r'out_of_view.txt: 2 flags, but 3 boxes'):
    sequences.load_annotations('lasot', lasot)
  _write(lasot / 'cat' / 'cat-1' / 'out_of_view.txt', '0,x,0')
  with pytest.raises(UserError, match='not all entries are numbers'):
    sequences.load_annotations('lasot', lasot)
  (lasot / 'cat' / 'cat-1' / 'out_of_view.txt').unlink()
  with pytest.raises(UserError, match='out_of_view.*cannot be read'):
    sequences.load_annotations('lasot', lasot)


def test_lasot_as_it_is_shipped(lasot):
  """Sequences to train on lie beside those of the test set."""
  flags = {'full_occlusion': '0,0,0', 'out_of_view': '0,0,0'}
  for name in ('cat-2', 'cat-18', 'zebra-1', 'zebra-10'):
    home = lasot / name.partition('-')[0] / name
    _write(home / 'groundtruth.txt')
    for file, text in flags.items():
      _write(home / f'{file}.txt', text)

  def names(folder):
    return [a.name for a in sequences.load_annotations('lasot', folder)]

  assert names(lasot) == ['cat-1', 'cat-18', 'zebra-10']
  assert names(lasot / 'zebra') == ['zebra-10']
  _write(lasot / 'testing_set.txt', 'cat-2\ncat-1\n')
  assert names(lasot) == ['cat-1', 'cat-2']
  own = lasot / 'own'  # none of them is LaSOT's
  for name in ('cat-2', 'ball'):
    _write(own / name / 'groundtruth.txt')
    for file, text in flags.items():
      _write(own / name / f'{file}.txt', text)
  assert names(own) == ['ball', 'cat-2']


@pytest.mark.parametrize('flags', ['absent', 'annos/absent'])
def test_lasot_toolkit(tmp_path, flags):
  _write(tmp_path / 'annos' / 'cat-1.txt')
  _write(tmp_path / flags / 'cat-1.txt', '0\n1\n0\n')
  (found,) = sequences.load_annotations('lasot', tmp_path)
  assert found.visible.tolist() == [True, False, True]
  with pytest.raises(UserError, match='cat-1: its annotation does not say'):
    sequences.with_frames(found)


@pytest.fixture
def got10k(tmp_path):
  _write(tmp_path / 'val' / 'list.txt', 'b\na\n')
  for name in 'ab':
    home = tmp_path / 'val' / name
    _write(home / 'groundtruth.txt')
    _write(home / 'cover.label', '8\n0\n1\n')
    _write(home / 'absence.label', '0\n1\n0\n')
    _write(home / 'meta_info.ini', '[METAINFO]\nurl: x\nresolution: (64, 48)\n')
    _images(home)
  return tmp_path


def test_got10k(got10k):
  for folder in (got10k, got10k / 'val'):
    found = sequences.load_annotations('got10k', folder)
    assert [a.name for a in found] == ['b', 'a']
    assert found[0].visible.tolist() == [True, False, True]
    assert found[0].frame_size == (64, 48)
  home = got10k / 'val' / 'b'
  (home / 'cover.label').unlink()
  (home / 'meta_info.ini').unlink()
  found = sequences.load_annotations('got10k', got10k)[0]
  assert found.visible.tolist() == [True, False, True]
  assert found.frame_size is None
  sequence = sequences.load_benchmark('got10k', got10k)[0]
  assert sequence.boxes_xywh[0].tolist() == [3, 4, 5, 6]
  _write(home / 'meta_info.ini', '[METAINFO]\n')
  with pytest.raises(UserError, match='no resolution'):
    sequences.load_annotations('got10k', got10k)
  for size, match in (('0, 0', r'meta_info.ini: resolution: \(0, 0\);'),
                      ('64, 0', 'each 1 to'), ('9' * 5000 + ', 9', 'each 1 to'),
                      ('2, 2', r'first box lies outside the frame, 2 x 2')):
    _write(home / 'meta_info.ini', f'[METAINFO]\nresolution: ({size})\n')
    with pytest.raises(UserError, match=match) as info:
      sequences.load_annotations('got10k', got10k)
    assert len(str(info.value)) < 400
  (home / 'groundtruth.txt').unlink()
  with pytest.raises(UserError, match='sequence b is missing'):
    sequences.load_annotations('got10k', got10k)
  failed: dict[str, str] = {}
  (found,) = sequences.load_annotations('got10k', got10k, failed=failed)
  assert found.name == 'a' and list(failed) == ['b']
  with pytest.raises(UserError, match='no list.txt'):
    sequences.load_annotations('got10k', home)


def test_got10k_test_set_has_first_boxes(tmp_path):
  _write(tmp_path / 'test' / 'list.txt', 'a\n')
  _write(tmp_path / 'test' / 'a' / 'groundtruth.txt', BOX)
  _images(tmp_path / 'test' / 'a')
  (sequence,) = sequences.load_benchmark('got10k', tmp_path)
  assert len(sequence) == len(sequence.boxes_xywh) == 3
  assert np.isnan(sequence.boxes_xywh[1:]).all()


def test_trackingnet(tmp_path):
  _write(tmp_path / 'TEST' / 'anno' / 'x_0.txt', BOX)
  _images(tmp_path / 'TEST' / 'frames' / 'x_0', range(12), '{}.jpg')
  for folder in (tmp_path, tmp_path / 'TEST'):
    (sequence,) = sequences.load_benchmark('trackingnet', folder)
    assert _numbers(sequence) == list(range(12))
  with pytest.raises(UserError, match='no sequences in'):
    sequences.load_benchmark('trackingnet', tmp_path / 'TEST' / 'anno')


def test_uav123(tmp_path):
  anno = tmp_path / 'anno' / 'UAV123'
  _write(anno / 'bird1_2.txt', BOX * 703)
  _write(anno / 'bike1.txt', BOX * 2 + 'NaN,NaN,NaN,NaN')
  _images(tmp_path / 'data_seq' / 'UAV123' / 'bike1', form='{:06d}.jpg')
  _images(tmp_path / 'data_seq' / 'UAV123' / 'bird1', range(770, 1480),
          '{:06d}.jpg')
  bike, bird = sequences.load_benchmark('uav123', tmp_path)
  assert _numbers(bird)[0] == 775 and _numbers(bird)[-1] == 1477
  assert len(bike) == 3 and np.isnan(bike.boxes_xywh[2]).all()


def test_nfs(tmp_path):
  rows = ''.join(f'0 {i} 4 {i + 5} 10 {i} 0 0 0 "ball"\n' for i in range(17))
  for rate, count in ((30, 3), (240, 17)):
    _write(tmp_path / 'ball' / str(rate) / 'ball.txt', rows)
    _images(tmp_path / 'ball' / str(rate) / 'ball', range(count))
  (slow,) = sequences.load_benchmark('nfs', tmp_path)
  (fast,) = sequences.load_benchmark('nfs240', tmp_path)
  assert slow.boxes_xywh.tolist() == [[i, 4, 5, 6] for i in (0, 8, 16)]
  assert len(fast) == 17
  _write(tmp_path / 'ball' / '30' / 'ball.txt', rows + '0 1 2\n')
  with pytest.raises(UserError, match='ball.txt line 18'):
    sequences.load_benchmark('nfs', tmp_path)


@pytest.mark.parametrize(('rate', 'lines', 'images', 'boxes'), [
    (30, 17, 17, range(17)), (30, 17, 16, range(16)), (30, 16, 17, range(16)),
    (30, 17, 3, (0, 8, 16)), (30, 17, 2, (0, 8)), (30, 16, 3, (0, 8)),
    (240, 17, 16, range(16)), (240, 16, 17, range(16)),
    (30, 17, 0, (0, 8, 16)), (30, 8, 0, (0,)), (240, 17, 0, range(17)),
    (240, 1, 0, (0,))])
def test_nfs_of_other_lengths(tmp_path, rate, lines, images, boxes, capsys):
  """As in the GOT-10k toolkit; without images every eighth line at 30."""
  home = tmp_path / 'ball' / str(rate)
  _write(home / 'ball.txt', ''.join(
      f'0 {i} 4 {i + 5} 10 {i} 0 0 0 "ball"\n' for i in range(lines)))
  _images(home / 'ball', range(images))
  benchmark = 'nfs' if rate == 30 else 'nfs240'
  (found,) = sequences.load_annotations(benchmark, tmp_path)
  assert found.boxes_xywh.tolist() == [[i, 4, 5, 6] for i in boxes]
  if images:
    sequence = sequences.with_frames(found)
    assert _numbers(sequence) == list(range(len(boxes)))
  every = 8 if rate == 30 and abs(lines - images) > 1 else 1
  assert ('the last is left out' in capsys.readouterr().err) == (
      images not in (0, -(-lines // every)))


@pytest.mark.parametrize('numbers', [
    [n for n in range(17) if n != 4], range(2, 18), [7, *range(20, 35)]])
def test_nfs_that_lacks_another_image_than_the_last(tmp_path, numbers):
  """All boxes after it would belong to the frame before."""
  home = tmp_path / 'ball' / '240'
  _write(home / 'ball.txt', '0 3 4 8 10\n' * 17)
  _images(home / 'ball', numbers)
  with pytest.raises(UserError, match='ball: 16 images .* but 17 boxes'):
    sequences.load_benchmark('nfs240', tmp_path)


def test_a_preview_beside_the_frames(tmp_path):
  """It is no frame, and does not stand in for one that is missing."""
  _write(tmp_path / 'a' / 'groundtruth.txt')
  _images(tmp_path / 'a')
  _images(tmp_path / 'a', [0], 'cover.jpg')
  (sequence,) = sequences.load_benchmark('folder', tmp_path)
  assert _numbers(sequence) == [1, 2, 3]
  (tmp_path / 'a' / '00000002.jpg').unlink()
  with pytest.raises(UserError, match='sequence a: 2 images .* but 3 boxes'):
    sequences.load_benchmark('folder', tmp_path)


def test_nfs_that_does_not_fit(tmp_path):
  home = tmp_path / 'ball' / '30'
  _write(home / 'ball.txt', '0 3 4 8 10\n' * 33)
  _images(home / 'ball', range(7))
  with pytest.raises(UserError, match='ball: 7 images .* but 5 boxes'):
    sequences.load_benchmark('nfs', tmp_path)


def test_any_folder(tmp_path):
  _write(tmp_path / 'a' / 'groundtruth.txt')
  _images(tmp_path / 'a')
  _write(tmp_path / 'b' / 'groundtruth_rect.txt')
  _images(tmp_path / 'b' / 'color')
  (tmp_path / 'c').mkdir()
  a, b = sequences.load_benchmark('folder', tmp_path)
  assert (a.name, b.name) == ('a', 'b')
  assert a.boxes_xywh[0].tolist() == [3, 4, 5, 6]
  _images(tmp_path / 'a', [4])
  with pytest.raises(UserError, match='sequence a: 4 images .* but 3 boxes'):
    sequences.load_benchmark('folder', tmp_path)


def test_otb_toolkit_folder(tmp_path):
  _write(tmp_path / 'Tiger1.txt', BOX * 349)
  (found,) = sequences.load_annotations('otb', tmp_path)
  assert found.origin == 1 and found.frame_range == (6, 354)


@pytest.mark.parametrize('text', ['1,2,3\n', '', 'x\n', '1,2,0,4\n'])
def test_damaged_otb_is_not_hidden_by_files_beside(tmp_path, text):
  """Text files in the root are read where there are no sequence folders."""
  _write(tmp_path / 'Ball' / 'groundtruth_rect.txt')
  _write(tmp_path / 'Car' / 'groundtruth_rect.txt', text)
  _write(tmp_path / 'Dog.txt')
  with pytest.raises(UserError, match=r'Car/groundtruth_rect\.txt'):
    sequences.load_annotations('otb', tmp_path)
  (tmp_path / 'Car' / 'groundtruth_rect.txt').unlink()
  assert [a.name for a in sequences.load_annotations('otb', tmp_path)] == [
      'Ball']


def _json(tmp_path, **sequence):
  path = tmp_path / 'OTB100.json'
  path.write_text(json.dumps({'Ball': sequence}))
  return path


def test_pysot_json(tmp_path):
  path = _json(tmp_path, video_dir='Ball', init_rect=[3, 4, 5, 6],
               img_names=[f'Ball/img/{i}.jpg' for i in (1, 2, 3)],
               gt_rect=[[3, 4, 5, 6], [float('nan')] * 4, [1, 2, 3, 4]],
               attr=['IV', 'OCC'], absent=[1, 0, 1])
  for where in (path, tmp_path):
    (found,) = sequences.load_annotations('otb', where)
  assert found.attributes == ('IV', 'OCC') and found.origin == 0
  assert found.visible.tolist() == [True, False, True]
  with pytest.raises(UserError, match=r'Ball: .*1\.jpg is missing'):
    sequences.with_frames(found)
  _images(tmp_path / 'Ball' / 'img', form='{}.jpg')
  assert _numbers(sequences.with_frames(found)) == [1, 2, 3]
  (tmp_path / 'b.json').write_text('{}')
  (tmp_path / 'Ball').rename(tmp_path.parent / f'{tmp_path.name}-gone')
  with pytest.raises(UserError, match='several JSON files'):
    sequences.load_annotations('otb', tmp_path)


def test_separators_of_windows(tmp_path):
  """In lists of images."""
  names = [f'Ball\\img\\{i}.jpg' for i in (1, 2, 3)]
  path = _json(tmp_path, gt_rect=[[3, 4, 5, 6]] * 3, img_names=names)
  _images(tmp_path / 'Ball' / 'img', form='{}.jpg')
  (found,) = sequences.load_benchmark('otb', path)
  assert _numbers(found) == [1, 2, 3]
  (found,) = load_vot(path)
  assert _numbers(found) == [1, 2, 3]
  vot = tmp_path / 'vot'
  _write(vot / 'list.txt', 'a\n')
  _write(vot / 'a' / 'groundtruth.txt')
  _images(vot / 'a' / 'img' / 'color')
  for pattern in (r'img\color\%08d.jpg', r'img\color'):
    _write(vot / 'a' / 'sequence', f'channels.color={pattern}\n')
    (found,) = load_vot(vot)
    assert _numbers(found) == [1, 2, 3]


@pytest.mark.parametrize(('text', 'told'), [
    ('{', 'not JSON'), ('[]', 'expected an object'), ('{}', 'no sequences'),
    ('{"a": 1}', 'a: no gt_rect'), ('{"a": {"gt_rect": []}}', 'not a list'),
    ('{"a": {"gt_rect": [[1, 2, 3, 4], [1]]}}', 'not a list'),
    ('{"a": {"gt_rect": [[1,2,3,4,5,6,7,8]]}}', 'of polygons, as VOT has'),
    ('{"a": {"gt_rect": [[0, 0, 0, 0]]}}', 'first box has no area'),
    ('{"a": {"gt_rect": [[1, 2, 3, 4]], "absent": []}}', 'number of flags'),
    ('{"a": {"gt_rect": [[1, 2, 3, 4]], "attr": "IV"}}', 'expected a list of'),
    ('{"a": {"gt_rect": [[1, 2, 3, 1%s]]}}' % ('0' * 400), 'not a list of box'),
    ('{"a": {"gt_rect": [[1, 2, 3, 4]], "absent": [1%s]}}' % ('0' * 400),
     'wrong number of flags'),
    ('{"a": {"gt_rect": [[1, 2, 3, 4], [Infinity, 2, 3, 4]]}}', 'not a list'),
    ('{"a": 1, "a": 2}', "two entries are called 'a'"),
    ('[' * 100_000, 'not JSON'), ('{"a": ' * 100_000, 'not JSON')],
    ids=lambda text: text[:60])
def test_damaged_json(tmp_path, text, told):
  with pytest.raises(UserError, match=told):
    sequences.load_annotations('otb', _write(tmp_path / 'a.json', text))


@pytest.mark.parametrize(
    'rows', ['9' * 5000, '[' * 9999 + ']' * 9999, '"a\tb"'],
    ids=lambda rows: rows[:9])
def test_one_sequence_spoils_no_other(tmp_path, rows):
  fine = '"gt_rect": [[1, 2, 3, 4], [1, 2, 3, 4]]'
  path = _write(tmp_path / 'a.json',
                f'{{"fine": {{{fine}}}, "bad": {{"gt_rect": {rows}}}}}')
  for read in (functools.partial(sequences.load_annotations, 'otb'),
               functools.partial(load_vot_sequences, 'vot2018')):
    failed = {}
    (found,) = read(path, failed=failed)
    assert found.name == 'fine' and list(failed) == ['bad']


def test_unknown_benchmark(tmp_path):
  for read in (sequences.load_annotations, sequences.load_benchmark):
    with pytest.raises(UserError, match="'otb2': expected .* nfs, .*otb"):
      read('otb2', tmp_path)


def test_examples():
  assert doctest.testmod(sequences, raise_on_error=True).attempted


def test_nothing_there(tmp_path):
  for benchmark in BENCHMARKS:
    with pytest.raises(UserError, match='expected'):
      sequences.load_annotations(benchmark, tmp_path / 'none')
    (tmp_path / 'bare').mkdir(exist_ok=True)
    with pytest.raises(UserError, match='expected'):
      sequences.load_annotations(benchmark, tmp_path / 'bare')


@pytest.mark.realdata
def test_real_annotations(real_data):
  from siamkpn_jax.datasets.formats.otb import OTB_100
  folder = real_data / 'annotations'
  otb = sequences.load_annotations('otb', folder / 'otb100')
  assert {a.name for a in otb} == set(OTB_100)
  assert all(a.origin == 1 for a in otb)
  lasot = sequences.load_annotations('lasot', folder / 'lasot')
  assert len(lasot) == 280
  assert sum((~a.visible).sum() for a in lasot) > 0


def test_what_lies_as_otb_does(monkeypatch):
  """By its reader, not by its name."""
  assert [name for name in BENCHMARKS if has_otb_layout(name)] == ['otb']
  monkeypatch.setitem(BENCHMARKS, 'toy', otb.load)
  assert has_otb_layout('toy') and not has_otb_layout('unknown')
