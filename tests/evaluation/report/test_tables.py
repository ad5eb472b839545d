"""Tables: their numbers, marks and order, and every form they are written in.
"""

import csv
import io
import math
import re

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.report import comparison, details, measures, tables
from siamkpn_jax.evaluation.report.tables import Table
from tests.evaluation.report import summaries
from tests.evaluation.report.summaries import HOSTILE, entries
from tests.training.pages import Page


def _rows(table):
  return {row[0]: dict(zip(table.head, row, strict=True))
          for row in table.rows}


def _marked(table, column):
  """Tracker -> mark in the column of this name."""
  k = [name.split()[0] for name in table.head].index(column)
  return {table.rows[n][0]: mark for (n, c), mark in table.marks.items()
          if c == k}


def test_vot_table():
  """Numbers win where the paper's print marks others: .606, .602, .600."""
  table = comparison.table(entries(Mine=summaries.vot(eao=0.4404)))
  assert [row[0] for row in table.rows][:4] == [
      'Mine', 'DiMP-50', 'SiamKPN-3s', 'SiamRPN++']  # equal as shown
  assert len(table.rows) == 16
  row = _rows(table)['Mine']
  assert row['EAO ↑'] == '0.440'
  assert row['robustness ↓'] == '0.178'  # 100 * 38 / 21356
  assert row['sequences'] == '60'
  assert 'remark' not in row
  assert _marked(table, 'EAO') == {'Mine': 'b', 'DiMP-50': 'b',
                                   'SiamKPN-3s': 'b'}
  assert _marked(table, 'accuracy') == {'SiamKPN-3s': 'b', 'SiamMask': 'i',
                                        'SiamRPN++': 'u'}
  assert _marked(table, 'robustness') == {'MFT': 'b', 'DiMP-50': 'i',
                                          'RCO': 'u'}
  assert _marked(table, 'failures') == {}  # nobody else tells
  assert _marked(table, 'tracker') == {'Mine': 'strong'}


def test_part_is_not_comparable():
  """It is in its place, and takes nobody else's mark."""
  table = comparison.table(entries(Part=summaries.one_pass(
      'lasot', 'lasot', count=279, auc=0.9)))
  assert table.rows[0][0] == 'Part'
  assert _rows(table)['Part']['remark'] == (
      '279 of 280 sequences: not comparable')
  assert _marked(table, 'success') == {'DiMP-50': 'b', 'ATOM': 'i',
                                       'SiamKPN-3s': 'u'}
  assert _marked(table, 'precision') == {'DiMP-50': 'b', 'SiamKPN-3s': 'i',
                                         'ATOM': 'u'}
  assert table.facts['scored sequences'] == '279 of 280'
  assert _rows(table)['ATOM']['remark'] == ''
  assert any('not ranked' in note for note in table.notes)
  assert 'Part: 279 of 280 sequences: not comparable.' in table.notes


def test_short_results_are_not_comparable():
  """A score of the first frames alone is high, and wins nothing."""
  cut = summaries.one_pass(auc=0.952, num_frames=100,
                           num_annotated_frames=59035)
  whole = summaries.one_pass(num_frames=59035, num_annotated_frames=59035)
  table = comparison.table(entries(Cut=cut, Whole=whole))
  rows = _rows(table)
  assert rows['Cut']['remark'] == '100 of 59035 frames: not comparable'
  assert rows['Whole']['remark'] == ''
  assert 'Cut' not in _marked(table, 'success')
  assert _marked(table, 'success')['SiamKPN-3s'] == 'b'
  # Among ourselves, too.
  own = {'benchmark': 'nfs', 'protocol': 'otb_got10k'}
  table = comparison.table(entries(Cut=cut | own, Whole=whole | own))
  assert _marked(table, 'success') == {'Whole': 'b'}


@pytest.mark.parametrize(('summary', 'comparable'), [
    (summaries.one_pass(protocol='otb', auc=0.9), True),
    (summaries.one_pass(protocol='otb_got10k', auc=0.9), True),
    (summaries.one_pass(protocol='pysot', auc=0.9), True),
    (summaries.one_pass(protocol='lasot', auc=0.9), False),
    (summaries.one_pass(protocol='uav123_got10k', auc=0.9), False),
    (summaries.one_pass('lasot', 'lasot', count=280, auc=0.9), True),
    (summaries.one_pass('lasot', 'otb_got10k', count=280, auc=0.9), False),
    (summaries.vot(eao=0.9), True),
    (summaries.vot(eao=0.9, protocol='vot2018_vot-toolkit'), False)])
def test_numbers_of_other_rules_are_not_comparable(summary, comparable):
  table = comparison.table(entries(Mine=summary))
  assert table.rows[0][0] == 'Mine'
  remark = f'protocol {summary["protocol"]}: not comparable'
  assert _rows(table)['Mine'].get('remark', '') == (
      '' if comparable else remark)
  # The first figure of ours, and of the best published one.
  assert table.marks.get((0, 1)) == ('b' if comparable else None)
  assert table.marks[1, 1] == ('i' if comparable else 'b')


def test_validation_set_is_not_the_test_set():
  table = comparison.table(entries(Mine=summaries.got10k()))
  assert 'validation set' in _rows(table)['Mine']['remark']
  assert _marked(table, 'SR') == {'DiMP-50': 'b', 'ATOM': 'i',
                                  'SiamRPN++': 'u'}


def test_trackers_on_other_sequences_are_not_ranked():
  """As many, but each without one that the other has."""
  a, b = (summaries.one_pass('nfs', 'otb_got10k', 4, auc) for auc in (0.5, 0.6))
  assert _marked(comparison.table(entries(a=a, b=b)), 'success')
  b['sequences']['T'] = b['sequences'].pop('S2')
  table = comparison.table(entries(a=a, b=b))
  assert not _marked(table, 'success')
  assert any('not comparable with each other' in note for note in table.notes)


def test_numbers_that_no_score_has():
  for key, value in (('success_auc', 1e12), ('frames_per_second', 1e308),
                     ('num_frames', 1e13)):
    with pytest.raises(UserError, match=key):
      entries(a=summaries.one_pass(**{key: value}))


def test_without_published_results():
  table = comparison.table(entries(A=summaries.one_pass('nfs', 'otb_got10k'),
                                   B=summaries.one_pass('nfs', auc=0.6)))
  assert [row[0] for row in table.rows] == ['B', 'A']
  assert _marked(table, 'success') == {'B': 'b', 'A': 'i'}
  assert 'remark' not in table.head


@pytest.mark.parametrize(('values', 'expected'), [
    ([3, 1, 2, 0], {0: 0, 2: 1, 1: 2}),
    ([2, 2, 1, 0], {0: 0, 1: 0, 2: 2}),
    ([1, 1, 1, 1], {0: 0, 1: 0, 2: 0, 3: 0}),
    ([math.nan, 1, math.nan], {1: 0})])
def test_places(values, expected):
  assert comparison.places(values, measures.EAO) == expected
  negative = [-value for value in values]
  assert comparison.places(negative, measures.FAILURES) == expected


def test_robustness_of_another_toolkit():
  """Failures per sequence there: the same unit in all tables."""
  (entry,) = entries(A=summaries.vot(protocol='vot2018_vot-toolkit',
                                     robustness=0.63))
  assert entry.figures['robustness'] == pytest.approx(100 * 38 / 21356)
  assert entry.sequences['v3']['robustness'] == pytest.approx(1.5)


def test_details():
  one, two = entries(A=summaries.vot(), B=summaries.vot(
      sequences={'v1': {'accuracy': 0.25, 'failures': 7.0, 'frames': 200}}))
  table = details.sequences([one, two])
  assert [row[0] for row in table.rows] == ['v3', 'v2', 'v1', 'v0']
  assert _rows(table)['v1']['B fail.'] == '7.0'
  assert _rows(table)['v2']['B fail.'] == '-'
  table = details.attributes([one, two])
  assert _rows(table)['c'] == {
      'attribute': 'c', 'frames': '20', 'A EAO': '0.320', 'A A': '0.500',
      'A fail.': '1.0', 'B EAO': '0.320', 'B A': '0.500', 'B fail.': '1.0'}
  assert details.attributes(entries(A=summaries.got10k())) is None
  # Nothing is known of a: it comes last.
  assert [row[0] for row in details.sequences(
      entries(A=summaries.got10k())).rows] == ['b', 'a']


def _hostile(rows=1):
  return Table('t', f'Title {HOSTILE}', ('name', 'a, "b"', HOSTILE),
               ((HOSTILE, '1.0', '-'),) * rows, {'benchmark': HOSTILE},
               (f'note {HOSTILE}',), marks={(0, 0): 'b'})


def test_html_is_escaped():
  text = tables.to_html(_hostile())
  page = Page(text)
  assert 'script' not in page.tags
  assert page.texts.count(HOSTILE) == 2  # a head and a cell
  assert '<b>&lt;script&gt;' in text


def test_csv_round_trip():
  table = _hostile()
  rows = list(csv.reader(io.StringIO(tables.to_csv(table))))
  assert rows == [['name', 'a, "b"', HOSTILE, 'benchmark'],
                  [HOSTILE, '1.0', '', HOSTILE]]
  for made in (comparison.table(entries(A=summaries.vot())),
               details.sequences(entries(A=summaries.vot()))):
    head, *rows = csv.reader(io.StringIO(tables.to_csv(made)))
    assert len(set(head)) == len(head)
    assert tuple(row[0] for row in rows) == tuple(r[0] for r in made.rows)


@pytest.mark.parametrize(('cell', 'written'), [
    ('=1+1', "'=1+1"), ('+cmd', "'+cmd"), ('-x', "'-x"), ('@a', "'@a"),
    ('\t=1', "'\t=1"), ('\r=1', "' =1"), (' =1', "' =1"),
    ('\uff1d1', "'\uff1d1"),
    ('-1-2', "'-1-2"), ('-0.5', '-0.5'), ('+1e-3', '+1e-3'), ('-', ''),
    ('a=1', 'a=1'), ("'a", "'a"), ('-1\n', "'-1 ")])
def test_csv_has_no_formulas(cell, written):
  """A spreadsheet would compute what the name of a tracker says."""
  table = Table('t', 'T', ('name', cell), ((cell, cell),), {cell: cell})
  head, row = csv.reader(io.StringIO(tables.to_csv(table), newline=''))
  assert row == [written] * 3
  assert cell == '-' or head == ['name', written, written]


@pytest.mark.parametrize('rows', [1, 60])
@pytest.mark.parametrize('name', ['[1cm] a', '*', '*[2ex]', ' [a', '[=]'])
def test_latex_takes_no_name_for_an_option(name, rows):
  """The row above ends with a command that takes one."""
  text = tables.to_latex(Table('t', 'T', (name, 'b'), ((name, '1'),) * rows,
                               {}))
  lines = [line for line in text.splitlines() if '&' in line]
  assert len(lines) == rows + 1
  assert all(line.startswith('{}' + name) for line in lines)


def test_csv_tells_no_facts_of_published_rows():
  text = tables.to_csv(comparison.table(entries(Mine=summaries.one_pass(
      count=30))))
  rows = {row['tracker']: row for row in csv.DictReader(io.StringIO(text))}
  assert len(rows) == 5
  facts = ('benchmark', 'protocol', 'scored sequences')
  assert [rows['Mine'][fact] for fact in facts] == ['OTB', 'otb', '30 of 100']
  theirs = rows['SiamKPN-3s']
  assert [theirs[fact] for fact in facts] == ['', '', '']
  assert theirs['sequences'] == '100'
  assert theirs['protocol or source'] == 'Tables 4 and 5 of the SiamKPN paper'


@pytest.mark.parametrize('rows', [1, 60])
def test_latex(rows):
  text = tables.to_latex(_hostile(rows))
  begun = re.findall(r'\\begin\{(\w+)\}', text)
  assert begun == re.findall(r'\\end\{(\w+)\}', text)[::-1]
  assert begun == (['longtable'] if rows == 60 else ['table', 'tabular'])
  for rule in ('toprule', 'midrule', 'bottomrule'):
    assert text.count(f'\\{rule}') == 1
  # Without what is escaped, only LaTeX's own is left.
  comment, _, text = text.partition('\n')
  assert comment.startswith('% ')
  plain = re.sub(r'\\[{}$&#_%]', '', text)
  assert plain.count('{') == plain.count('}')
  assert not re.search('[#_^~<>$%]', plain)
  lines = [line for line in plain.splitlines() if line.endswith('\\\\')
           and not line.startswith('\\caption')]
  assert len(lines) == rows + 1
  assert {line.count('&') for line in lines} == {2}
  assert '\\textbf{\\textless{}script' in text


def test_latex_of_real_tables():
  text = tables.to_latex(comparison.table(entries(Mine=summaries.vot())))
  assert r'EAO $\uparrow$' in text
  assert (r'DiMP-50 & \textbf{0.440} & 0.597 & \textit{0.153} & - & 60 & '
          r'Table 1 of the SiamKPN paper \\') in text
  assert r'\begin{tabular}{lrrrrrl}' in text
