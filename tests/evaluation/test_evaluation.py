"""Plans and runs of every kind of benchmark: files, resuming, submissions."""

import dataclasses
import json
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run import evaluation, jobs
from siamkpn_jax.tracking.one_target import OneTarget
from tests.evaluation import vot_files
from tests.evaluation.runs import (
  BOXES,
  Counting,
  got10k,
  images,
  run,
  write,
)


def test_got10k_is_scored_and_packed(tmp_path):
  data, out = got10k(tmp_path / 'd', 'val', ['v_1', 'v_2']), tmp_path / 'out'
  summary, _ = run('got10k', data, out)
  overlap = [(10 - i) / (10 + i) for i in range(1, 6)]
  assert summary['ao'] == pytest.approx(np.mean(overlap))
  assert summary['protocol'] == 'got10k' and summary['hardware'] == 'h'
  assert summary['frames_per_second_end_to_end'] > 0
  assert json.loads((out / 'summary.json').read_text()) == summary
  with zipfile.ZipFile(out / 'submission.zip') as archive:
    assert sorted(archive.namelist()) == [
        f'v_{k}/v_{k}_{what}.txt' for k in (1, 2) for what in ('001', 'time')]
    assert archive.read('v_1/v_1_001.txt').decode().splitlines() == [
        '4.0000,5.0000,10.0000,8.0000'] * 6
    times = archive.read('v_2/v_2_time.txt').decode().split()
  assert len(times) == 6 and all(float(t) > 0 for t in times)


def test_hidden_test_set_is_packed_and_not_scored(tmp_path):
  data = got10k(tmp_path / 'd', 'test', ['GOT-10k_Test_000001'], BOXES[:1])
  summary, tracker = run('got10k', data, tmp_path / 'out')
  assert 'ao' not in summary and summary['num_frames'] == 6
  assert tracker.updates == 5
  assert summary['submission'] == str(tmp_path / 'out' / 'submission.zip')


def test_trackingnet_submission(tmp_path):
  images(tmp_path / 'TEST' / 'frames' / 'a-b_0', 3, '{:d}.jpg')
  write(tmp_path / 'TEST' / 'anno' / 'a-b_0.txt', BOXES[:1])
  run('trackingnet', tmp_path, tmp_path / 'out')
  with zipfile.ZipFile(tmp_path / 'out' / 'submission.zip') as archive:
    assert archive.namelist() == ['a-b_0.txt']
    assert archive.read('a-b_0.txt').decode().count('\n') == 3


@pytest.fixture
def vot_data(tmp_path):
  return vot_files.write_folder(tmp_path / 'vot', {
      'a': [[10.0 + 3 * i, 10, 12, 12] for i in range(16)],
      'b': [[10.0, 10, 12, 12]] * 9})


def test_vot_is_supervised_and_scored(vot_data, tmp_path):
  out = tmp_path / 'out'
  summary, _ = run('vot2018', vot_data, out)
  rows = (out / 'baseline' / 'a' / 'a_001.txt').read_text().splitlines()
  # It fails at the fourth step of 3 pixels, starts again 5 frames later.
  assert [i for i, row in enumerate(rows) if row == '1'] == [0, 9]
  assert [i for i, row in enumerate(rows) if row == '2'] == [4, 13]
  assert summary['failures'] == 2 and summary['protocol'] == 'vot2018_pysot'
  scored = vot.score_results(vot_data, out, 'vot2018_pysot')
  for key in ('eao', 'accuracy', 'robustness', 'failures', 'sequences'):
    assert summary[key] == scored[key]
  # The rule decides when the tracker is started again: no mixture.
  with pytest.raises(UserError, match='protocol was vot2018_pysot, now'):
    run('vot2018', vot_data, out, protocol='vot-toolkit')


def test_uav123(tmp_path):
  """car1_1 and car11 are two sequences, and run and score as such."""
  data, out = tmp_path / 'd', tmp_path / 'out'
  for name, video, rows in (('car11', 'car11', BOXES[:2]),
                            ('car1_1', 'car1', BOXES[:1] * 751)):
    images(data / 'data_seq' / 'UAV123' / video, len(rows), '{:06d}.jpg')
    write(data / 'anno' / 'UAV123' / f'{name}.txt', rows)
  summary, _ = run('uav123', data, out)
  assert {n: s['frames'] for n, s in summary['sequences'].items()} == {
      'car11': 2, 'car1_1': 751}
  assert (out / 'car1_1.txt').is_file() and (out / 'car11.txt').is_file()
  assert summary['sequences']['car1_1']['success_auc'] == pytest.approx(20 / 21)
  assert summary['sequences']['car11']['success_auc'] < 0.94


def test_interrupted_and_gone_on(vot_data, tmp_path):
  with pytest.raises(KeyboardInterrupt):
    run('vot2018', vot_data, tmp_path / 'out', Counting(breaks_at=13))
  assert len(list((tmp_path / 'out').glob('baseline/*/*_001.txt'))) == 1
  resumed, tracker = run('vot2018', vot_data, tmp_path / 'out')
  assert tracker.updates == 8  # of b alone
  whole, _ = run('vot2018', vot_data, tmp_path / 'whole')
  for summary in (resumed, whole):
    for key in ('frames_per_second', 'frames_per_second_end_to_end', 'results'):
      del summary[key]
  assert resumed == whole


def test_scoring_again_keeps_what_is_said_of_the_run(make_sequence, tmp_path):
  request = evaluation.EvaluationRequest(
      'otb', make_sequence('Ball', BOXES).parent, tmp_path / 'out')
  score = lambda hardware, **options: evaluation.run(
      evaluation.make_plan(dataclasses.replace(request, **options)),
      OneTarget(Counting()), {'weights': 'w'}, progress=False,
      remarks={'hardware': hardware, 'batch': 3})
  first = score('fast')
  again = score('slow', protocol='pysot')
  assert again['hardware'] == 'fast' and again['protocol'] == 'pysot'
  for key in ('frames_per_second', 'frames_per_second_end_to_end', 'batch'):
    assert again[key] == first[key] and first[key] > 0
  for damaged in ('damaged', '[' * 10**5, '{"hardware": Infinity}', '[]',
                  '{"hardware": {"a": 1}, "batch": "x"}'):
    (tmp_path / 'out' / 'summary.json').write_text(damaged)
    found = score('slow')
    assert (found['hardware'], found['batch']) == ('slow', 3)


def test_shards_share_the_work(tmp_path):
  names = [f'v_{k}' for k in range(5)]
  data, out = got10k(tmp_path / 'd', 'val', names), tmp_path / 'out'
  ran = []
  for k in (2, 0, 1):
    summary, tracker = run('got10k', data, out, shard=(k, 3))
    ran.append(tracker.updates)
    assert (summary is None) == (k != 1)
  assert ran == [5, 10, 10]
  whole, _ = run('got10k', data, tmp_path / 'whole')
  assert summary['ao'] == whole['ao'] and summary['num_sequences'] == 5
  assert summary['frames_per_second_end_to_end'] is None  # of a part alone


def test_long_sequences_are_dealt_out(make_sequence):
  for name, count in (('A', 9), ('B', 8), ('C', 3), ('D', 2)):
    root = make_sequence(name, BOXES[:1] * count).parent
  parts = [[job.task.name for job in evaluation.make_plan(
      evaluation.EvaluationRequest('otb', root, Path('out'), shard=(k, 2))
  ).mine()] for k in range(2)]
  assert parts == [['A', 'C'], ['B', 'D']]


def test_otb_files_count_from_where_the_annotation_does(make_sequence,
                                                        tmp_path):
  make_sequence('Ball', BOXES)
  root = make_sequence('Car', BOXES).parent
  run('otb', root, tmp_path / 'out', zero_based=('Car',))
  for name in ('Ball', 'Car'):
    assert results.read_boxes(tmp_path / 'out' / f'{name}.txt')[0].tolist() == (
        BOXES[0])


def test_mistakes_before_any_work(make_sequence, vot_data, tmp_path):
  root = make_sequence('Ball', BOXES).parent
  for match, benchmark, data, options in (
      ('vot: unknown for otb', 'otb', root, {'protocol': 'vot'}),
      ('lasot: unknown for got10k; ', 'got10k', root,
       {'protocol': 'lasot'}),
      ('unknown for vot2018', 'vot2018', vot_data, {'protocol': 'otb'}),
      ('no sequence matches X', 'otb', root, {'sequences': ('X',)}),
      ('no sequence matches X', 'vot2018', vot_data, {'sequences': ('X',)}),
      ('--zero_based: not used with vot2018', 'vot2018', vot_data,
       {'zero_based': ('a',)}),
      ('--zero_based: not used with got10k', 'got10k', root,
       {'zero_based': ('a',)})):
    with pytest.raises(UserError, match=match):
      run(benchmark, data, tmp_path / 'out', **options)
  assert not (tmp_path / 'out').exists()


def test_results_of_nobody_knows_whom_are_refused(make_sequence, tmp_path):
  root, out = make_sequence('Ball', BOXES).parent, tmp_path / 'out'
  run('otb', root, out)
  (out / 'settings.json').unlink()
  with pytest.raises(UserError, match=r'Ball.txt. but no settings.json'):
    run('otb', root, out)
  for damaged in ('[]', '{', '[' * 10**5, '{"a": ' * 200 + '1' + '}' * 200,
                  '{"weights": Infinity}', '{"weights": NaN}',
                  '{"weights": 1' + '0' * 400 + '}', '\xff\xfe'):
    (out / 'settings.json').write_text(damaged)
    with pytest.raises(UserError, match='settings.json: damaged'):
      run('otb', root, out)


@pytest.mark.parametrize('times', [
    '\n\nnan\n', '\n\ninf\n', '\n\n1e300\n1e300\n', '\n\n-1\n', '\n\nx\n',
    '\n\n0\n', '\n\n5e-324\n'])
def test_senseless_times_are_no_speed(tmp_path, times):
  (tmp_path / 'x.txt').write_text(times)
  job = types.SimpleNamespace(time_path=tmp_path / 'x.txt')
  assert jobs.update_speed([job]) is None


def test_another_annotation_is_noticed(make_sequence, tmp_path):
  folder, out = make_sequence('Ball', BOXES), tmp_path / 'out'
  run('otb', folder.parent, out)
  write(folder / 'groundtruth_rect.txt', [[9, *BOXES[0][1:]], *BOXES[1:]])
  with pytest.raises(UserError, match='first box differs from the annot'):
    run('otb', folder.parent, out)


def test_first_boxes_alone_here_and_there(make_sequence, tmp_path):
  """No hidden truth where the benchmark hides none."""
  folder = make_sequence('Car', BOXES[:1], frames=6)
  with pytest.raises(UserError, match='Car: has only its first box for 6 fr'):
    run('otb', folder.parent, tmp_path / 'out')
  assert not (tmp_path / 'out').exists()
  make_sequence('Ball', BOXES)
  summary, _ = run('otb', folder.parent, tmp_path / 'out')
  assert 'only its first box' in summary['failed']['Car']
  assert list(summary['sequences']) == ['Ball']
  images(tmp_path / 'TEST' / 'frames' / 'a_0', 6, '{:d}.jpg')
  write(tmp_path / 'TEST' / 'anno' / 'a_0.txt', BOXES)
  summary, _ = run('trackingnet', tmp_path, tmp_path / 'net')
  assert 'submission' in summary and 'success_auc' not in summary
