"""The curves on the page of a run are those of its log."""

import re
import time

import numpy as np
import pytest

from siamkpn_jax.training.curves import image, running_mean, thin
from siamkpn_jax.training.report import write_report
from tests.training.pages import (
    TASKS,
    TITLES,
    Page,
    figures,
    lines,
    make_rows,
    numbers,
    page_of,
    panels,
    write_run,
)


def test_curves_are_those_of_the_log(tmp_path):
  rows = make_rows()
  drawn, shown = figures(rows), panels(page_of(tmp_path, rows))
  assert list(drawn) == list(shown) == TITLES
  steps = [row['step'] for row in rows]
  for title, names in {
      'total loss': ['loss'], 'learning rate': ['learning_rate'],
      'gradient norm': ['grad_norm'], 'skipped steps': ['skipped'],
      'pairs per second': ['pairs_per_second'],
      **{f'{t} loss': [f'stage{s}/{t}' for s in (1, 2, 3)]
         for t in TASKS}}.items():
    exact = title in ('learning rate', 'skipped steps')
    found = lines(drawn[title], 'strong' if exact else 'faint')
    assert len(found) == len(names)
    for line, name in zip(found, names, strict=True):
      np.testing.assert_array_equal(
          line, np.stack([steps, [row[name] for row in rows]], 1))
    assert image(title, drawn[title]) in shown[title]
  for task in TASKS:
    labels = re.findall('<span class="c(.)">(.*?)</span>',
                        shown[f'{task} loss'])
    assert labels == [('0', 'stage 1'), ('1', 'stage 2'), ('2', 'stage 3')]
    colors = [line.get_color() for line in drawn[f'{task} loss'].axes[0].lines]
    assert len(set(colors)) == 3  # a color for a stage, of both its lines


def test_running_mean():
  rows = make_rows()
  (line,) = lines(figures(rows)['total loss'], 'strong')
  values = [row['loss'] for row in rows]
  np.testing.assert_allclose(
      line[:, 1], [np.mean(values[max(0, k - 8):k + 1]) for k in range(40)])


def test_axes():
  """From 0 to the last step, and from 0; the largest value is inside."""
  rows = make_rows()
  axes = figures(rows)['total loss'].axes[0]
  assert axes.get_xlim() == (0, 200) and axes.get_yscale() == 'linear'
  low, high = axes.get_ylim()
  assert low == 0 and high > max(row['loss'] for row in rows)
  rows[7]['val_x'] = -3.0
  assert figures(rows)['val_x'].axes[0].get_ylim()[0] < -3


def test_logarithmic_axis():
  """One value far above the others does not flatten them."""
  rows = make_rows()
  rows[7]['grad_norm'] = 2e5
  assert figures(rows)['gradient norm'].axes[0].get_yscale() == 'log'
  rows[8]['grad_norm'] = 0.0  # which has no logarithm
  assert figures(rows)['gradient norm'].axes[0].get_yscale() == 'linear'


@pytest.mark.parametrize('bad', [
    float('nan'), float('inf'), float('-inf'), 1e308, None, 'text'])
def test_not_finite_is_a_gap(tmp_path, bad):
  rows = make_rows()
  gaps = [10, 11, 30, 39]
  for k in gaps:
    rows[k]['loss'] = bad
  rows[20]['grad_norm'], rows[21]['grad_norm'] = 2e5, bad  # on a log scale
  page, drawn = page_of(tmp_path, rows), figures(rows)
  assert 'gaps: non-finite values (4)' in panels(page)['total loss']
  for kind in ('faint', 'strong'):
    (line,) = lines(drawn['total loss'], kind)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(line[:, 1])), gaps)
    (line,) = lines(drawn['gradient norm'], kind)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(line[:, 1])), [21])
  assert 'gaps' not in panels(page)['size loss']
  good = [rows[k]['loss'] for k in range(40) if k not in gaps]
  assert numbers(page)['loss'][1:] == [
      '200', f'{min(good):.4g}', f'{max(good):.4g}']


def test_nothing_finite(tmp_path):
  rows = [row | {'loss': float('nan')} for row in make_rows()]
  page = page_of(tmp_path, rows)
  Page(page)
  assert 'total loss' in panels(page)
  assert numbers(page)['loss'] == ['nan', '200', 'nan', 'nan']


@pytest.mark.parametrize('step', [0, 1])
def test_one_row(step):
  """A single value is a dot: a line would not be seen."""
  drawn = figures([make_rows(1)[0] | {'step': step}])
  assert list(drawn) == TITLES
  for figure in drawn.values():
    assert figure.axes[0].lines[0].get_marker() == 'o'


def test_long_log(tmp_path):
  """100 000 rows: a small page, soon, with every spike and gap."""
  (row,) = make_rows(1)
  count = 100_000
  values = 1 + np.random.default_rng(0).random((2, count))
  values[0, 12_345], values[0, 67_891] = 4.0, float('nan')
  rows = [row | {'step': k + 1, 'loss': a, 'stage2/size': b}
          for k, (a, b) in enumerate(values.T.tolist())]
  write_run(tmp_path, rows)
  start = time.process_time()
  page = write_report(tmp_path).read_text()
  assert time.process_time() - start < 20
  assert len(page) < 1_500_000
  (line,) = lines(figures(rows)['total loss'], 'faint')
  assert len(line) <= 1000
  assert [12_346, 4.0] in line.tolist() and line[-1, 0] == count
  assert line[np.isnan(line[:, 1]), 0].tolist() == [67_892]


@pytest.mark.parametrize('count', [0, 1, 999, 1000, 1001, 1400, 54_321])
def test_thin(count):
  values = np.random.default_rng(count).normal(size=count)
  values[count // 2:count // 2 + count // 5] = np.nan
  kept = thin(values)
  assert len(kept) == count if count <= 1000 else 600 < len(kept) <= 1000
  assert (np.diff(kept) > 0).all()
  if count:
    assert kept[-1] == count - 1
    assert {np.nanargmin(values), np.nanargmax(values)} <= {*kept.tolist()}
  # The gap is as wide as it was, give or take a stretch.
  bad = kept[np.isnan(values[kept])]
  if count > 5:
    assert abs(np.ptp(bad) - count // 5) <= 1 + count / 300


def test_running_mean_of_what_is_finite():
  """What is not finite has no mean, and spoils no other."""
  values = np.array([2, 4, np.nan, 6, np.inf, 8, 1])
  found = running_mean(values, 3, np.arange(7))
  np.testing.assert_array_equal(
      found, [2, 3, np.nan, 5, np.nan, 7, 4.5])
  np.testing.assert_array_equal(
      running_mean(values, 2, np.array([6, 1])), [4.5, 3])
