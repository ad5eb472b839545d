"""The curves on the page of a run are those of its log."""

import re
import time

import numpy as np
import pytest

from siamkpn_jax.training.curves import thin
from siamkpn_jax.training.report import write_report
from tests.training.pages import (
    TASKS,
    TITLES,
    Page,
    make_rows,
    numbers,
    page_of,
    panels,
    paths,
    write_run,
)


def test_curves_are_those_of_the_log(tmp_path):
  rows = make_rows()
  found = panels(page_of(tmp_path, rows))
  assert list(found) == TITLES
  steps = [row['step'] for row in rows]
  for title, names in {
      'total loss': ['loss'], 'learning rate': ['learning_rate'],
      'gradient norm': ['grad_norm'], 'skipped steps': ['skipped'],
      'pairs per second': ['pairs_per_second'],
      **{f'{t} loss': [f'stage{s}/{t}' for s in (1, 2, 3)]
         for t in TASKS}}.items():
    exact = title in ('learning rate', 'skipped steps')
    drawn = paths(found[title], 'line' if exact else 'faint')
    assert len(drawn) == len(names)
    for (curve,), name in zip(drawn, names, strict=True):
      np.testing.assert_allclose(curve[:, 0], steps, atol=0.1)
      np.testing.assert_allclose(
          curve[:, 1], [row[name] for row in rows], atol=0.01)
  for task in TASKS:
    labels = re.findall('<span class="c(.)">(.*?)</span>',
                        found[f'{task} loss'])
    assert labels == [('0', 'stage 1'), ('1', 'stage 2'), ('2', 'stage 3')]


def test_running_mean(tmp_path):
  rows = make_rows()
  ((curve,),) = paths(panels(page_of(tmp_path, rows))['total loss'], 'line')
  values = [row['loss'] for row in rows]
  np.testing.assert_allclose(
      curve[:, 1], [np.mean(values[max(0, k - 8):k + 1]) for k in range(40)],
      atol=0.01)


def test_logarithmic_axis(tmp_path):
  """One value far above the others does not flatten them."""
  rows = make_rows()
  rows[7]['grad_norm'] = 2e5
  panel = panels(page_of(tmp_path, rows))['gradient norm']
  ticks = re.findall('<text class="y"[^>]*>([^<]*)', panel)
  powers = np.log10(np.array(ticks, float))
  np.testing.assert_array_equal(powers, np.rint(powers))
  assert powers[0] <= 0 and powers[-1] >= 6
  # The axis is linear in the powers of ten.
  for tick, power in zip(ticks, powers, strict=True):
    panel = panel.replace(f'>{tick}</text>', f'>{power}</text>')
  ((curve,),) = paths(panel, 'faint')
  np.testing.assert_allclose(
      10**curve[:, 1], [row['grad_norm'] for row in rows], rtol=0.03)


@pytest.mark.parametrize('bad', [
    float('nan'), float('inf'), float('-inf'), None, 'text'])
def test_not_finite_is_a_gap(tmp_path, bad):
  rows = make_rows()
  for k in (10, 11, 30, 39):
    rows[k]['loss'] = bad
  rows[20]['grad_norm'], rows[21]['grad_norm'] = 2e5, bad  # on a log scale
  page = page_of(tmp_path, rows)
  panel = panels(page)['total loss']
  assert 'gaps: values that are not finite (4)' in panel
  for kind in ('faint', 'line'):
    ((first, second, third),) = paths(panel, kind)
    for stretch, (start, stop) in ((first, (0, 10)), (second, (12, 30)),
                                   (third, (31, 39))):
      np.testing.assert_allclose(
          stretch[:, 0], [row['step'] for row in rows[start:stop]], atol=0.1)
  assert not re.search(r'd="[^"]*(nan|inf)', page)
  assert 'gaps' not in panels(page)['size loss']
  ((first, second),) = paths(panels(page)['gradient norm'], 'line')
  assert (len(first), len(second)) == (21, 18)
  good = [rows[k]['loss'] for k in range(40) if k not in (10, 11, 30, 39)]
  assert numbers(page)['loss'][1:] == [
      '200', f'{min(good):.4g}', f'{max(good):.4g}']


def test_nothing_finite(tmp_path):
  rows = [row | {'loss': float('nan')} for row in make_rows()]
  page = page_of(tmp_path, rows)
  Page(page)
  assert '<path class="line c0" d=""/>' in panels(page)['total loss']
  assert numbers(page)['loss'] == ['nan', '200', 'nan', 'nan']


@pytest.mark.parametrize('step', [0, 1])
def test_one_row(tmp_path, step):
  row = make_rows(1)[0] | {'step': step}
  found = panels(page_of(tmp_path, [row]))
  assert list(found) == TITLES
  for panel in found.values():
    assert 'h0' in panel and 'nan' not in panel


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
  assert len(page) < 500_000
  ((before, after),) = paths(panels(page)['total loss'], 'faint')
  assert len(before) + len(after) <= 1000
  spike = before[before[:, 1].argmax()]
  np.testing.assert_allclose(spike, [12_346, 4.0], rtol=0.01)
  assert abs(before[-1, 0] - after[0, 0]) < 1000
  assert after[-1, 0] == pytest.approx(count, rel=1e-3)


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
