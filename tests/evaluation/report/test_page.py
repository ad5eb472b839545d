"""The whole report: its files, that it is safe, and what is refused."""

import base64
import csv
import functools
import json
import re

import matplotlib.figure
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.report import page, radar, rules, vot_plots
from siamkpn_jax.evaluation.report.comparison import rows as ranked
from siamkpn_jax.evaluation.report.entries import make_entry, read_entry
from siamkpn_jax.evaluation.report.failure_strips import FailureStrip
from siamkpn_jax.evaluation.report.write import write_report
from tests.evaluation.report import summaries
from tests.evaluation.report.summaries import HOSTILE, entries
from tests.evaluation.report.test_failure_strips import write_otb
from tests.training.pages import Page


class _Page(Page):
  VOID = ('meta', 'img')

  def handle_data(self, data):
    if self.open and self.open[-1] != 'script':
      super().handle_data(data)


def _report(folder, **found):
  path = write_report(found, folder)
  assert path == folder / 'report.html'
  return path.read_text(encoding='utf-8')


OTB = {'runs', 'comparison', 'variants', 'attributes', 'sequences'}
CURVES = {'success', 'precision', 'norm_precision', 'attributes'}


@pytest.mark.parametrize(('summary', 'tables', 'plots'), [
    (summaries.one_pass(), OTB, CURVES),
    (summaries.one_pass(attributes={}), OTB - {'attributes'},
     CURVES - {'attributes'}),
    (summaries.vot(), OTB,
     {'eao_ranking', 'eao_speed', 'eao_curve', 'attributes'}),
    (summaries.vot(eao=None, attributes={}, eao_curve=[1.0, None]),
     OTB - {'attributes'}, {'eao_curve'}),
    (summaries.got10k(), OTB - {'attributes'}, {'success'})])
def test_files(tmp_path, summary, tables, plots):
  text = _report(tmp_path / 'new', Mine=summary)
  files = {path.name for path in (tmp_path / 'new').iterdir()}
  assert files == {'report.html', *(f'{t}.csv' for t in tables),
                   *(f'{t}.tex' for t in tables), *(f'{p}.png' for p in plots)}
  page = _Page(text)
  assert page.tags.count('table') == len(tables)
  # The pictures of the page are those of the files.
  embedded = re.findall(r'src="data:image/png;base64,([^"]*)"', text)
  assert {base64.b64decode(data) for data in embedded} == {
      (tmp_path / 'new' / f'{p}.png').read_bytes() for p in plots}
  assert '--sequences=DATA' in text  # what would add the failure strips


def test_another_report_in_the_same_folder(tmp_path):
  """No file of the earlier one stays, whatever kind both are of."""
  def files(folder):
    return {path.name for path in folder.iterdir()}

  kinds = (summaries.one_pass(), summaries.vot(),
           summaries.got10k(), summaries.one_pass(attributes={}))
  for n, summary in enumerate(kinds):
    _report(tmp_path / f'{n}', A=summary)
    _report(tmp_path / 'same', A=summary)
    assert files(tmp_path / 'same') == files(tmp_path / f'{n}')
    (tmp_path / 'same' / 'failure_3_Car_1.png').touch()
  (tmp_path / 'same' / 'failure_1_Ball.png').touch()
  own = {'failure_log.png', 'failure_9_a.png', 'success.txt', 'scores.json'}
  for name in own:
    (tmp_path / 'same' / name).touch()
  before = files(tmp_path / 'same')
  with pytest.raises(UserError, match='protocol'):  # nothing is touched
    write_report({'A': kinds[0], 'B': kinds[0] | {'protocol': 'pysot'}},
                 tmp_path / 'same')
  assert files(tmp_path / 'same') == before
  _report(tmp_path / 'same', A=kinds[-1])
  assert files(tmp_path / 'same') == files(tmp_path / '3') | own


def test_files_that_no_report_wrote_stay(tmp_path):
  (tmp_path / 'attributes.csv').write_text('mine')
  _report(tmp_path, A=summaries.got10k())
  assert (tmp_path / 'attributes.csv').read_text() == 'mine'


def test_nothing_from_elsewhere(tmp_path):
  text = _report(tmp_path, A=summaries.one_pass(), B=summaries.one_pass())
  assert text.startswith('<!DOCTYPE html>')
  assert ('content', 'width=device-width, initial-scale=1') in (
      _Page(text).attributes)
  assert 'prefers-color-scheme: dark' in text
  rest = re.sub('base64,[^"]*', '', text)
  for word in ('http', '//', 'href', 'url(', '@import', '<link', '<iframe',
               'fetch', 'import('):
    assert word not in rest, word
  assert rest.count('src=') == rest.count('src="data:image/')


def test_hostile_names(tmp_path):
  """From a file they reach the page, the tables and the plots as text."""
  bad = summaries.one_pass(
      protocol=f'{HOSTILE}$\\x$', rule=HOSTILE, notes=[HOSTILE],
      weights=HOSTILE, hardware=HOSTILE, results=HOSTILE, frames_per_second=30,
      sequences={HOSTILE: {'success_auc': 0.5, 'frames': 3},
                 '../../up': {'success_auc': 0.6}, 'a\nb\ud800': {}},
      attributes={HOSTILE + str(k): {'success_auc': 0.5, 'num_sequences': 1}
                  for k in range(3)})
  long = f'_$\\frac{{{HOSTILE * 40}'
  text = write_report({HOSTILE: bad, long: bad}, tmp_path / 'new',
                      commands=[HOSTILE]).read_text(encoding='utf-8')
  page = _Page(text)
  assert page.tags.count('script') == 1  # its own
  assert page.texts.count(HOSTILE) >= 6
  assert 'alert(1)</script>' not in text
  assert not any(value and 'alert' in value and name != 'alt'
                 for name, value in page.attributes)
  with (tmp_path / 'new' / 'sequences.csv').open(encoding='utf-8') as file:
    names = [row[0] for row in csv.reader(file)]
  assert names[1:] == [HOSTILE, '../../up', 'a b?']
  assert {p.name for p in tmp_path.iterdir()} == {'new'}


def test_hostile_strips():
  """Names of sequences stand in the pictures' texts, too."""
  (entry,) = entries(A=summaries.one_pass())
  nothing = np.full((1, 4, 2), np.nan)
  strip = FailureStrip(HOSTILE, HOSTILE, (), np.arange(1), -1, nothing, nothing)
  drawn = strip, [np.zeros((2, 2, 3), np.uint8)]
  text = '\n'.join(page._failures(entry, [drawn], [HOSTILE]))
  shown = _Page(text)
  assert shown.texts.count(HOSTILE) == 3
  assert ('alt', f'{HOSTILE}, frame 1') in shown.attributes
  assert 'script' not in shown.tags


def test_what_was_scored(tmp_path):
  text = _report(tmp_path, Mine=summaries.one_pass(
      count=3, weights='runs/kpn3s', hardware='a fast one', shift=1.0,
      frames_per_second=123.44, frames_per_second_end_to_end=61.06))
  texts = _Page(text).texts
  for word in ('runs/kpn3s', 'a fast one', '123.4', '61.1', 'Mine: one note',
               '3 of 100 sequences: not comparable'):
    assert word in texts, word
  assert 'The box of the first frame is taken from the annotation' in text
  (commands,) = re.findall('<pre>(.*?)</pre>', text, re.S)
  assert commands == (
      'python -m siamkpn_jax.score --benchmark otb --annotations DATA '
      '--results RUN --protocol otb --shift=1 --sequences S0,S1,S2 --json '
      'scores.json')


def test_the_command_names_what_was_scored():
  """Unless it is the whole benchmark: of others nobody knows how many."""
  command = lambda **changes: rules.score_command(
      *entries(A=summaries.one_pass(**changes)))
  assert '--sequences' not in command()
  for changes in ({'count': 99}, {'benchmark': 'folder', 'count': 4}):
    assert '--sequences S0,S1,S2,S3 ' in command(**changes)


@pytest.mark.parametrize(('protocol', 'words'), [
    ('pysot', "The box of the first frame is the result&#x27;s; an invalid "
     'result box counts as a miss (in precision only with NaN); a frame whose '
     'target is marked as absent counts as a miss'),
    ('lasot', 'is replaced by the previous box; a frame'),
    ('uav123_got10k', 'Frames with NaN in the annotation are skipped'),
    ('of next year', 'of next year')])
def test_protocol_in_words(tmp_path, protocol, words):
  assert words in _report(tmp_path, A=summaries.one_pass(protocol=protocol))


@pytest.mark.parametrize(('protocol', 'window', 'last', 'average'), [
    ('vot2018_pysot', '100 to 356', 'x + w', 'all frames'),
    ('vot2016_pysot', '108 to 371', 'x + w', 'all frames'),
    ('vot2019_vot-toolkit', '46 to 291', 'x + w - 1',
     'sequences, weighted by length')])
def test_supervised_protocol_in_words(tmp_path, protocol, window, last,
                                      average):
  """As docs/reference/protocols.md compares them."""
  text = _report(tmp_path, A=summaries.vot(
      benchmark=protocol.partition('_')[0], protocol=protocol))
  for words in (
      'is restarted 5 frames later',
      'without the first 10 frames after each start',
      f'on sequences of {window} frames.',
      f'A rectangle extends to pixel {last}; accuracy is averaged over '
      f'{average}.'):
    assert words in text, words


def _draw(monkeypatch, save, *what):
  """The axes of a plot."""
  drawn = []
  monkeypatch.setattr(matplotlib.figure.Figure, 'savefig',
                      lambda self, path: (drawn.append(self),
                                          path.write_bytes(b'')))
  save(*what, 'title')
  return drawn[0].axes[0]


def test_radar(tmp_path, monkeypatch):
  """A line for each tracker, over the attributes that all have."""
  def scored(auc, **values):
    return summaries.one_pass(auc=auc, attributes={
        name: {'success_auc': value, 'num_sequences': 3 * k}
        for k, (name, value) in enumerate(values.items(), start=1)})

  found = entries(Best=scored(0.61, IV=0.7, OCC=0.4, OUT_OF_VIEW=0.6),
                  Next=scored(0.5, IV=0.2, OCC=0.75, OUT_OF_VIEW=0.3, SV=0.9))
  axes = _draw(monkeypatch, radar.save_radar, tmp_path / 'a.png', found)
  lines = {line.get_label(): line.get_data() for line in axes.lines}
  assert list(lines) == ['Best [0.610]', 'Next [0.500]']
  values = [y.tolist() for _, y in lines.values()]
  assert values == [[0.7, 0.4, 0.6, 0.7], [0.2, 0.75, 0.3, 0.2]]
  names = [label.get_text() for label in axes.get_xticklabels()]
  assert names == ['IV\n(3)', 'OCC\n(6)', 'OUT OF VIEW\n(9)']
  spokes = np.radians([0, 120, 240])
  np.testing.assert_allclose(axes.get_xticks(), spokes)
  for x, _ in lines.values():
    np.testing.assert_allclose(x, [*spokes, 2 * np.pi])
  assert axes.get_ylim() == (0, 0.8)
  assert len({line.get_color() for line in axes.lines}) == 2


def test_ranking(tmp_path, monkeypatch):
  found = ranked(entries(Best=summaries.vot(eao=0.5),
                         Part=summaries.vot(count=9, eao=0.41)))
  axes = _draw(monkeypatch, vot_plots.save_ranking, tmp_path / 'a.png', found)
  names = [label.get_text() for label in axes.get_yticklabels()]
  assert names[:6] == ['Best', 'DiMP-50', 'SiamKPN-3s', 'SiamRPN++', 'Part',
                       'ATOM']
  assert names[-1] == 'SiamFC'
  dots = [line for line in axes.lines if line.get_marker() == 'o']
  assert [float(dot.get_xdata()[0]) for dot in dots][:5] == [
      0.5, 0.44, 0.44, 0.414, 0.41]
  hollow = [dot.get_markerfacecolor() == 'white' for dot in dots]
  assert [n for n, is_hollow in enumerate(hollow) if is_hollow] == [4]


def test_speed(tmp_path, monkeypatch):
  found = entries(Fast=summaries.vot(frames_per_second=300.0),
                  Unknown=summaries.vot())
  axes = _draw(monkeypatch, vot_plots.save_speed, tmp_path / 'a.png', found,
               ranked(found))
  assert axes.get_xscale() == 'log'
  dots = {(float(line.get_xdata()[0]), float(line.get_ydata()[0]))
          for line in axes.lines if line.get_marker() == 'o'}
  assert dots == {(24, 0.44), (32, 0.428), (40, 0.413), (300, 0.42)}
  assert [list(line.get_xdata()) for line in axes.lines
          if line.get_marker() != 'o'] == [[20, 20]]
  low, high = axes.get_xlim()
  assert low < 20
  assert high > 300
  assert vot_plots.speed_note(found) == (
      'Published speeds: GTX 1080 Ti. Fast: unknown hardware. Speed '
      'unknown: Unknown.')


@pytest.mark.parametrize(('protocol', 'first'), [
    ('vot2018_pysot', 1), ('vot2018_vot-toolkit', 0)])
def test_eao_curve(tmp_path, monkeypatch, protocol, first):
  """The mean over the shaded window is the EAO of the rule."""
  found = entries(A=summaries.vot(protocol=protocol))
  axes = _draw(monkeypatch, vot_plots.save_curves, tmp_path / 'a.png', found)
  x, y = axes.lines[0].get_data()
  assert (x[0], len(x)) == (first, 401)
  assert np.isnan(y[-1])
  window = axes.patches[0].get_bbox()
  assert (window.x0, window.x1) == (100, 356)


@pytest.mark.parametrize(('changes', 'message'), [
    ({'benchmark': 'chess'}, "benchmark 'chess'"),
    ({'benchmark': ['otb']}, 'TypeError'),
    ({'protocol': 7}, 'no text'),
    ({'num_sequences': 0}, 'num_sequences 0'),
    ({'num_sequences': 'many'}, 'num_sequences'),
    ({'sequences': [1, 2]}, 'AttributeError'),
    ({'success_auc': float('nan')}, 'success_auc is nan'),
    ({'num_frames': 10 ** 400}, 'OverflowError'),
    ({'precision_curve': [1.0, 0.5]}, 'a curve of 2 points'),
    ({'success_curve': ['a']}, 'ValueError'),
    ({'success_auc': None, 'precision_20': None, 'norm_precision': None},
     'no success_auc')])
def test_damaged_scores(changes, message):
  with pytest.raises(UserError, match='not the scores of a benchmark') as e:
    make_entry('A', summaries.one_pass() | changes, 'scores.json')
  assert message in str(e.value)
  assert str(e.value).startswith('scores.json: ')


@pytest.mark.parametrize('text', [
    '', '[]', '7', '{"benchmark"', '[' * 10 ** 5,
    '{"benchmark": ' + '[' * 500 + ']' * 500 + '}',
    '{"benchmark": "otb", "protocol": "otb", "num_sequences": 1' + '0' * 400 +
    '}', '{"benchmark": Infinity}'])
def test_no_json_object(tmp_path, text):
  (tmp_path / 'a.json').write_text(text)
  with pytest.raises(UserError, match=r'a\.json: cannot be .*score again'):
    read_entry('A', tmp_path / 'a.json')


@pytest.mark.parametrize('text', ['{}', '{"benchmark": "otb"}'])
def test_other_files(tmp_path, text):
  (tmp_path / 'a.json').write_text(text)
  with pytest.raises(UserError, match=r'a\.json: not .*score again'):
    read_entry('A', tmp_path / 'a.json')


@pytest.mark.parametrize(('other', 'message'), [
    (summaries.vot(), 'benchmark vot2018, A on benchmark otb'),
    (summaries.one_pass(protocol='pysot'),
     'protocol pysot, A on protocol otb')])
def test_what_must_not_be_compared(tmp_path, other, message):
  with pytest.raises(UserError, match=message):
    write_report({'A': summaries.one_pass(), 'B': other}, tmp_path / 'new')
  assert not (tmp_path / 'new').exists()
  with pytest.raises(UserError, match='empty or duplicate'):
    write_report({'A': other, ' A': other}, tmp_path / 'new')
  with pytest.raises(UserError, match='at least one'):
    write_report({}, tmp_path / 'new')


@pytest.fixture
def compare(command):
  return functools.partial(command, 'compare')


def test_command(compare, tmp_path):
  """From result files to the page, with a strip of the failure."""
  for name, lost in (('Good', 20), ('Bad', 6)):
    write_otb(tmp_path, name, 20, lost)
  summary = scoring.score(scoring.ScoringRequest('otb', tmp_path / 'otb',
                                          tmp_path / 'run'))
  (tmp_path / 'a.json').write_text(json.dumps(summary))
  done = compare('--scores', f'A & B={tmp_path / "a.json"}', '--output',
                  tmp_path / 'out', '--sequences', tmp_path / 'otb')
  assert done.returncode == 0, done.stderr
  assert done.stdout == f'wrote {tmp_path}/out/report.html\n'
  text = (tmp_path / 'out' / 'report.html').read_text()
  assert "--scores &#x27;A &amp; B=" in text
  assert text.index('Bad, frame 7') < text.index('Good, frame 1')
  assert (tmp_path / 'out' / 'failure_1_Bad.png').is_file()
  assert 'lost in frame 7 of 20' in text


@pytest.mark.parametrize(('flags', 'message'), [
    ((), '--scores'),
    (('--scores', 'a.json'), 'expected NAME=FILE'),
    (('--scores', '=a.json'), 'expected NAME=FILE'),
    (('--scores', 'A=nowhere.json'), 'nowhere.json')])
def test_wrong_flags(compare, tmp_path, flags, message):
  done = compare(*flags, '--output', tmp_path / 'out')
  assert done.returncode == 2
  assert message in done.stderr
  assert len(done.stderr.splitlines()) == 1
  assert not (tmp_path / 'out').exists()


@pytest.mark.realdata
def test_real_results(tmp_path, real_data):
  """KCF on OTB-100, with the failure strips of the sequences that are there."""
  summary = scoring.score(scoring.ScoringRequest(
      'otb', real_data / 'annotations' / 'otb100',
      real_data / 'raw_results' / 'otb100' / 'kcf'))
  path = write_report({'KCF': json.loads(json.dumps(summary))}, tmp_path,
                      sequences=real_data / 'sequences')
  with (tmp_path / 'comparison.csv').open(encoding='utf-8') as file:
    rows = {row['tracker']: row for row in csv.DictReader(file)}
  assert rows['KCF']['success AUC ↑'] == '0.478'
  assert 'remark' not in rows['KCF']
  assert [*rows] == ['SiamKPN-3s', 'SiamKPN-3s-without-decay', 'SiamKPN-2s',
                     'SiamKPN-1s', 'KCF']
  strips = sorted(p.name for p in tmp_path.glob('failure_*.png'))
  assert strips[0] == 'failure_1_Skiing.png'
  assert len(strips) == 5
  assert path.stat().st_size < 3e6
