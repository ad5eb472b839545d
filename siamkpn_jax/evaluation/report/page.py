"""The page of a report. All text from outside is escaped."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from siamkpn_jax.core import html
from siamkpn_jax.evaluation.report import rules, tables
from siamkpn_jax.evaluation.report.drawing import jpeg
from siamkpn_jax.evaluation.report.entries import Entry
from siamkpn_jax.evaluation.report.failure_strips import FailureStrip
from siamkpn_jax.evaluation.report.measures import title_of
from siamkpn_jax.evaluation.report.tables import Table

_STYLE = '''
h3 { font-size: 1rem; margin: 1.25rem 0 0; }
img { background: #fff; border-radius: 4px; display: block; height: auto;
      max-width: 100%; }
.pictures { display: grid; gap: 1rem;
            grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%),
                                                            1fr)); }
.strip { display: grid; gap: 0.5rem; grid-template-columns: repeat(4, 1fr); }
@media (max-width: 40rem) { .strip { grid-template-columns: 1fr 1fr; } }
.facts, .note { font-size: 0.85rem; margin: 0.25rem 0; }
.facts { opacity: 0.75; }
.table:has(.sortable) { max-height: 32rem; }
.sortable th { background: var(--paper); position: sticky; top: 0; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid; }
[aria-sort=ascending] button::after { content: " ▲"; }
[aria-sort=descending] button::after { content: " ▼"; }
pre { font-size: 0.8rem; overflow-x: auto; white-space: pre-wrap; }
'''

# Without it the tables stay as they are.
_SCRIPT = '''<script>
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.onclick = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = row => row.cells[k].textContent;
      const order = (a, b) => {
        if (k === 0) return text(a).localeCompare(text(b));
        const [x, y] = [parseFloat(text(a)), parseFloat(text(b))];
        if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
        return x - y;
      };
      const body = table.tBodies[0];
      const rows = [...body.rows].sort(order);
      body.append(...(down ? rows.reverse() : rows));
    };
  });
}
</script>'''


@dataclasses.dataclass(frozen=True)
class Picture:
  """A plot.

  Attributes:
    path: the PNG file.
    title: what it shows.
    note: below it; empty for none.
  """
  path: Path
  title: str
  note: str = ''


# A strip, and its [h, w, 3] uint8 BGR pictures.
DrawnStrip = tuple[FailureStrip, Sequence[np.ndarray]]


def report(entries: Sequence[Entry], found: Mapping[str, Table],
           pictures: Sequence[Picture], strips: Sequence[DrawnStrip],
           notes: Sequence[str], commands: Sequence[str]) -> str:
  """The whole page: tables by name, plots, and the first tracker's failures.

  The notes are on these; the commands, which made the report, come after those
  that made the scores.
  """
  shown = {name: tables.to_html(table) for name, table in found.items()}
  again = '\n'.join([*map(rules.score_command, entries), *commands])
  body = [
      *_scored(entries, shown.pop('runs')),
      shown.pop('comparison'),
      '<h2>Plots</h2>', *_pictures(pictures),
      shown.pop('attributes', ''), shown.pop('sequences'),
      *_failures(entries[0], strips, notes),
      *shown.values(),
      '<h2>How to reproduce this report</h2>',
      f'<pre>{escape(again)}</pre>',
      _SCRIPT]
  names = ', '.join(e.name for e in entries)
  return html.page(f'{title_of(entries[0].benchmark)}: {names}', body, _STYLE)


def _scored(entries: Sequence[Entry], runs: str) -> list[str]:
  first = entries[0]
  source = first.texts['rule']
  lines = [
      f'<p>Protocol <code>{escape(first.protocol)}</code>' +
      (f' ({escape(source)})' if source else '') + '.</p>',
      *(f'<p>{escape(text)}</p>' for text in rules.in_words(first)), runs]
  notes = [f'{e.name}: {note}' for e in entries for note in e.notes]
  if notes:
    lines += ['<details><summary>Scoring notes '
              f'({len(notes)})</summary>',
              *(f'<p class="note">{escape(note)}</p>' for note in notes),
              '</details>']
  return lines


def _pictures(pictures: Sequence[Picture]) -> list[str]:
  return ['<div class="pictures">',
          *('<figure>' + _image(picture.path.read_bytes(), picture.title, 'png')
            + (f'<p>{escape(picture.note)}</p>' if picture.note else '')
            + '</figure>' for picture in pictures), '</div>']


def _failures(entry: Entry, strips: Sequence[DrawnStrip],
              notes: Sequence[str]) -> list[str]:
  lines = [f'<h2>Worst failures of {escape(entry.name)}</h2>']
  if strips:
    lines.append('<p>Green: annotation; red: tracker. The red border marks '
                 'the frame in which the target is lost, or the overlap is '
                 'lowest.</p>')
  for strip, pictures in strips:
    lines += [f'<h3>{escape(strip.name)}</h3>',
              f'<p class="facts">{escape(strip.text)}</p>',
              '<div class="strip">',
              *(_image(jpeg(picture), f'{strip.name}, frame {frame + 1}',
                       'jpeg')
                for frame, picture in
                zip(strip.frames, pictures, strict=True)), '</div>']
  return [*lines, *(f'<p class="note">{escape(note)}</p>' for note in notes)]


def _image(data: bytes, alt: str, kind: str) -> str:
  text = base64.b64encode(data).decode()
  return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{text}">'
