"""MOT Challenge's layout as own data: each target a track.

Files count pixels from 1, tracks from 0.
"""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.formats import LAYOUTS
from siamkpn_jax.evaluation.formats import sequences
from tests.datasets.formats import miniatures
from tests.datasets.formats.reading import check, names_of, read

UNCLEAR = 'tracks: unclear which box belongs to which image'
GT = ('1,1,10,20,30,40,1,1,1\n1,2,5,6,7,8,1,1,0.5\n2,1,11,20,30,40,1,1,0\n'
      '4,1,13,20,30,40,1,1,0.2\r\n3,3,9,9,9,9,0,7,1\n4,2,8,6,7,8,1,1,1\n')


def make(home, gt=GT, numbers=(1, 2, 3, 4), images='img1', info='imDir=img1',
         gt_at='gt/gt.txt'):
  miniatures.put_text(home / gt_at, gt)
  miniatures.put_images(home / images, [f'{n:06d}.jpg' for n in numbers])
  if info:
    miniatures.put_text(home / 'seqinfo.ini', f'[Sequence]\nname=x\n{info}\n'
                        'frameRate=30\nseqLength=4\nimExt=.jpg\n')


def images_of(home, *numbers):
  return [f'{home}/{n:06d}.jpg' for n in numbers]


@pytest.mark.parametrize(('images', 'info', 'gt_at'), [
    ('img1', 'imDir=img1', 'gt/gt.txt'), ('img1', '', 'gt/gt.txt'),
    ('pictures', 'imDir = pictures', 'gt/gt.txt'), ('img1', '', 'gt.txt'),
    ('a/b', 'imDir=a\\b', 'gt/gt.txt'), ('img1', 'imDir=img1', 'gt.txt')])
def test_tracks(tmp_path, images, info, gt_at):
  make(tmp_path / 'v', images=images, info=info, gt_at=gt_at)
  assert catalog.find_kind('mine', tmp_path) == 'folder'
  tracks, dropped = read('folder', tmp_path)
  assert list(tracks) == ['v/1', 'v/2']
  check(tracks['v/1'], images_of(f'v/{images}', 1, 2, 4),
        [[9, 19, 30, 40], [10, 19, 30, 40], [12, 19, 30, 40]], absent=[1])
  check(tracks['v/2'], images_of(f'v/{images}', 1, 4),
        [[4, 5, 7, 8], [7, 5, 7, 8]])
  assert dropped == {'boxes: not to be considered': 1}
  assert names_of(tmp_path, LAYOUTS['folder'].annotations(tmp_path)) == [
      f'v/{gt_at}', *(['v/seqinfo.ini'] if info else [])]


def test_beside_other_own_data(tmp_path):
  miniatures.own(tmp_path)
  alone, _ = read('folder', tmp_path)
  make(tmp_path / 'v')
  make(tmp_path / 'a')  # has boxes of its own
  assert list(read('folder', tmp_path)[0]) == [*alone, 'v/1', 'v/2']


def test_columns_of_2015(tmp_path):
  """Six or ten; the last are no visibility there."""
  make(tmp_path / 'v', '1,1,1,2,3,4\n2,1,1,2,3,4,1,-1,-1,-1\n'
                       '3,1,1,2,3,4,1,0.5,0,0\n')
  tracks, dropped = read('folder', tmp_path)
  check(tracks['v/1'], images_of('v/img1', 1, 2, 3), [[0, 1, 3, 4]] * 3)
  assert not dropped


@pytest.mark.parametrize('row', [
    'x', '1,2,3', '1,1.5,1,2,3,4', '-1,1,1,2,3,4', '1,-1,1,2,3,4',
    'nan,1,1,2,3,4', f'{"9" * 5000},1,1,2,3,4', '1,1,1,2,3,4\0',
    '1_0,1,1,2,3,4', '1e300,7,1,2,3,4'])
def test_one_bad_row(tmp_path, row):
  make(tmp_path / 'v', f'{row}\n\n{GT}')
  tracks, dropped = read('folder', tmp_path)
  assert [len(track.images) for track in tracks.values()] == [3, 2]
  assert dropped['boxes: cannot be read'] == 1
  with pytest.raises(UserError, match='gt.txt: v, .* is not a box; expected'):
    sequences.load_benchmark('folder', tmp_path)


def test_two_boxes_of_one_target_in_a_frame(tmp_path):
  make(tmp_path / 'v', GT + '4,1,99,20,30,40,1,1,1\n')
  tracks, dropped = read('folder', tmp_path)
  assert tracks['v/1'].images == images_of('v/img1', 1, 2)
  assert dropped['boxes: two of one target in a frame'] == 1


def test_missing_images(tmp_path):
  """Boxes stay with the images of their numbers."""
  make(tmp_path / 'v', numbers=(2, 4))
  tracks, dropped = read('folder', tmp_path)
  check(tracks['v/1'], images_of('v/img1', 2, 4),
        [[10, 19, 30, 40], [12, 19, 30, 40]], absent=[0])
  assert dropped['frames: image missing'] == 2
  with pytest.raises(UserError, match='the image of frame 1 is missing'):
    sequences.load_benchmark('folder', tmp_path)


@pytest.mark.parametrize(('numbers', 'gt'), [
    ((0, 1, 2, 3), GT), ((1, 2, 3, 4), GT.replace('4,2', '0,2')),
    ((3, 4, 5, 6), GT)])
def test_numbers_that_are_not_those_of_the_frames(tmp_path, numbers, gt):
  """Images counted from 0, boxes from 1: they would be one apart."""
  make(tmp_path / 'v', gt, numbers)
  tracks, dropped = read('folder', tmp_path)
  assert not tracks and dropped[UNCLEAR] == 1
  with pytest.raises(UserError, match='do not fit; expected images counted'):
    sequences.load_benchmark('folder', tmp_path)


@pytest.mark.parametrize('length', ['x', '9' * 5000, '\u0664', ''])
def test_a_length_that_is_none(tmp_path, length):
  make(tmp_path / 'v')
  miniatures.put_text(tmp_path / 'v' / 'seqinfo.ini', f'seqLength={length}\n')
  assert len(read('folder', tmp_path)[0]) == 2


def test_both_counted_from_0(tmp_path):
  make(tmp_path / 'v', '0,1,1,2,3,4\n3,1,4,2,3,4', (0, 1, 2, 3))
  check(read('folder', tmp_path)[0]['v/1'], images_of('v/img1', 0, 3),
        [[0, 1, 3, 4], [3, 1, 3, 4]])


@pytest.mark.parametrize(('change', 'reason'), [
    ('no images', 'tracks: no images'), ('bytes', 'tracks: annotation cannot '
     'be read'), ('info', 'tracks: annotation cannot be read'),
    ('two', UNCLEAR)])
def test_a_sequence_that_is_of_no_use(tmp_path, change, reason):
  make(tmp_path / 'v', numbers=() if change == 'no images' else (1, 2, 3, 4))
  if change == 'bytes':
    (tmp_path / 'v' / 'gt' / 'gt.txt').write_bytes(b'\xff\xfe')
  elif change == 'info':
    (tmp_path / 'v' / 'seqinfo.ini').write_bytes(b'\xff\xfe')
  elif change == 'two':
    miniatures.put_images(tmp_path / 'v' / 'img1', ['000001.png'])
  tracks, dropped = read('folder', tmp_path)
  assert not tracks and dropped[reason] == 1


def test_evaluation(tmp_path):
  """A sequence for each target, as long as it is annotated."""
  make(tmp_path / 'v', GT + '2,5,1,1,3,3,1,1,1\n3,5,2,1,3,3,1,1,1\n')
  one, two, five = sequences.load_benchmark('folder', tmp_path)
  assert [v.name for v in (one, two, five)] == ['v-1', 'v-2', 'v-5']
  assert [f.name for f in five.frames] == ['000002.jpg', '000003.jpg']
  assert five.boxes_xywh.tolist() == [[0, 0, 3, 3], [1, 0, 3, 3]]
  assert five.origin == 1
  assert len(one) == 4 and np.isnan(one.boxes_xywh[2]).all()
  (found,) = sequences.load_annotations('folder', tmp_path, names=['v-1'])
  assert found.visible.tolist() == [True, False, False, True]


def test_one_bad_target_spoils_no_other(tmp_path):
  make(tmp_path / 'v', GT.replace('1,2,5,6,7,8', '1,2,5,6,0,8'))
  make(tmp_path / 'w', 'x')
  failed = {}
  (found,) = sequences.load_benchmark('folder', tmp_path, failed=failed)
  assert found.name == 'v-1' and sorted(failed) == ['v-2', 'w']
  assert 'gt.txt: v-2: the first box' in failed['v-2']


def test_two_sequences_of_one_name(tmp_path):
  """Their results would be the same files."""
  make(tmp_path / 'v')
  miniatures.put_images(tmp_path / 'v-1', ['1.jpg'])
  miniatures.put_text(tmp_path / 'v-1' / 'gt.txt', '1,2,3,4')
  with pytest.raises(UserError, match='two sequences are called v-1'):
    sequences.load_benchmark('folder', tmp_path)
