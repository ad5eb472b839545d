"""Measurements in order of importance, as many as there is time for."""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from perf import costs

# Name -> number, text, quartiles (see `turns.quartiles`) or rows of a profile.
Figures = dict[str, Any]
Results = dict[str, Figures]


class Measurement(NamedTuple):
  """What is measured.

  Attributes:
    name: of it.
    seconds: that it needs, by experience.
    run: measures, and yields figures as soon as it has them.
  """

  name: str
  seconds: float
  run: Callable[[], Iterable[Figures]]


def measure(plan: Iterable[Measurement], end: float,
            save: Callable[[Results], None], *,
            clock: Callable[[], float] = time.monotonic) -> Results:
  """Runs what there is time for, and prints every figure.

  Args:
    plan: what to measure, in this order.
    end: of the time, by the clock.
    save: called with all results whenever there is a new figure.
    clock: tells the time in seconds.

  Returns:
    {measurement: figures}. One that was left out has 'skipped': why. One that
    failed has the figures before that, and 'failed': what happened.
  """
  results: Results = {}
  for name, seconds, run in plan:
    figures = results[name] = {}
    print(name, flush=True)
    for new in _figures(seconds, run, end, clock):
      figures.update(new)
      print('\n'.join(lines(new)), flush=True)
      save(results)
  return results


def _figures(seconds: float, run: Callable[[], Iterable[Figures]], end: float,
             clock: Callable[[], float]) -> Iterator[Figures]:
  start = clock()
  if end - start < seconds:
    yield {'skipped': f'{end - start:.0f} s left, about {seconds:.0f} needed'}
    return
  try:
    yield from run()
  except Exception as error:  # the next one may work; all is told
    traceback.print_exc()
    yield {'failed': f'{type(error).__name__}: {error}'}
  yield {'seconds': round(clock() - start, 1)}


def failed(results: Results) -> bool:
  """Whether a measurement failed."""
  return any('failed' in figures for figures in results.values())


def lines(figures: Figures, *, profiles: bool = True) -> list[str]:
  """Figures for the terminal, one in a line; profiles row by row."""
  out = []
  for name, value in figures.items():
    if isinstance(value, list):
      if profiles:
        out += [f'    {name}', *(f'    {costs.line(row)}' for row in value)]
    else:
      out.append(f'    {name:32} {_text(value)}')
  return out


def table(results: Results) -> str:
  """All figures but the profiles."""
  return '\n'.join(row for name, figures in results.items()
                   for row in (name, *lines(figures, profiles=False)))


def _text(value: Any) -> str:
  if isinstance(value, dict):
    middle, low, high = (_text(value[k]) for k in ('median', 'low', 'high'))
    return f'{middle} (quartiles {low} to {high})'
  return f'{value:.4g}' if isinstance(value, float) else str(value)
