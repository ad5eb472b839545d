"""Makes runs, and reads their pages as one would on the screen."""

import html.parser
import json
import re

import numpy as np

from siamkpn_jax.config.settings import Config, to_plain
from siamkpn_jax.training.report import write_report

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
