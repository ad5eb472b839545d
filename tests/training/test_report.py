"""The page of a run: what it says, that it is whole, safe and small."""

import html.parser
import json
import re
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.config import default_config, to_plain
from siamkpn_jax.errors import UserError
from siamkpn_jax.training import trainer
from siamkpn_jax.training.curves import thin
from siamkpn_jax.training.report import write_report
from siamkpn_jax.training.state import init_state
from tests.training.tiny import tiny_config

TASKS = ('heatmap', 'offsets', 'size')
TITLES = ['total loss', 'heatmap loss', 'offsets loss', 'size loss',
          'learning rate', 'gradient norm', 'skipped steps',
          'pairs per second']


class Page(html.parser.HTMLParser):
  """Checks that tags are balanced; collects tags, texts and attributes."""

  VOID = ('meta',)

  def __init__(self, text):
    super().__init__()
    self.open, self.tags, self.texts, self.attributes = [], [], [], []
    self.feed(text)
    self.close()
    assert not self.open

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += attrs
    if tag not in self.VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    assert 'svg' in self.open  # elsewhere the slash means nothing
    self.tags.append(tag)
    self.attributes += attrs

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] != 'style':
      self.texts.append(data.strip())


def make_rows(count=40, stages=3):
  rng = np.random.default_rng(0)
  names = ['loss', 'learning_rate', 'grad_norm', 'pairs_per_second', *TASKS,
           *(f'stage{s + 1}/{t}' for s in range(stages) for t in TASKS)]
  return [{'step': 5 * (n + 1), 'skipped': 0.0} |
          dict(zip(names, (1 + rng.random(len(names))).tolist(), strict=True))
          for n in range(count)]


def write_run(folder, rows, **changes):
  """A run of 20 epochs of 10 steps; changes are top-level settings."""
  config = to_plain(default_config())
  config['train'] |= {'batch_size': 8, 'pairs_per_epoch': 87}
  (folder / 'config.json').write_text(json.dumps(config | changes))
  (folder / 'metrics.jsonl').write_text(
      ''.join(json.dumps(row) + '\n' for row in rows))


def page_of(folder, rows, **changes):
  write_run(folder, rows, **changes)
  assert write_report(folder) == folder / 'report.html'
  return (folder / 'report.html').read_text()


def panels(page):
  """Title -> the figure's HTML."""
  return {re.search('<figcaption>([^<]*)', text)[1].strip(): text
          for text in re.findall(r'<figure>(.*?)</figure>', page, re.S)}


def paths(panel, kind):
  """Of each curve the stretches that are drawn: [n, 2] steps and values.

  Read off as one would on the screen: by the numbers at the axes.
  """
  def scale(style, coordinate):
    found = re.findall(
        rf'<text class="{style}" x="([\d.]+)" y="([\d.]+)">([^<]*)', panel)
    at = [float(f[coordinate]) for f in found]
    ends = [float(f[2].replace('k', 'e3').replace('M', 'e6')) for f in found]
    slope = (ends[-1] - ends[0]) / (at[-1] - at[0])
    return lambda u: ends[0] + slope * (u - at[0])

  x, y = scale('x', 0), scale('y', 1)
  drawn = re.findall(rf'<path class="{kind} c\d" d="([^"]*)"', panel)
  curves = []
  for path in drawn:
    stretches = [np.array([p.split(',') for p in part.split('L')], float)
                 for part in path.split('M')[1:]]
    # The numbers of the y axis stand 4 below their lines.
    curves.append([np.stack([x(s[:, 0]), y(s[:, 1] + 4)], -1)
                   for s in stretches])
  return curves


def numbers(page):
  """Name -> the other cells of its row in the tables."""
  rows = re.findall(r'<tr>(<td>.*?)</tr>', page)
  cells = [re.findall('<td>(.*?)</td>', row) for row in rows]
  return {first: rest for first, *rest in cells}


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


def test_names_are_those_of_the_step():
  """Every number that a step gives is drawn, or is the mean over stages."""
  from siamkpn_jax.training.report import _panels
  config = tiny_config()
  step = trainer.build_step(config)
  state = jax.eval_shape(
      lambda: init_state(step.model, step.optimizer, jax.random.key(0)))
  b = 2
  batch = {'index': jnp.zeros(b, int), 'grey': jnp.zeros(b, bool),
           'negative': jnp.zeros(b, bool)}
  for name, crop in (('template', step.template), ('search', step.search)):
    batch |= {name: jnp.zeros((b, crop.patch, crop.patch, 3), jnp.uint8),
              f'{name}_wh': jnp.ones((b, 2))}
  _, metrics = jax.eval_shape(
      lambda state: step(state, batch, unfrozen=True), state)
  drawn = [name for names in _panels(metrics).values()
           for name in names.values()]
  assert sorted([*drawn, *TASKS]) == sorted(metrics)


def test_stages_in_order(tmp_path):
  """Stage 10 comes after stage 9; colours begin anew."""
  panel = panels(page_of(tmp_path, make_rows(stages=11)))['size loss']
  labels = re.findall('<span class="c.">stage (.*?)</span>', panel)
  assert labels == [str(n) for n in range(1, 12)]
  assert set(re.findall('class="line (c.)"', panel)) == {
      f'c{k}' for k in range(6)}


def test_nothing_from_elsewhere(tmp_path):
  page = page_of(tmp_path, make_rows())
  assert page.startswith('<!DOCTYPE html>')
  for word in ('http', '//', 'src=', 'href', 'url(', '@import', '<script',
               '<link', '<img', '<iframe'):
    assert word not in page, word
  parsed = Page(page)
  assert parsed.tags.count('svg') == parsed.tags.count('figure') == 8
  assert ('content', 'width=device-width, initial-scale=1') in parsed.attributes
  assert 'prefers-color-scheme: dark' in page


@pytest.mark.parametrize(('step', 'words'), [
    (1, 'Step 1 of 200, epoch 1 of 20; not finished: under way, or'),
    (10, 'Step 10 of 200, epoch 1 of 20; not finished'),
    (11, 'Step 11 of 200, epoch 2 of 20; not finished'),
    (199, 'Step 199 of 200, epoch 20 of 20; not finished'),
    (200, 'Step 200 of 200, epoch 20 of 20; finished.')])
def test_state(tmp_path, step, words):
  page = page_of(tmp_path, [{'step': step, 'loss': 1.0}], name='one & two')
  assert words in page
  assert f'<progress max="200" value="{step}">' in page
  assert Page(page).texts.count('one & two') == 2  # title and heading


def test_settings(tmp_path):
  """Those that differ, with the default; unknown ones of other versions."""
  augment = to_plain(default_config())['augment'] | {'search_blur': 0.0}
  page = page_of(tmp_path, [], augment=augment, added={'later': [1, 'a']})
  assert numbers(page) == {
      'train.batch_size': ['8', '80'], 'augment.search_blur': ['0.0', '0.2'],
      'train.pairs_per_epoch': ['87', '450000'],
      'added.later': ['[1, &quot;a&quot;]', '']}


def test_no_settings_differ(tmp_path):
  page = page_of(tmp_path, [], name='mine', train=to_plain(
      default_config())['train'])
  assert '<p>None.</p>' in page


@pytest.mark.parametrize('place', [
    {'git_revision': '1f3<a>'}, {'metadata': {'git_revision': '1f3<a>'}}])
def test_revision(tmp_path, place):
  page = page_of(tmp_path, [], **place)
  assert '<code>1f3&lt;a&gt;</code>' in page
  assert list(numbers(page)) == ['train.batch_size', 'train.pairs_per_epoch']


def test_latest_numbers(tmp_path):
  rows = make_rows()
  rows[3]['val_auc'] = 0.25
  page = page_of(tmp_path, rows)
  losses = [row['loss'] for row in rows]
  assert numbers(page)['loss'] == [
      f'{losses[-1]:.4g}', '200', f'{min(losses):.4g}', f'{max(losses):.4g}']
  assert numbers(page)['val_auc'] == ['0.25', '20', '0.25', '0.25']


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


def test_validation(tmp_path):
  """Own panels, drawn over the rows that have them, without gaps."""
  rows = make_rows()
  for k, auc in ((9, 0.1), (19, 0.3), (39, 0.6)):
    rows[k] |= {'val_auc': auc, 'val_precision/clips': 1 - auc}
  rows.insert(20, {'step': 100, 'val_seconds': 4.0})  # a row of its own
  found = panels(page_of(tmp_path, rows))
  assert sorted(found) == sorted(
      [*TITLES, 'val_auc', 'val_precision/clips', 'val_seconds'])
  ((curve,),) = paths(found['val_auc'], 'line')
  np.testing.assert_allclose(
      curve, [(50, 0.1), (100, 0.3), (200, 0.6)], atol=0.2)
  assert found['val_auc'].count('h0') == 3  # dots
  assert 'faint' not in found['val_auc']
  assert len(paths(found['total loss'], 'line')[0]) == 1
  assert not any('gaps' in panel for panel in found.values())


@pytest.mark.parametrize('log', [None, '', '{"step": 1, "lo', '\0\0\n', '7\n'])
def test_nothing_logged_yet(tmp_path, log):
  write_run(tmp_path, [])
  (tmp_path / 'metrics.jsonl').unlink()
  if log is not None:
    (tmp_path / 'metrics.jsonl').write_text(log)
  page = write_report(tmp_path).read_text()
  assert 'No step is logged yet; there will be 200.' in page
  assert 'Settings' in page and 'train.batch_size' in page
  assert '<svg' not in page and 'Numbers' not in page
  Page(page)


@pytest.mark.parametrize('tail', [b'{"step": 205, "los', b'\xff\xfe\0'])
def test_half_written_last_line(tmp_path, tail):
  write_run(tmp_path, make_rows())
  with (tmp_path / 'metrics.jsonl').open('ab') as log:
    log.write(tail)
  assert 'Step 200 of 200' in write_report(tmp_path).read_text()


@pytest.mark.parametrize('step', [0, 1])
def test_one_row(tmp_path, step):
  row = make_rows(1)[0] | {'step': step}
  found = panels(page_of(tmp_path, [row]))
  assert list(found) == TITLES
  for panel in found.values():
    assert 'h0' in panel and 'nan' not in panel


EVIL = '</title></svg><script>alert(1)</script>"\'><img src=x onerror=alert(1)>'


def test_texts_are_escaped(tmp_path):
  """Of the name, settings, revision and names in the log."""
  rows = make_rows()
  rows[5] |= {f'val_{EVIL}': 1.0, f'stage1/{EVIL}': 2.0, EVIL: 3.0}
  model = to_plain(default_config())['model'] | {'weights': EVIL, EVIL: EVIL}
  page = page_of(tmp_path, rows, name=EVIL, model=model, git_revision=EVIL)
  parsed = Page(page)
  assert not {'script', 'img'} & set(parsed.tags)
  assert not [name for name, _ in parsed.attributes if name.startswith('on')]
  assert parsed.texts.count(EVIL) >= 4
  assert f'val_{EVIL}' in parsed.texts and f'{EVIL} loss' in parsed.texts
  assert ('aria-label', f'val_{EVIL}') in parsed.attributes


def test_odd_name(tmp_path):
  """Half a surrogate pair, which JSON can hold and UTF-8 cannot."""
  page = page_of(tmp_path, [], name='a\ud800b')
  assert '<h1>a?b</h1>' in page


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


BROKEN = {
    'cut': '{"name": "a", "train": {"epo', 'a list': '[1, 2]',
    'another file': '{"train": {"epochs": 3}}', 'a word': '{"train": "x"}',
    'no name': json.dumps({'train': {
        'epochs': 1, 'batch_size': 1, 'pairs_per_epoch': 1}}),
    'nothing per batch': json.dumps({'name': 'a', 'train': {
        'epochs': 1, 'batch_size': 0, 'pairs_per_epoch': 1}}),
}


@pytest.mark.parametrize('case', BROKEN)
def test_broken_config(tmp_path, case):
  (tmp_path / 'config.json').write_text(BROKEN[case])
  with pytest.raises(UserError, match='config.json: not the configuration'):
    write_report(tmp_path)
  assert [p.name for p in tmp_path.iterdir()] == ['config.json']


def test_failure_keeps_the_old_page(tmp_path, monkeypatch):
  old = page_of(tmp_path, make_rows())
  write_run(tmp_path, make_rows(3))
  before = sorted(tmp_path.iterdir())

  def full(self, target):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(type(tmp_path), 'replace', full)
  with pytest.raises(UserError, match=r'report\.html: cannot be written \(No'):
    write_report(tmp_path)
  assert sorted(tmp_path.iterdir()) == before
  assert (tmp_path / 'report.html').read_text() == old


def run(*flags):
  return subprocess.run(
      [sys.executable, '-m', 'siamkpn_jax.report', *map(str, flags)],
      capture_output=True, text=True, check=False, timeout=120)


def test_command(tmp_path):
  write_run(tmp_path, make_rows(3))
  done = run('--workdir', tmp_path)
  page = tmp_path / 'report.html'
  assert (done.returncode, done.stdout, done.stderr) == (
      0, f'wrote {page}\n', '')
  assert 'Step 15 of 200' in page.read_text()


@pytest.mark.parametrize(('flags', 'words'), [
    (['--workdir={0}'], '{0}: holds no run; expected a --workdir'),
    (['--workdir={0}/x'], '{0}/x: no such folder; expected a --workdir'),
    ([], '--workdir'), (['{0}'], "unexpected argument '{0}'")])
def test_command_refuses(tmp_path, flags, words):
  done = run(*(flag.format(tmp_path) for flag in flags),
             *(['--workdir=.'] if flags == ['{0}'] else []))
  assert done.returncode == 2 and done.stdout == ''
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: ') and words.format(tmp_path) in line
  assert not list(tmp_path.iterdir())
