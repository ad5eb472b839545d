"""The score command: figures, attributes, protocols, mistakes."""

import dataclasses
import functools
import json

import numpy as np
import pytest

from siamkpn_jax.cli import command
from siamkpn_jax.cli import score as score_command
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.metrics import vot
from tests.evaluation import vot_files

TRUTH = np.array([[10.0, 10, 10, 10]] * 4)


def _write(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)
  return path


def _boxes(path, boxes, separator=','):
  return _write(path, ''.join(
      separator.join(f'{v:g}' for v in box) + '\n' for box in boxes))


@pytest.fixture
def otb(tmp_path):
  """Two sequences, one tracked perfectly and one lost after its start."""
  for name in ('Jogging-1', 'Skiing'):
    _boxes(tmp_path / 'otb' / name / 'groundtruth_rect.txt', TRUTH)
  _write(tmp_path / 'otb' / 'attr_list.txt',
         'Jogging-1\tIV, OCC\nSkiing\tOCC\n')
  _boxes(tmp_path / 'run' / 'jogging_1.txt', TRUTH, '\t')
  _boxes(tmp_path / 'run' / 'Skiing.txt', [*TRUTH[:1], *TRUTH[1:] + 100], ' ')
  return tmp_path


def _request(folder, benchmark='otb', **options):
  return scoring.ScoringRequest(
      benchmark, folder / 'otb', folder / 'run', **options)


@pytest.fixture
def score(command):
  return functools.partial(command, 'score')


def test_command(score, otb):
  done = score('--benchmark', 'otb', '--annotations', otb / 'otb',
                '--results', otb / 'run', '--json', otb / 'new' / 'out.json')
  assert done.returncode == 0, done.stderr
  table = [line.split() for line in done.stdout.splitlines()]
  assert ['Skiing', '0.2381', '0.2500', '0.2500', '0.2500'] in table
  assert ['OCC', '0.5952', '0.6250', '0.6250', '0.6250'] in table
  assert ['all', '0.5952', '0.6250', '0.6250', '0.6250'] in table
  assert "2 sequences, protocol otb: the OTB authors' toolkit" in done.stdout
  assert 'note: 2 of the 100 sequences of otb (OTB-100); missing: Basket' in (
      done.stdout)
  summary = json.loads((otb / 'new' / 'out.json').read_text())
  assert summary['protocol'] == summary['benchmark'] == 'otb'
  assert summary['success_auc'] == pytest.approx(12.5 / 21)
  assert summary['precision_20'] == summary['norm_precision'] == 0.625
  assert summary['sequences']['Skiing'] == {
      'frames': 4, 'annotated_frames': 4,
      'success_auc': pytest.approx(5 / 21), 'precision_20': 0.25,
      'norm_precision': 0.25, 'norm_precision_auc': 0.25}
  assert summary['num_frames'] == summary['num_annotated_frames'] == 8
  assert summary['attributes']['IV']['success_auc'] == pytest.approx(20 / 21)
  assert summary['attributes']['OCC']['num_sequences'] == 2


def test_mistakes_are_one_line(score, otb):
  (otb / 'run' / 'Skiing.txt').write_text('1,2\n')
  common = ['--annotations', otb / 'otb', '--results', otb / 'run']
  done = score('--benchmark', 'otb', *common, '--json', otb / 'out.json')
  assert done.returncode == 2 and done.stderr.count('\n') == 1
  assert 'Skiing.txt line 1' in done.stderr
  assert not (otb / 'out.json').exists()
  for flags in (['--benchmark', 'otb99', *common], common,
                ['--benchmark', 'otb', *common, '--json', otb]):
    done = score(*flags)
    assert done.returncode == 2 and 'Traceback' not in done.stderr


@pytest.mark.parametrize(('text', 'why'), [
    ('3,4,50,60\n', 'has only its first box'), ('', 'empty'),
    ('a,b,c,d\n' * 4, 'is not a box'), ('3,4,0,0\n' * 4, 'has no area')])
def test_one_annotation_spoils_no_other(otb, text, why, capsys):
  _write(otb / 'otb' / 'Bad' / 'groundtruth_rect.txt', text)
  out = otb / 'out.json'
  assert command.run(score_command, [
      '--benchmark=otb', f'--annotations={otb / "otb"}',
      f'--results={otb / "run"}', f'--json={out}']) == 1
  summary = json.loads(out.read_text())
  assert set(summary['sequences']) == {'Jogging-1', 'Skiing'}
  assert summary['success_auc'] == pytest.approx(12.5 / 21)
  assert list(summary['failed']) == ['Bad'] and why in summary['failed']['Bad']
  printed = capsys.readouterr()
  assert f'note: not scored, as it failed: Bad: {summary["failed"]["Bad"]}' in (
      printed.out)
  assert printed.err.startswith('error: 1 sequences failed: Bad; the others')
  with pytest.raises(UserError, match=why):  # nothing is left
    scoring.score(_request(otb, sequences=('Bad',)))


@pytest.mark.parametrize('shift', ['nan', 'inf', '-inf', '-1e+30'])
def test_shift_must_be_finite(score, otb, shift):
  done = score('--benchmark', 'otb', '--annotations', otb / 'otb', '--results',
                otb / 'run', f'--shift={shift}', '--json', otb / 'out.json')
  assert done.returncode == 2 and done.stderr.count('\n') == 1
  assert f'--shift={shift}: expected a finite' in done.stderr
  assert not done.stdout and not (otb / 'out.json').exists()


def test_protocols(otb):
  for protocol, rule in (('otb', 'OTB'), ('otb_got10k', 'GOT-10k'),
                         ('pysot', 'pysot'), ('lasot', 'LaSOT')):
    summary = scoring.score(_request(otb, protocol=protocol))
    assert summary['protocol'] == protocol and rule in summary['rule']
  # One rule has one name, so that its scores can be compared.
  summary = scoring.score(_request(otb, protocol='got10k'))
  assert summary == scoring.score(_request(otb, protocol='otb_got10k'))
  assert summary['protocol'] == 'otb_got10k'
  with pytest.raises(UserError, match='vot: unknown for otb; .* got10k, lasot'):
    scoring.score(_request(otb, protocol='vot'))


def test_selection_shift_and_attributes(otb):
  summary = scoring.score(_request(otb, sequences=('Sk*',)))
  assert list(summary['sequences']) == ['Skiing'] and not summary['notes']
  zero_based = TRUTH - [1, 1, 0, 0]
  for name in ('jogging_1', 'Skiing'):
    _boxes(otb / 'run' / f'{name}.txt', zero_based)
  summary = scoring.score(_request(otb))
  assert summary['success_auc'] < 0.9
  assert any('use --shift=1' in note for note in summary['notes'])
  summary = scoring.score(_request(otb, shift=1))
  assert summary['success_auc'] == pytest.approx(20 / 21)
  assert not any('shift' in note for note in summary['notes'])
  flags = otb / 'att'
  _write(flags / 'Skiing.txt', '0,0,1,0,0,0,0,0,0,0,1')
  summary = scoring.score(_request(otb, sequences=('Skiing',),
                                   attributes=flags))
  assert list(summary['attributes']) == ['LR', 'SV']
  _write(flags / 'Skiing.txt', '0,1')
  with pytest.raises(UserError, match='2 flags, but 11 attributes'):
    scoring.score(_request(otb, sequences=('Skiing',), attributes=flags))
  for text, told in (('Skiing\tSV\n', 'no attributes for Jogging-1'),
                     ('Skiing SV\n', 'line 1')):
    listed = _write(otb / 'list.txt', text)
    with pytest.raises(UserError, match=told):
      scoring.score(_request(otb, attributes=listed))


def test_what_got10k_has_not(tmp_path):
  request = scoring.ScoringRequest('got10k', tmp_path, tmp_path,
                                   attributes=tmp_path / 'att')
  with pytest.raises(UserError, match='--attributes: not used with got10k'):
    scoring.score(request)


@pytest.mark.parametrize('content', [
    b'Jogging-1: fast\n', b'Skiing\tSV\n', b'\xff\xfe\0', b'', None,
    b'Skiing\tSV\nSkiing\tIV\n'])
def test_a_list_of_others_is_no_obstacle(otb, content):
  """One that nobody asked for; see above for one that somebody names."""
  path = otb / 'otb' / 'attr_list.txt'
  path.unlink()
  if content is None:
    path.mkdir()
  else:
    path.write_bytes(content)
  summary = scoring.score(_request(otb))
  assert len(summary['sequences']) == 2 and not summary['attributes']
  (note,) = [n for n in summary['notes'] if 'attributes left out: ' in n]
  assert 'attr_list.txt' in note
  with pytest.raises(UserError, match='attr_list'):
    scoring.score(_request(otb, attributes=path))


@pytest.mark.parametrize('benchmark', ['otb', 'folder'])
def test_attributes_beside_annotation_files(tmp_path, benchmark):
  """Lists in a folder of annotation files are not sequences."""
  for name in ('Ball', 'list_of_cars'):
    _boxes(tmp_path / 'otb' / f'{name}.txt', TRUTH)
    _boxes(tmp_path / 'run' / f'{name}.txt', TRUTH)
  _write(tmp_path / 'otb' / 'attr_list.txt',
         'Ball\tIV\nlist_of_cars\tIV, OCC\n')
  for name in ('attr_desc', 'list', 'testing_set', 'tb_50', 'README'):
    _write(tmp_path / 'otb' / f'{name}.txt', 'Ball\n')
  summary = scoring.score(_request(tmp_path, benchmark))
  assert list(summary['sequences']) == ['Ball', 'list_of_cars']
  assert {a: s['num_sequences'] for a, s in summary['attributes'].items()} == {
      'IV': 2, 'OCC': 1}


def test_counts(otb):
  _boxes(otb / 'run' / 'Skiing.txt', TRUTH[:3])
  summary = scoring.score(_request(otb))
  assert 'Skiing: 3 boxes for 4 annotated frames' in ' '.join(summary['notes'])
  assert summary['sequences']['Skiing']['frames'] == 3
  assert summary['sequences']['Skiing']['annotated_frames'] == 4
  assert summary['num_frames'] == 7 and summary['num_annotated_frames'] == 8
  with pytest.raises(UserError, match='Skiing.txt: 3 result boxes but 4'):
    scoring.score(_request(otb, protocol='pysot'))
  _boxes(otb / 'run' / 'Skiing.txt', [*TRUTH, *TRUTH])
  with pytest.raises(UserError, match='Skiing.txt: 8 result boxes but 4'):
    scoring.score(_request(otb))
  (otb / 'run' / 'Skiing.txt').unlink()
  with pytest.raises(UserError, match='no result file for Skiing of 2'):
    scoring.score(_request(otb))


def test_frames_that_a_rule_leaves_out_are_not_missing(otb):
  _boxes(otb / 'otb' / 'Skiing' / 'groundtruth_rect.txt',
         [*TRUTH[:3], [np.nan] * 4])
  for protocol, frames in (('uav123_got10k', 7), ('otb_got10k', 8)):
    summary = scoring.score(_request(otb, protocol=protocol))
    assert summary['num_frames'] == frames
    assert summary['num_annotated_frames'] == frames


def test_boxes_before_the_annotated_frames(tmp_path):
  """Some tracked Tiger1 from its first image on; frames 6 to 354 count."""
  _boxes(tmp_path / 'otb' / 'Tiger1' / 'groundtruth_rect.txt',
         [TRUTH[0]] * 349)
  _boxes(tmp_path / 'run' / 'Tiger1.txt',
         [TRUTH[0] + 500] * 5 + [TRUTH[0]] * 349)
  summary = scoring.score(_request(tmp_path, protocol='pysot'))
  assert summary['precision_20'] == 1
  assert 'Tiger1: only frames 6 to 354 of 354' in ' '.join(summary['notes'])


def test_got10k(tmp_path):
  val = tmp_path / 'otb'
  _write(val / 'list.txt', 'a\n')
  _boxes(val / 'a' / 'groundtruth.txt', TRUTH)
  _write(val / 'a' / 'cover.label', '8\n8\n0\n8\n')
  _boxes(tmp_path / 'run' / 'a' / 'a_001.txt', TRUTH)
  _boxes(tmp_path / 'run' / 'a' / 'a_002.txt', TRUTH + 100)
  summary = scoring.score(_request(tmp_path, 'got10k'))
  assert summary['ao'] == summary['sr50'] == summary['sr75'] == 0.5
  assert summary['num_frames'] == 4 and summary['protocol'] == 'got10k'
  assert summary['sequences']['a']['ao'] == 0.5
  assert 'a: no meta_info.ini' in summary['notes'][0]
  json.dumps(summary, allow_nan=False)
  with pytest.raises(UserError, match='got10k; expected one of got10k'):
    scoring.score(_request(tmp_path, 'got10k', protocol='otb'))
  _boxes(val / 'a' / 'groundtruth.txt', TRUTH[:1])
  (val / 'a' / 'cover.label').unlink()
  with pytest.raises(UserError, match='a has only its first box'):
    scoring.score(_request(tmp_path, 'got10k'))


def test_lasot(tmp_path):
  """Absent frames count as lost, and the attributes lie beside."""
  folder = tmp_path / 'otb'
  _boxes(folder / 'annos' / 'cat-1.txt', TRUTH)
  _write(folder / 'absent' / 'cat-1.txt', '0\n0\n1\n1\n')
  _write(folder / 'annos' / 'att' / 'cat-1.txt',
         '1,0,0,0,0,0,0,0,0,0,0,0,0,1')
  _boxes(tmp_path / 'run' / 'cat-1.txt', [*TRUTH, *TRUTH])  # longer: cut
  summary = scoring.score(_request(tmp_path, 'lasot'))
  assert summary['protocol'] == 'lasot' and summary['precision_20'] == 0.5
  assert list(summary['attributes']) == ['ARC', 'IV']


def test_tags_of_vot_are_attributes(tmp_path):
  """The names that docs/reference/protocols.md gives."""
  truth, runs = vot_files.random_case(2, [30, 40])
  folder = vot_files.write_folder(
      tmp_path / 'vot', truth, images=False,
      tags={name: {'blur': [1] * 9} for name in truth})
  vot_files.write_results(tmp_path / 'run', {n: [r] for n, r in runs.items()})
  summary = scoring.score(
      scoring.ScoringRequest('vot2018', folder, tmp_path / 'run'))
  assert list(summary['attributes']) == ['blur', 'empty']
  assert summary['attributes']['blur']['frames'] == 18
  assert 'tags' not in summary
  assert vot.score_results(
      folder, tmp_path / 'run', 'vot2018_pysot')['tags'] == (
          summary['attributes'])


def test_names_that_differ_by_a_separator(tmp_path):
  """UAV123 has car1_1 and car11: results and attributes of each its own."""
  for name, offset in (('car1_1', 0), ('car11', 100)):
    _boxes(tmp_path / 'otb' / 'anno' / 'UAV123' / f'{name}.txt', TRUTH)
    _boxes(tmp_path / 'run' / f'{name}.txt', TRUTH + offset)
  listed = _write(tmp_path / 'list.txt', 'car1_1\tIV\n\ncar11\tOCC\n')
  summary = scoring.score(_request(tmp_path, 'uav123', attributes=listed))
  figures = {n: s['precision_20'] for n, s in summary['sequences'].items()}
  assert figures == {'car11': 0.25, 'car1_1': 1}
  assert summary['attributes']['IV']['precision_20'] == 1
  assert summary['attributes']['OCC']['precision_20'] == 0.25
  _write(listed, 'car1_1\tIV\ncar1_1\tOCC\n')
  with pytest.raises(UserError, match='car1_1 and car1_1 are the same'):
    scoring.score(_request(tmp_path, 'uav123', attributes=listed))
  # One sequence alone: the file of the other does not stand for it.
  for name in ('a-1', 'a1'):
    _boxes(tmp_path / 'otb' / f'{name}.txt', TRUTH)
  _boxes(tmp_path / 'run' / 'a-1.txt', TRUTH)
  with pytest.raises(UserError, match='no result file for a1 of 1'):
    scoring.score(_request(tmp_path, 'folder', sequences=('a1',)))


def test_unknown_names_of_vot(tmp_path):
  """As for one-pass benchmarks, one unknown name among known ones is told."""
  root = vot_files.write_folder(
      tmp_path, {'ants1': TRUTH, 'ants3': TRUTH, 'bag': TRUTH}, images=False)
  found = scoring.load_vot_sequences('vot2018', root, ['ants*', 'bag'])
  assert [s.name for s in found] == ['ants1', 'ants3', 'bag']
  with pytest.raises(UserError, match='no sequence matches bug; expected '
                     'some of ants1, ants3, bag'):
    scoring.load_vot_sequences('vot2018', root, ['ants*', 'bug'])


def test_a_part_of_a_benchmark_is_noted(tmp_path):
  """LaSOT by name, GOT-10k and VOT by number; own sequences are no part."""
  lasot = tmp_path / 'lasot'
  for name in ('cat-1', 'cat-2'):
    _boxes(lasot / 'otb' / 'annos' / f'{name}.txt', TRUTH)
    _write(lasot / 'otb' / 'absent' / f'{name}.txt', '0\n' * 4)
    _boxes(lasot / 'run' / f'{name}.txt', TRUTH)
  summary = scoring.score(_request(lasot, 'lasot'))
  assert list(summary['sequences']) == ['cat-1']
  assert summary['notes'] == [
      '1 of the 280 sequences of lasot (its test set); missing: airplane-1, '
      'airplane-13, airplane-15, airplane-9, basketball-1 and 274 more']
  assert not scoring.score(_request(
      lasot, 'lasot', sequences=('cat-1',)))['notes']
  (lasot / 'otb' / 'annos' / 'cat-1.txt').unlink()
  assert not scoring.score(_request(lasot, 'lasot'))['notes']
  got10k = tmp_path / 'got10k'
  _write(got10k / 'otb' / 'list.txt', 'a\n')
  _boxes(got10k / 'otb' / 'a' / 'groundtruth.txt', TRUTH)
  _boxes(got10k / 'run' / 'a.txt', TRUTH)
  assert '1 of the 180 sequences of got10k' in scoring.score(
      _request(got10k, 'got10k'))['notes']
  vot_files.write_folder(tmp_path / 'vot' / 'otb', {'a': TRUTH}, images=False)
  vot_files.write_results(tmp_path / 'vot' / 'run', {'a': [[[1], *TRUTH[1:]]]})
  assert scoring.score(_request(tmp_path / 'vot', 'vot2018'))['notes'] == [
      '1 of the 60 sequences of vot2018']


@pytest.mark.realdata
def test_vot2018(real_data):
  """By pysot's rule unless another is asked for; tags are attributes."""
  request = scoring.ScoringRequest(
      'vot2018', real_data / 'annotations' / 'vot2018',
      real_data / 'raw_results' / 'vot2018' / 'LightTrack')
  summary = scoring.score(request)
  assert summary['protocol'] == 'vot2018_pysot'
  assert round(summary['eao'], 4) == 0.4182 and summary['failures'] == 38
  assert 'occlusion' in summary['attributes']
  json.dumps(summary, allow_nan=False)
  few = scoring.score(dataclasses.replace(
      request, sequences=('ants*', 'zebrafish1'), protocol='vot-toolkit'))
  assert list(few['sequences']) == ['ants1', 'ants3', 'zebrafish1']
  assert few['protocol'] == 'vot2018_vot-toolkit'
  for wrong, words in (({'shift': 1.0}, '--shift: not used with vot2018'),
                       ({'sequences': ('a',)}, 'no sequence matches a'),
                       ({'protocol': 'otb'}, 'expected pysot or vot-toolkit')):
    with pytest.raises(UserError, match=words):
      scoring.score(dataclasses.replace(request, **wrong))
