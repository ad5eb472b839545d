"""A page in one file: plain, for small and large screens, light and dark."""

from collections.abc import Collection, Mapping, Sequence
from html import escape

# Of the classes c0, c1, ...; readable on white and on black.
COLORS = ('#2f7fd6', '#d9701f', '#2a9a5d', '#b35ac4', '#a98600', '#d44a58')
_STYLE = '''
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1d20; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #dfe1e5; }
}
body { background: var(--paper); color: var(--ink); margin: 0 auto;
       max-width: 72rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif;
       overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
progress { width: 100%; }
.curves { display: grid; gap: 1.25rem;
          grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%),
                                                          1fr)); }
figure { margin: 0; }
figcaption { font-weight: 600; }
figcaption span { font-weight: 400; margin-left: 0.75em; }
figure p { font-size: 0.85rem; margin: 0; }
figure img { display: block; height: auto; width: 100%; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { border-bottom: 1px solid #8884; padding: 0.2rem 0.6rem 0.2rem 0;
         text-align: left; vertical-align: top; }
:is(th, td):first-child { overflow-wrap: break-word; }
.numbers :is(th, td) { white-space: nowrap; }
.numbers :is(th, td) + * { font-variant-numeric: tabular-nums;
                           text-align: right; }
.numbers tr .text { text-align: left; }
'''


def page(title: str, body: Sequence[str], style: str = '') -> str:
  """A whole HTML document.

  Args:
    title: plain text.
    body: HTML, below the title.
    style: CSS that this page has besides what all pages have.
  """
  colors = '\n'.join(f'.c{k} {{ color: {c}; }}'
                      for k, c in enumerate(COLORS))
  return '\n'.join([
      '<!DOCTYPE html>', '<html lang="en">', '<head>',
      '<meta charset="utf-8">',
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      f'<title>{escape(title)}</title>',
      f'<style>{_STYLE}{colors}{style}</style>',
      '</head>', '<body>', f'<h1>{escape(title)}</h1>', *body, '</body>',
      '</html>', ''])


def figure(title: str, labels: Sequence[str], drawing: str, note: str) -> str:
  """A drawing with its title, the labels of its curves, and a note below.

  Args:
    title: plain text, as labels and note are.
    labels: of the curves c0, c1, ...; none for a single one.
    drawing: an element.
    note: empty for none.
  """
  legend = ''.join(f' <span class="c{k % len(COLORS)}">{escape(label)}</span>'
                   for k, label in enumerate(labels))
  below = f'\n<p>{escape(note)}</p>' if note else ''
  return (f'<figure>\n<figcaption>{escape(title)}{legend}</figcaption>\n'
          f'{drawing}{below}\n</figure>')


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *,
          numbers: bool = False, texts: Collection[int] = (), style: str = '',
          marks: Mapping[tuple[int, int], str] | None = None) -> str:
  """A table of plain texts.

  Args:
    head: the columns' names.
    rows: their cells.
    numbers: all columns but the first are numbers,
    texts: but for these.
    style: more classes of the table.
    marks: (row, column) -> the element that the cell stands in: b, i or u.
  """
  marks = marks or {}
  kind = lambda column: ' class="text"' if column in texts else ''

  def cell(row: int, column: int, text: str) -> str:
    tag = marks.get((row, column))
    shown = f'<{tag}>{escape(text)}</{tag}>' if tag else escape(text)
    return f'<td{kind(column)}>{shown}</td>'

  classes = ' '.join([*(['numbers'] if numbers else []), *style.split()])
  names = ''.join(f'<th{kind(k)}>{escape(name)}</th>'
                  for k, name in enumerate(head))
  return '\n'.join([
      '<div class="table"><table' +
      (f' class="{classes}">' if classes else '>'),
      f'<thead><tr>{names}</tr></thead>', '<tbody>',
      *('<tr>' + ''.join(cell(n, k, text) for k, text in enumerate(cells)) +
        '</tr>' for n, cells in enumerate(rows)),
      '</tbody>', '</table></div>'])
