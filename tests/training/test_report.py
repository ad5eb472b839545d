"""The page of a run: what it says, that it is whole, safe and small."""

import base64
import functools
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.config.files import load_config
from siamkpn_jax.config.settings import Config, to_plain
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import init_variables
from siamkpn_jax.training import trainer
from siamkpn_jax.training.metrics import AUC
from siamkpn_jax.training.report import write_report
from siamkpn_jax.training.state import init_state
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
from tests.training.tiny import tiny_config


def test_names_are_those_of_the_step():
  """Every number that a step gives is drawn, or is the mean over stages."""
  from siamkpn_jax.training.report import _panels
  config = tiny_config(model={'num_stages': 2})
  step = trainer.build_step(config)
  state = jax.eval_shape(
      lambda: init_state(init_variables(step.model, 0), step.optimizer))
  b = 2
  batch = {'index': jnp.zeros(b, int), 'gray': jnp.zeros(b, bool),
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
  """Stage 10 comes after stage 9; colors begin anew."""
  panel = panels(page_of(tmp_path, make_rows(stages=11)))['size loss']
  labels = re.findall('<span class="c.">stage (.*?)</span>', panel)
  assert labels == [str(n) for n in range(1, 12)]
  assert set(re.findall('<span class="(c.)"', panel)) == {
      f'c{k}' for k in range(6)}


def test_nothing_from_elsewhere(tmp_path):
  page = page_of(tmp_path, make_rows())
  assert page.startswith('<!DOCTYPE html>')
  parsed = Page(page)
  pictures = [value for name, value in parsed.attributes if name == 'src']
  assert len(pictures) == parsed.tags.count('figure') == 8
  for picture in pictures:
    kind, data = picture.split(',')
    assert kind == 'data:image/svg+xml;base64'
    svg = base64.b64decode(data).decode()
    for word in ('<script', '<image', 'href="h', 'url(h', '@import'):
      assert word not in svg, word
    page = page.replace(picture, '')
  for word in ('http', '//', 'href', 'url(', '@import', '<script', '<link',
               '<iframe'):
    assert word not in page, word
  assert ('content', 'width=device-width, initial-scale=1') in parsed.attributes
  assert 'prefers-color-scheme: dark' in page


@pytest.mark.parametrize(('step', 'words'), [
    (1, 'Step 1 of 200, epoch 1 of 20; not finished: in progress or'),
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
  augment = to_plain(Config())['augment'] | {'search_blur': 0.0}
  page = page_of(tmp_path, [], augment=augment, added={'later': [1, 'a']})
  assert numbers(page) == {
      'train.batch_size': ['8', '80'], 'augment.search_blur': ['0.0', '0.2'],
      'train.pairs_per_epoch': ['87', '450000'],
      'added.later': ['[1, &quot;a&quot;]', '']}


@pytest.mark.parametrize(
    'name', ['kpn1s', 'kpn2s', 'kpn3s', 'kpn3s_nano', 'demo'])
def test_runs_of_the_packaged_configurations(tmp_path, name):
  config = load_config(name)
  page = page_of(tmp_path, [{'step': 1, 'loss': 1.0}], **to_plain(config))
  assert f'Step 1 of {config.train.total_steps:,}, ' in page


def test_no_settings_differ(tmp_path):
  page = page_of(tmp_path, [], name='mine', train=to_plain(
      Config())['train'])
  assert '<p>None.</p>' in page


def test_revision(tmp_path):
  page = page_of(tmp_path, [], git_revision='1f3<a>')
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


def test_validation(tmp_path):
  """Own panels, drawn over the rows that have them, without gaps."""
  rows = make_rows()
  for k, auc in ((9, 0.1), (19, 0.3), (39, 0.6)):
    rows[k] |= {'val_auc': auc, 'val_precision/clips': 1 - auc}
  rows.insert(20, {'step': 100, 'val_seconds': 4.0})  # a row of its own
  found = panels(page_of(tmp_path, rows))
  assert sorted(found) == sorted(
      [*TITLES, 'val_auc', 'val_precision/clips', 'val_seconds'])
  drawn = figures(rows)
  (line,) = lines(drawn['val_auc'], 'strong')
  np.testing.assert_array_equal(line, [(50, 0.1), (100, 0.3), (200, 0.6)])
  assert drawn['val_auc'].axes[0].lines[0].get_marker() == 'o'
  assert not lines(drawn['val_auc'], 'faint')
  assert not any('gaps' in panel for panel in found.values())


def test_best(tmp_path):
  """The newest of the best; other rows of the log do not matter."""
  rows = make_rows()
  assert 'Best' not in page_of(tmp_path, rows)
  for k, auc in ((9, 0.7), (19, 0.75), (29, 0.75), (39, 0.6)):
    rows[k][AUC] = auc
  assert ('success AUC 0.750 at step 150, kept as <code>checkpoints/150<'
          in page_of(tmp_path, rows))


@pytest.mark.parametrize('log', [None, '', '{"step": 1, "lo', '\0\0\n', '7\n'])
def test_nothing_logged_yet(tmp_path, log):
  write_run(tmp_path, [])
  (tmp_path / 'metrics.jsonl').unlink()
  if log is not None:
    (tmp_path / 'metrics.jsonl').write_text(log)
  page = write_report(tmp_path).read_text()
  assert 'No step of 200 has been logged yet.' in page
  assert 'Settings' in page and 'train.batch_size' in page
  assert '<img' not in page and 'Numbers' not in page
  Page(page)


@pytest.mark.parametrize('tail', [b'{"step": 205, "los', b'\xff\xfe\0'])
def test_half_written_last_line(tmp_path, tail):
  write_run(tmp_path, make_rows())
  with (tmp_path / 'metrics.jsonl').open('ab') as log:
    log.write(tail)
  assert 'Step 200 of 200' in write_report(tmp_path).read_text()


EVIL = '</title></svg><script>alert(1)</script>"\'><img src=x onerror=alert(1)>'


def test_texts_are_escaped(tmp_path):
  """Of the name, settings, revision and names in the log."""
  rows = make_rows()
  rows[5] |= {f'val_{EVIL}': 1.0, f'stage1/{EVIL}': 2.0, EVIL: 3.0}
  model = to_plain(Config())['model'] | {'weights': EVIL, EVIL: EVIL}
  page = page_of(tmp_path, rows, name=EVIL, model=model, git_revision=EVIL)
  parsed = Page(page)
  assert 'script' not in parsed.tags
  assert all(value.startswith('data:image/svg+xml;base64,')
             for name, value in parsed.attributes if name == 'src')
  assert not [name for name, _ in parsed.attributes if name.startswith('on')]
  assert parsed.texts.count(EVIL) >= 4
  assert f'val_{EVIL}' in parsed.texts and f'{EVIL} loss' in parsed.texts
  assert ('alt', f'val_{EVIL}') in parsed.attributes


def test_odd_name(tmp_path):
  """Half a surrogate pair, which JSON can hold and UTF-8 cannot."""
  page = page_of(tmp_path, [], name='a\ud800b')
  assert '<h1>a\\ud800b</h1>' in page


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


@pytest.fixture
def run(command):
  return functools.partial(command, 'report')


def test_command(run, tmp_path):
  write_run(tmp_path, make_rows(3))
  done = run('--workdir', tmp_path)
  page = tmp_path / 'report.html'
  assert (done.returncode, done.stdout, done.stderr) == (
      0, f'wrote {page}\n', '')
  assert 'Step 15 of 200' in page.read_text()


@pytest.mark.parametrize(('flags', 'words'), [
    (['--workdir={0}'], '{0}: no training run; expected a --workdir'),
    (['--workdir={0}/x'], '{0}/x: no such folder; expected that of a training'),
    ([], '--workdir'), (['{0}'], "unexpected argument '{0}'")])
def test_command_refuses(run, tmp_path, flags, words):
  done = run(*(flag.format(tmp_path) for flag in flags),
             *(['--workdir=.'] if flags == ['{0}'] else []))
  assert done.returncode == 2 and done.stdout == ''
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: ') and words.format(tmp_path) in line
  assert not list(tmp_path.iterdir())
