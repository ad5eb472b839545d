"""Running a tracker: calls, files, speed, faults."""

import json
import time

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.run import one_pass
from siamkpn_jax.evaluation.run.protocol import FirstBoxTracker
from siamkpn_jax.tracking.one_target import OneTarget

BOXES = [(5 + i, 6, 7, 8) for i in range(12)]


class _Recorder(FirstBoxTracker):
  """Notes which frame (by its pixels) each call got."""

  def __init__(self, seconds=0.0):
    super().__init__()
    self.calls = []
    self.seconds = seconds

  def init(self, frame, box_xywh):
    super().init(frame, box_xywh)
    self.calls.append(('init', int(frame[0, 0, 0]), box_xywh.tolist()))
    box_xywh[:] = -1  # a tracker may spoil what it is given

  def update(self, frame):
    self.calls.append(('update', int(frame[0, 0, 0])))
    time.sleep(self.seconds)
    return super().update(frame)


def _run(tracker, sequences, out, **options):
  return one_pass.run_one_pass(OneTarget(tracker), sequences, out,
                             **{'progress': False} | options)


@pytest.fixture
def otb(make_sequence):
  make_sequence('Ball', BOXES)
  return make_sequence('Car', BOXES[:3]).parent


def test_calls_files_and_summary(otb, tmp_path):
  tracker = _Recorder()
  out = tmp_path / 'out'
  sequences = load_otb(otb, zero_based=['Car'])
  summary = _run(tracker, sequences, out)
  assert tracker.calls == [
      ('init', 0, [4, 5, 7, 8]), *[('update', i) for i in range(1, 12)],
      ('init', 0, [5, 6, 7, 8]), ('update', 1), ('update', 2)]
  # Result files count pixels as the annotation: the first lines are equal.
  for name in ('Ball', 'Car'):
    assert np.array_equal(results.read_boxes(out / f'{name}.txt'),
                          [BOXES[0]] * summary['sequences'][name]['frames'])
  assert sorted(f.name for f in out.iterdir()) == [
      'Ball.txt', 'Car.txt', 'summary.json', 'times']
  assert json.loads((out / 'summary.json').read_text()) == summary
  assert summary['protocol'] == ope.PROTOCOL
  assert summary['num_sequences'] == 2 and summary['num_frames'] == 15
  assert summary['success_auc'] == pytest.approx(
      np.mean([s['success_auc'] for s in summary['sequences'].values()]))
  ball = ope.score_sequence(np.tile(BOXES[0], (12, 1)), np.array(BOXES))
  assert summary['sequences']['Ball']['success_auc'] == ball.success_auc
  assert len(summary['success_curve']) == 21
  assert len(summary['precision_curve']) == 51


def test_speed_is_of_update_alone(otb, tmp_path):

  class Slow(_Recorder):

    def init(self, frame, box_xywh):
      super().init(frame, box_xywh)
      time.sleep(0.3)
      self.first = True

    def update(self, frame):
      if self.first:  # compiles
        time.sleep(0.3)
      self.first = False
      return super().update(frame)

  summary = _run(Slow(0.01), load_otb(otb), tmp_path)
  assert 30 < summary['frames_per_second'] <= 100
  assert summary['frames_per_second_end_to_end'] < 15 / 1.2


def test_short_sequences_have_no_speed(make_sequence, tmp_path):
  for count in (1, 2):
    folder = make_sequence(f'Short{count}', BOXES[:count])
  summary = _run(_Recorder(), load_otb(folder.parent), tmp_path)
  assert summary['frames_per_second'] is None
  assert json.loads((tmp_path / 'summary.json').read_text()) == summary


def test_output_folder_may_hold_files(otb, tmp_path):
  (tmp_path / 'Ball.txt').write_text('old')
  (tmp_path / 'other').write_text('kept')
  _run(_Recorder(), load_otb(otb), tmp_path)
  assert len(results.read_boxes(tmp_path / 'Ball.txt')) == 12
  assert (tmp_path / 'other').read_text() == 'kept'


def test_progress_goes_to_stderr(otb, tmp_path, capsys):
  _run(_Recorder(), load_otb(otb), tmp_path, progress=True)
  out, err = capsys.readouterr()
  assert out == '' and 'Car' in err and '15/15' in err


def test_unreadable_image_keeps_finished_sequences(otb, tmp_path):
  sequences = load_otb(otb)
  sequences[1].frames[1].write_bytes(b'no image')
  with pytest.raises(UserError, match=r'0002\.png: this image cannot be read'):
    _run(_Recorder(), sequences, tmp_path / 'out')
  assert sorted(f.name for f in (tmp_path / 'out').iterdir()) == [
      'Ball.txt', 'times']
  sequences[1].frames[1].unlink()
  with pytest.raises(UserError, match=r'0002\.png: this image cannot be read'):
    _run(_Recorder(), sequences, tmp_path / 'out')


@pytest.mark.parametrize('box', [
    [np.nan, 1, 2, 3], [1, 2, 3], [[1, 2, 3, 4]], [1, 2, np.inf, 4]])
def test_wrong_box_of_the_tracker(otb, tmp_path, box):
  tracker = _Recorder()
  tracker.update = lambda frame: (True, np.array(box))
  with pytest.raises(UserError, match='the tracker returned .*0002.png'):
    _run(tracker, load_otb(otb), tmp_path)


def test_first_box_refused_by_the_tracker(otb, tmp_path):
  tracker = _Recorder()

  def refuse(frame, box_xywh):
    raise UserError('box outside')

  tracker.init = refuse
  with pytest.raises(UserError, match='frame 1: .*: box outside .and 1 more'):
    _run(tracker, load_otb(otb), tmp_path)


def test_output_folder_is_checked_first(otb, tmp_path):
  tracker = _Recorder()
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='folder cannot be created'):
    _run(tracker, load_otb(otb), tmp_path / 'file')
  assert not tracker.calls


def test_no_sequences_and_equal_names(otb, tmp_path):
  with pytest.raises(UserError, match='no sequences'):
    _run(_Recorder(), [], tmp_path)
  with pytest.raises(UserError, match='duplicate sequence names Ball'):
    _run(_Recorder(), load_otb(otb)[:1] * 2, tmp_path)


@pytest.mark.realdata
def test_first_box_on_real_sequences(real_data, tmp_path):
  sequences = load_otb(real_data / 'sequences', names=['Skiing', 'Jogging-2'])
  summary = _run(FirstBoxTracker(), sequences, tmp_path)
  for s in sequences:
    score = ope.score_sequence(np.tile(s.boxes_xywh[0], (len(s), 1)),
                               s.boxes_xywh)
    assert summary['sequences'][s.name]['success_auc'] == score.success_auc
  assert 0 < summary['success_auc'] < 0.4
