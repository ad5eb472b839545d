"""Makes runs, and reads their pages as one would on the screen."""

import html.parser
import json
import re

import numpy as np

from siamkpn_jax.config.settings import Config, to_plain
from siamkpn_jax.training import report
from siamkpn_jax.training.report import write_report

TASKS = ('heatmap', 'offsets', 'size')
TITLES = ['total loss', 'heatmap loss', 'offsets loss', 'size loss',
          'learning rate', 'gradient norm', 'skipped steps',
          'pairs per second']


class Page(html.parser.HTMLParser):
  """Checks that tags are balanced; collects tags, texts and attributes."""

  VOID = ('meta', 'img')

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
    raise AssertionError(f'<{tag}/>: the slash means nothing')

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
  config = to_plain(Config())
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


def figures(rows):
  """Title -> the figure that the page shows."""
  return report.draw(report.read_curves(rows))


def lines(figure, kind):
  """[n, 2] steps and values of each 'strong' or 'faint' line of a figure."""
  return [line.get_xydata() for line in figure.axes[0].lines
          if (line.get_alpha() == 1 or line.get_alpha() is None)
          == (kind == 'strong')]


def numbers(page):
  """Name -> the other cells of its row in the tables."""
  rows = re.findall(r'<tr>(<td>.*?)</tr>', page)
  cells = [re.findall('<td>(.*?)</td>', row) for row in rows]
  return {first: rest for first, *rest in cells}
