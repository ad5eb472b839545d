"""A data set that is trained and evaluated on is read alike for both."""

import dataclasses

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import formats
from siamkpn_jax.datasets.tracks import Dropped
from siamkpn_jax.evaluation.formats.sequences import (
  load_annotations,
  with_frames,
)
from tests.datasets.formats import miniatures

BOXES = '1.5,2,3,4\n5;6\t7 8\r\nNaN,NaN,NaN,NaN\n'


def _video(images, boxes, **flags):
  miniatures.put_images(images, miniatures.eight_digits(1, 2, 3))
  miniatures.put_text(boxes, BOXES)
  for name, text in flags.items():
    miniatures.put_text(boxes.parent / name.replace('__', '.'), text)


def _got10k(root):
  miniatures.put_text(root / 'list.txt', 'a')
  home = root / 'a'
  _video(home, home / 'groundtruth.txt', cover__label='8\n0\n3',
         absence__label='0\n1\n0')


def _lasot(root):
  miniatures.put_text(root / 'testing_set.txt', 'cat-9')
  for name in ('cat-2', 'cat-9'):  # trained on, evaluated on
    home = root / 'cat' / name
    _video(home / 'img', home / 'groundtruth.txt', full_occlusion__txt='0,0,0',
           out_of_view__txt='0,1,0')


def _trackingnet(root):
  for part in ('TRAIN_3', 'TEST'):
    _video(root / part / 'frames' / 'a', root / part / 'anno' / 'a.txt')


def _folder(root):
  for name, sub in (('a', 'imgs'), ('b', '')):
    _video(root / name / sub, root / name / 'gt.txt')


@pytest.mark.parametrize(('name', 'write'), [
    ('got10k', _got10k), ('lasot', _lasot), ('trackingnet', _trackingnet),
    ('folder', _folder)])
def test_training_and_evaluation_read_the_same(tmp_path, name, write):
  write(tmp_path)
  tracks = list(formats.LAYOUTS[name].tracks(tmp_path, dropped := Dropped()))
  annotations = formats.BENCHMARKS[name](tmp_path)
  assert tracks and len(tracks) == len(annotations)
  assert dropped.counts == ({'tracks: of the test split': 1}
                            if name == 'lasot' else {})
  for track, annotation in zip(tracks, annotations, strict=True):
    assert len(annotation) == 3
    shift = [annotation.origin, annotation.origin, 0, 0]
    np.testing.assert_array_equal(track.boxes_xywh,
                                  annotation.boxes_xywh - shift)
    visible = annotation.visible
    assert track.absent.tolist() == [False] * 3 if visible is None else (
        track.absent == ~visible).all()
    files = [file.relative_to(tmp_path).as_posix()
             for file in with_frames(annotation).frames]
    assert [image.replace('TRAIN_3', 'TEST').replace('cat-2', 'cat-9')
            for image in track.images] == files


@pytest.mark.parametrize(('line', 'column'), [('1,2,inf,4', 2), ('0,0,0,0', 2)])
def test_training_is_more_tolerant(tmp_path, line, column):
  """A box that no frame can be cut around costs one frame, not the video."""
  _video(tmp_path / 'a', tmp_path / 'a' / 'gt.txt')
  miniatures.put_text(tmp_path / 'a' / 'gt.txt', f'{line}\n' + '1,2,3,4\n' * 2)
  (track,) = formats.LAYOUTS['folder'].tracks(tmp_path, Dropped())
  assert len(track.images) == 3
  assert track.boxes_xywh[0, column] == float(line.split(',')[column])
  with pytest.raises(UserError, match=r'gt\.txt line 1'):
    load_annotations('folder', tmp_path)


def test_every_data_set_is_used_for_something():
  for data in formats.DATA_SETS.values():
    assert any(getattr(data, field.name) for field in dataclasses.fields(data))
