"""Accuracy, robustness, EAO: against loops, published numbers, properties."""

import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import regions, vot_results
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence, load_vot
from siamkpn_jax.evaluation.metrics import eao, vot
from tests.evaluation import vot_files
from tests.reference import vot as reference

RULES = {'pysot': reference.pysot, 'vot-toolkit': reference.toolkit}
SIZE = (60, 40)
KEYS = ('eao', 'accuracy', 'robustness', 'failures')


def _protocol(rule, window=(10, 40)):
  return vot.Protocol('test', rule, window, 'none')


def _sequences(truth, tags=None):
  return [VotSequence(name, regions.from_rows(rows), (tags or {}).get(name, {}),
                      size=SIZE) for name, rows in truth.items()]


def _score(truth, runs, protocol, tags=None):
  """runs: name -> rows, or name -> repetitions of rows."""
  read = {
      name: [regions.from_rows(rows) for rows in (
          run if isinstance(run[0][0], list) else [run])]
      for name, run in runs.items()}
  return vot.score(_sequences(truth, tags), read, protocol)


def _assert_equal(ours, theirs):
  for key in KEYS:
    assert ours[key] == pytest.approx(theirs[key], abs=1e-9), key


def _score_as_loops(truth, runs, rule, low, high):
  """Our scores, which are those of plain loops over lengths low to high."""
  ours = _score(truth, runs, _protocol(rule, (low, high)))
  _assert_equal(ours, RULES[rule](
      [(rows, SIZE) for rows in truth.values()], runs.values(), low, high))
  return ours


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('seed', range(4))
def test_random_runs_equal_loops(rule, seed):
  truth, runs = vot_files.random_case(seed, [50, 33, 71, 12], 0.06)
  assert any([2] in run for run in runs.values())
  _score_as_loops(truth, runs, rule, 10, 40)


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('failures', [[], [1], [44], [45], [46], [49], [20, 49],
                                      [3, 9, 15], [7, 13]])
def test_failures_at_every_kind_of_place(rule, failures):
  """Alone, at the end (a start just fits, or not), again and again."""
  truth, runs = vot_files.random_case(9, [50, 70], failure_rate=0)
  run = runs['seq0']
  for f in failures:
    waits = [[0]] * 4 + [[1]]
    run[f:f + 6] = ([[2], *waits])[:len(run) - f]
  assert len(run) == 50
  _score_as_loops(truth, runs, rule, 2, 65)


@pytest.mark.parametrize('rule', RULES)
def test_an_unknown_frame_is_scored_as_there(rule):
  for failures in ([], [30]):
    truth, runs = vot_files.random_case(3, [50, 40], failure_rate=0)
    run = runs['seq0']
    run[20] = [0]
    for f in failures:
      run[f:f + 6] = [[2], [0], [0], [0], [0], [1]]
    _score_as_loops(truth, runs, rule, 5, 45)


def test_lengths_that_no_fragment_reaches_count_as_zero():
  """pysot alone: the end of the longest run is unknown, the other is short."""
  truth, runs = vot_files.random_case(3, [50, 20], failure_rate=0)
  runs['seq0'][45:] = [[0]] * 5
  ours = _score_as_loops(truth, runs, 'pysot', 41, 50)
  curve = ours['eao_curve']
  assert curve[45:] == [0] * 5 and min(curve[40:45]) > 0
  assert ours['eao'] == pytest.approx(sum(curve[40:45]) / 10)
  # A length that a fragment reaches by way of an unknown frame has no value.
  runs['seq0'][48] = runs['seq0'][1]
  ours = _score(truth, runs, _protocol('pysot', (41, 50)))
  assert ours['eao_curve'][45:] == [0, 0, 0, None, 0]
  assert ours['eao'] == pytest.approx(sum(curve[40:45]) / 9)
  # And one that fragments without weight reach has none: 0 / 0.
  tags = {'seq0': {'tag': np.zeros(50, bool)},
          'seq1': {'tag': np.ones(20, bool)}}
  whole = {name: [[1], *rows[1:]] for name, rows in truth.items()}
  tagged = vot.score(_sequences(truth, tags), {
      name: [regions.from_rows(rows)] for name, rows in whole.items()},
      _protocol('pysot', (11, 50)))['tags']['tag']
  assert tagged['eao'] == 1


def _tracked(overlap_half, length=120):
  """A box that has overlap 1 with the annotation, or 1/2 of the pixels."""
  row = [10.0, 10, 10, 20] if overlap_half else [10.0, 10, 20, 20]
  return [[10.0, 10, 20, 20]] * length, [[1]] + [row] * (length - 1)


def test_by_hand():
  truth, run = _tracked(False)
  perfect = _score({'a': truth}, {'a': run}, _protocol('vot-toolkit'))
  assert (perfect['accuracy'], perfect['failures'], perfect['eao']) == (1, 0, 1)
  _, half = _tracked(True)
  score = _score({'a': truth}, {'a': half}, _protocol('vot-toolkit'))
  assert (score['accuracy'], score['eao']) == (0.5, 0.5)
  # Failed at frame 61 of 120: EAO over k frames is the mean of a fragment that
  # has 60 frames and then zeros, and one of 55 frames.
  run[60:66] = [[2], [0], [0], [0], [0], [1]]
  score = _score({'a': truth}, {'a': run}, _protocol('vot-toolkit', (50, 90)))
  curve = [min(59 / k, 1) if k >= 55 else 1 for k in range(50, 60)]
  assert score['eao'] == pytest.approx(np.mean(curve))
  assert score['failures'] == 1 and score['robustness'] == 1
  score = _score({'a': truth}, {'a': run}, _protocol('pysot'))
  assert score['robustness'] == pytest.approx(100 / 120)
  assert score['accuracy'] == 1


def test_burn_in_is_ten_frames_from_each_start():
  truth, run = _tracked(True, 40)
  for i in range(1, 10):
    run[i] = truth[0]  # better, but not counted
  for rule in RULES:
    score = _score({'a': truth}, {'a': run}, _protocol(rule))
    assert score['accuracy'] == pytest.approx(0.5, abs=0.03)
  assert _score({'a': truth}, {'a': run},
                _protocol('vot-toolkit'))['accuracy'] == 0.5


def test_the_windows_of_the_rules_are_shifted():
  lengths = {rule: vot.find_protocol(rule, 'vot2018').lengths for rule in RULES}
  assert lengths == {'pysot': range(99, 356), 'vot-toolkit': range(100, 357)}
  assert {p.window for p in vot.PROTOCOLS.values()} == {
      (100, 356), (108, 371), (46, 291)}
  assert all(p.burn_in == 10 and p.skip == 5 for p in vot.PROTOCOLS.values())
  assert vot.find_protocol('pysot', 'vot2019').window == (46, 291)
  assert vot.find_protocol('vot2016_vot-toolkit').window == (108, 371)
  for wrong in ('otb', 'pysot'):  # of which benchmark?
    with pytest.raises(UserError, match=f'protocol {wrong}: unknown'):
      vot.find_protocol(wrong)


def test_short_sequences_have_no_eao():
  truth, run = _tracked(False, 20)
  for rule in RULES:
    score = _score({'a': truth}, {'a': run}, _protocol(rule, (100, 356)))
    assert score['eao'] is None and score['accuracy'] == 1


def test_nothing_left_after_burn_in():
  truth, run = _tracked(False, 5)
  accuracy = {
      rule: _score({'a': truth}, {'a': run}, _protocol(rule))['accuracy']
      for rule in RULES}
  assert accuracy == {'pysot': None, 'vot-toolkit': 0}  # as the toolkit has it


def test_repetitions():
  truth, first = vot_files.random_case(1, [60])
  runs = [first['seq0']] + [vot_files.random_case(1, [60], rate)[1]['seq0']
                            for rate in (0.1, 0.001)]
  single = {rule: [_score(truth, {'seq0': run}, _protocol(rule))
                   for run in runs] for rule in RULES}
  # vot-toolkit: the mean of all. pysot: the first, unless there are 15.
  score = _score(truth, {'seq0': runs}, _protocol('vot-toolkit'))
  for key in ('accuracy', 'failures'):
    assert score[key] == pytest.approx(
        np.mean([s[key] for s in single['vot-toolkit']]))
  assert score['sequences']['seq0']['repetitions'] == 3
  score = _score(truth, {'seq0': runs}, _protocol('pysot'))
  assert {k: score[k] for k in KEYS} == {k: single['pysot'][0][k] for k in KEYS}
  score = _score(truth, {'seq0': runs * 5}, _protocol('pysot'))
  assert score['sequences']['seq0']['repetitions'] == 15
  assert score['failures'] == pytest.approx(
      np.mean([s['failures'] for s in single['pysot']]))
  assert min(s['eao'] for s in single['pysot']) < score['eao'] < max(
      s['eao'] for s in single['pysot'])


@pytest.mark.parametrize('rule', RULES)
def test_tags(rule):
  truth, runs = vot_files.random_case(2, [50, 60])
  everywhere = {name: {'all': np.ones(len(rows), bool)}
                for name, rows in truth.items()}
  score = _score(truth, runs, _protocol(rule), everywhere)
  assert {k: score['tags']['all'][k] for k in KEYS} == {
      k: score[k] for k in KEYS}
  assert score['tags']['empty'] == {
      'eao': None, 'accuracy': None, 'robustness': None, 'failures': 0.0,
      'frames': 0}
  # One sequence is tagged as a whole, the other not at all.
  one = {'seq0': {'tag': np.ones(50, bool)}}
  score = _score(truth, runs, _protocol(rule), one)
  for tag, name in (('tag', 'seq0'), ('empty', 'seq1')):
    alone = _score({name: truth[name]}, {name: runs[name]}, _protocol(rule))
    for key in ('accuracy', 'robustness', 'failures'):
      assert score['tags'][tag][key] == pytest.approx(alone[key]), (tag, key)
    assert score['tags'][tag]['frames'] == len(truth[name])


def test_tag_weights_of_fragments():
  _, run = _tracked(False, 40)
  run[20:26] = [[2], [0], [0], [0], [0], [1]]
  run = regions.from_rows(run)
  tagged = np.arange(40) < 13
  overlaps = np.where(run.present, 1.0, np.nan)
  first, last = eao.pysot_fragments(run, overlaps, tagged, 5)
  assert (len(first.overlaps), len(last.overlaps)) == (26, 15)
  assert first.failed and not last.failed
  assert (first.weight, last.weight) == (13 / 26, 0)
  first, last = eao.toolkit_fragments(run, overlaps, tagged)
  assert (len(first.overlaps), len(last.overlaps)) == (20, 15)
  assert (first.weight, last.weight) == (13 / 20, 0)


def test_files(tmp_path):
  truth, runs = vot_files.random_case(0, [40, 30])
  folder = vot_files.write_folder(tmp_path / 'vot', truth, images=False)
  file = vot_files.write_json(tmp_path / 'vot.json', truth)
  out = vot_files.write_results(tmp_path / 'out',
                                {name: [run] for name, run in runs.items()})
  expected = _score(truth, runs, vot.find_protocol('vot2019_pysot'))
  for annotations in (folder, file):
    for place in (out, out / 'baseline'):
      score = vot.score_results(annotations, place, 'vot2019_pysot')
      for key in ('accuracy', 'robustness', 'failures'):
        assert score[key] == pytest.approx(expected[key], rel=1e-4)
  assert score['protocol'] == 'vot2019_pysot' and 'pysot' in score['source']
  json.dumps(score, allow_nan=False)
  assert set(score['sequences']) == {'seq0', 'seq1'}
  assert score['sequences']['seq1']['frames'] == 30


def test_missing_short_and_long_results_are_named(tmp_path):
  truth, runs = vot_files.random_case(0, [40, 30])
  file = vot_files.write_json(tmp_path / 'vot.json', truth)
  out = vot_files.write_results(tmp_path / 'out', {'seq0': [runs['seq0']]})
  with pytest.raises(UserError, match='no results for 1 of 2 sequences: seq1;'):
    vot.score_results(file, out, 'vot2018_pysot')
  with pytest.raises(UserError, match='no results for 2 of 2'):
    vot.score_results(file, tmp_path / 'none', 'vot2018_pysot')
  for wrong in (runs['seq1'][:-1], runs['seq1'] + runs['seq1'][-1:]):
    vot_files.write_results(out, {'seq1': [wrong]})
    with pytest.raises(UserError, match=rf'seq1_001\.txt: {len(wrong)} lines, '
                       'but seq1 has 30 frames'):
      vot.score_results(file, out, 'vot2018_pysot')


def _real(real_data, tracker):
  return (real_data / 'annotations' / 'vot2018' / 'VOT2018.json',
          real_data / 'raw_results' / 'vot2018' / tracker)


@pytest.mark.realdata
@pytest.mark.parametrize('tracker, expected, failures', [
    ('LightTrack', 0.4182, 38), ('SiamAPN', 0.2480, 105)])
def test_published_eao(real_data, tracker, expected, failures):
  score = vot.score_results(*_real(real_data, tracker), 'vot2018_pysot')
  assert round(score['eao'], 4) == expected
  # As counted by `grep -rx 2 baseline | wc -l`.
  assert score['failures'] == failures
  assert score['robustness'] == pytest.approx(100 * failures / 21356)


@pytest.mark.realdata
@pytest.mark.parametrize('rule', RULES)
def test_real_results_equal_loops(real_data, rule):
  annotations, results = _real(real_data, 'SiamAPN')
  names = ('ball1', 'fish1', 'conduction1')  # turned, small, upright boxes
  sequences = [s for s in load_vot(annotations) if s.name in names]
  runs = vot_results.read_runs(sequences, results)
  cut = 120  # frames: the loops are slow
  sequences = [VotSequence(s.name, s.truth[:cut], {}, size=s.size)
               for s in sequences]
  runs = {name: [run[:cut] for run in found] for name, found in runs.items()}
  ours = vot.score(sequences, runs, _protocol(rule, (20, 100)))
  theirs = RULES[rule]([(s.truth.rows(), s.size) for s in sequences],
                       [runs[s.name][0].rows() for s in sequences], 20, 100)
  _assert_equal(ours, theirs)
