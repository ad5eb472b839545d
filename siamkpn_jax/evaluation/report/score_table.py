"""Scores as text."""

import re
from typing import Any


def score_table(summary: dict[str, Any]) -> str:
  """One row per sequence and attribute; the columns are their figures."""
  rows = [(_shown(name), row) for name, row in (
      *summary['sequences'].items(), *summary['attributes'].items(),
      ('all', summary))]
  figures = [k for k in dict.fromkeys(k for _, row in rows[:-1] for k in row)
             if k in summary and not k.startswith('num_')]
  width = max(8, *(len(name) for name, _ in rows))
  lines = ['  '.join([f'{"sequence":{width}}', *figures])]
  for name, row in rows:
    lines.append('  '.join([f'{name:{width}}', *(
        f'{_number(row.get(figure)):>{len(figure)}}' for figure in figures)]))
  return '\n'.join(lines)


def _shown(name: str) -> str:
  """A name in one line, without what a terminal takes for commands."""
  return re.sub(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff]',
                lambda c: ascii(c[0])[1:-1], name)


def _number(value: float | None) -> str:
  return '-' if value is None else f'{value:.4f}'
