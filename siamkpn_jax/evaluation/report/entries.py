"""Score files as the report needs them: checked, with text that is safe."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.stored_json import read_json
from siamkpn_jax.evaluation.report.measures import (
  Measure,
  is_vot,
  measures_of,
)

# Curve -> its number of points; None: any.
_CURVES = {'success_curve': None, 'precision_curve': 51,
           'norm_precision_curve': 51, 'eao_curve': None}
# No score or speed is as large, and no number of frames: what is drawn of one
# that is would fill the memory.
_MOST, _MOST_FRAMES = 1e6, 1e12
_TEXTS = ('rule', 'annotations', 'results', 'weights', 'hardware')

# Key -> number; None: not known.
Figures = Mapping[str, float | None]


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
  """The scores of one tracker.

  Attributes:
    name: of the tracker.
    benchmark: its name.
    protocol: the name of the rule.
    num_sequences: how many were scored.
    figures: of all together, speeds and counts included.
    sequences: name -> its figures.
    attributes: name -> the figures of the sequences or frames that have it.
    curves: name -> [n], NaN where there is no value.
    notes: what was unusual.
    zero_based: names or patterns of sequences whose files count pixels from 0,
      whatever the layout says.
    texts: rule, annotations, results, weights, hardware; empty: not told.
  """
  name: str
  benchmark: str
  protocol: str
  num_sequences: int
  figures: Figures
  sequences: Mapping[str, Figures]
  attributes: Mapping[str, Figures]
  curves: Mapping[str, np.ndarray]
  notes: tuple[str, ...]
  texts: Mapping[str, str]
  zero_based: tuple[str, ...] = ()

  @property
  def kind(self) -> Sequence[Measure]:
    """The benchmark's measures, the one that ranks first."""
    return measures_of(self.benchmark, self.figures)

  @property
  def measures(self) -> tuple[Measure, ...]:
    """The benchmark's, as far as this tracker has them."""
    return tuple(m for m in self.kind if self.figures.get(m.key) is not None)


def read_entry(name: str, path: Path) -> Entry:
  """Reads the file that `score` or `evaluate` wrote.

  Raises:
    UserError: it cannot be read or is something else.
  """
  summary = read_json(path, 'a file of siamkpn_jax.score --json',
                      advice='score again')
  return make_entry(name, summary, str(path))


def make_entry(name: str, summary: Any, where: str = 'summary') -> Entry:
  """Checks the scores of a tracker; `where` they are from is for the message.

  Raises:
    UserError: they are no summary as of scoring.py.
  """
  try:
    return _make(name, summary)
  except (KeyError, TypeError, ValueError, AttributeError,
          OverflowError) as error:
    what = ' '.join(str(error).split())[:80]
    raise UserError(f'{where}: not the scores of a benchmark '
                    f'({type(error).__name__}: {what}); expected a file '
                    'of siamkpn_jax.score --json: score again'
                    ) from error


def _make(name: str, summary: Any) -> Entry:
  benchmark = clean(summary['benchmark'])
  count = summary['num_sequences']
  if not isinstance(count, int) or count < 1:
    raise ValueError(f'num_sequences {count!r}')
  figures, sequences = _figures(summary), _table(summary['sequences'])
  measures = measures_of(benchmark, figures)
  if is_vot(measures):
    figures = _robustness(figures, 'num_frames')
    sequences = {n: _robustness(row, 'frames') for n, row in sequences.items()}
  if all(figures.get(m.key) is None for m in measures):
    raise ValueError(f'no {measures[0].key}')
  return Entry(
      clean(name), benchmark, clean(summary['protocol']), count, figures,
      sequences, _table(summary.get('attributes', {})),
      {key: _curve(summary[key], points)
       for key, points in _CURVES.items() if summary.get(key)},
      tuple(clean(note) for note in summary.get('notes', ())),
      {key: clean(summary.get(key) or '') for key in _TEXTS},
      tuple(map(str, summary.get('zero_based') or ())))


def clean(text: Any) -> str:
  """In one line, and of characters that can be written.

  Raises:
    TypeError: it is no text.
  """
  if not isinstance(text, str):
    raise TypeError(f'{text!r:.30} is no text')
  text = text.encode('utf-8', 'replace').decode('utf-8')
  return ' '.join(''.join(c if c.isprintable() else ' ' for c in text).split())


def _table(found: Mapping[str, Any]) -> dict[str, Figures]:
  return {clean(name): _figures(row) for name, row in found.items()}


def _robustness(row: Figures, frames: str) -> Figures:
  """With the failures in 100 frames; toolkits have different units."""
  failures, count = row.get('failures'), row.get(frames)
  if failures is None or not count:
    return {**row, 'robustness': None}
  return {**row, 'robustness': 100 * failures / count}


def _figures(row: Mapping[str, Any]) -> Figures:
  """What is a number or not known."""
  figures: dict[str, float | None] = {}
  for key, value in row.items():
    if value is None:
      figures[key] = None
    elif isinstance(value, int | float) and not isinstance(value, bool):
      counts = key.startswith('num_') or key == 'frames'
      if not abs(value) <= (_MOST_FRAMES if counts else _MOST):
        raise ValueError(f'{key} is {value:g}')
      figures[key] = float(value)
  return figures


def _curve(values: Any, points: int | None) -> np.ndarray:
  curve = np.array([math.nan if v is None else v for v in values], np.float64)
  if curve.ndim != 1 or (points and len(curve) != points):
    raise ValueError(f'a curve of {len(curve)} points')
  return curve
