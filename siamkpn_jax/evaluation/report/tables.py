"""A table as HTML, CSV and LaTeX."""

import csv
import dataclasses
import io
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from siamkpn_jax.core import html
from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.evaluation.report.measures import NONE

_COMMANDS = {'b': 'textbf', 'i': 'textit', 'u': 'underline',
             'strong': 'textbf'}
_SPECIAL = {'\\': r'\textbackslash{}', '~': r'\textasciitilde{}',
            '^': r'\textasciicircum{}', '<': r'\textless{}',
            '>': r'\textgreater{}', '↑': r'$\uparrow$',
            '↓': r'$\downarrow$',
            **{c: '\\' + c for c in '{}$&#_%'}}
_FORMULA = re.compile(r'\s*[-=+@\uff1d\uff0b\uff0d\uff20]|\t')
_NUMBER = re.compile(r'[-+]?[0-9.]+(e[-+]?[0-9]+)?')
_PAGE = 40  # rows; longer tables are broken across pages


@dataclasses.dataclass(frozen=True)
class Table:
  """A table of texts.

  Attributes:
    name: of its files.
    title: plain text.
    head: names of the columns; the first holds names, the others numbers
      but for `texts`.
    rows: cells, as many as columns.
    facts: what holds for the whole table, as benchmark -> OTB-100.
    notes: sentences below it.
    texts: the columns, besides the first, that are no numbers.
    marks: (row, column) -> how the cell is set off: b, i, u or strong.
    sortable: whether the reader may sort it.
    foreign: rows from elsewhere, for which the facts do not hold.
  """
  name: str
  title: str
  head: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  facts: Mapping[str, str]
  notes: tuple[str, ...] = ()
  texts: frozenset[int] = frozenset()
  marks: Mapping[tuple[int, int], str] = dataclasses.field(
      default_factory=dict)
  sortable: bool = False
  foreign: frozenset[int] = frozenset()

  @property
  def caption(self) -> str:
    """The facts in words."""
    return '; '.join(f'{name}: {fact}' for name, fact in self.facts.items())


def to_html(table: Table) -> str:
  """The table with its title, facts and notes."""
  return '\n'.join([
      f'<h2>{escape(table.title)}</h2>',
      f'<p class="facts">{escape(table.caption)}</p>',
      html.table(table.head, table.rows, numbers=True, texts=table.texts,
                 style='sortable' if table.sortable else '',
                 marks=table.marks),
      *(f'<p class="note">{escape(note)}</p>' for note in table.notes)])


def to_csv(table: Table) -> str:
  """The rows, nothing where nothing is known.

  Facts are columns that say the same in every row, but for foreign ones.
  """
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(map(_as_text, (*table.head, *table.facts)))
  for n, row in enumerate(table.rows):
    facts = [NONE if n in table.foreign else fact
             for fact in table.facts.values()]
    writer.writerow(['' if cell == NONE else _as_text(cell)
                     for cell in (*row, *facts)])
  return text.getvalue()


def _as_text(cell: str) -> str:
  """The cell in one line, with a ' before what would be a formula."""
  cell = re.sub(r'[\r\n]+', ' ', cell)
  formula = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
  return f"'{cell}" if formula else cell


def to_latex(table: Table) -> str:
  r"""A table of booktabs; a long one is a longtable, which pages may break."""
  long = len(table.rows) > _PAGE
  line = lambda cells: _row(f'{" & ".join(cells)} \\\\')
  cells = [[_marked(text, table.marks.get((n, k), ''))
            for k, text in enumerate(row)] for n, row in enumerate(table.rows)]
  caption = rf'\caption{{{latex(_sentences(table))}}}'
  columns = ''.join('l' if k in {0, *table.texts} else 'r'
                    for k in range(len(table.head)))
  head = [r'\toprule', line([latex(name) for name in table.head]), r'\midrule']
  body = [*map(line, cells), r'\bottomrule']
  if long:
    lines = [r'% \usepackage{booktabs,longtable}',
             rf'\begin{{longtable}}{{{columns}}}', caption + r'\\', *head,
             r'\endhead', *body, r'\end{longtable}']
  else:
    lines = [r'% \usepackage{booktabs}', r'\begin{table}', r'\centering',
             caption, rf'\begin{{tabular}}{{{columns}}}', *head, *body,
             r'\end{tabular}', r'\end{table}']
  return '\n'.join(lines) + '\n'


def _row(line: str) -> str:
  r"""The line of a row, whose start `\\` and `\midrule` must not take."""
  return ('{}' if line.lstrip().startswith(('[', '*')) else '') + line


def latex(text: str) -> str:
  """Plain text, with what means something to LaTeX made plain."""
  return ''.join(_SPECIAL.get(c, c) for c in text)


def write(table: Table, folder: Path) -> None:
  """Writes <name>.csv and <name>.tex.

  Raises:
    UserError: they cannot be written.
  """
  write_file(folder / f'{table.name}.csv', to_csv(table))
  write_file(folder / f'{table.name}.tex', to_latex(table))


def _marked(text: str, mark: str) -> str:
  plain = latex(text)
  return f'\\{_COMMANDS[mark]}{{{plain}}}' if mark else plain


def _sentences(table: Table) -> str:
  return ' '.join(part if part.endswith('.') else f'{part}.' for part in
                  (table.title, table.caption, *table.notes))
