"""Measuring in turns: threads, a stopwatch, rounds, ratios, tables."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UserError


def add_flags(parser: Parser, rounds: int) -> None:
  """Declares those of every measurement in turns."""
  parser.add_argument(
      '--rounds', type=whole(1), default=rounds, help='Turns of each.')
  parser.add_argument(
      '--threads', type=whole(0), default=0, help='How many; 0: one per core.')


def use_threads(count: int) -> int:
  """Keeps this process to some cores; call it before JAX makes its threads.

  Args:
    count: of cores; 0 for all.

  Returns:
    How many they are: JAX makes as many threads.

  Raises:
    UserError: there are fewer, or the system cannot do that.
  """
  if not count:
    return cores()
  if not hasattr(os, 'sched_setaffinity'):
    raise UserError(f'--threads {count}: this system keeps no process to some '
                    'cores; expected 0, or Linux')
  known = sorted(os.sched_getaffinity(0))
  if count > len(known):
    raise UserError(f'--threads {count}; expected 0 to {len(known)}, the cores '
                    'that this process may use')
  os.sched_setaffinity(0, known[:count])
  return count


def timed(step: Callable[[], Any], count: int = 1, *,
          before: int = 0) -> float:
  """Seconds of a call, mean of some, until the results of the last are there.

  Args:
    step: what is timed; what it returns may still be computed then.
    count: of calls.
    before: calls that are not timed: they compile, and fill the caches.
  """
  for _ in range(before):
    jax.block_until_ready(step())
  start = time.perf_counter()
  for _ in range(count):
    found = step()
  jax.block_until_ready(found)
  return (time.perf_counter() - start) / count


def take_turns(ways: Mapping[str, Callable[[], float]],
               rounds: int) -> dict[str, list[float]]:
  """What each way returns, round by round: A B A B ..."""
  values: dict[str, list[float]] = {name: [] for name in ways}
  for _ in range(rounds):
    for name, way in ways.items():
      values[name].append(way())
  return values


def summarize(seconds: Mapping[str, Sequence[float]],
              pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
  """Milliseconds of each way, and ratios of pairs (a, b), ready for JSON."""
  return {'ms': {name: quartiles(1e3 * np.asarray(values))
                 for name, values in seconds.items()},
          'ratios': {f'{a} / {b}': quartiles(np.divide(seconds[a], seconds[b]))
                     for a, b in pairs}}


def report(result: Mapping[str, Any], head: str) -> str:
  """`summarize` as tables in Markdown."""
  lines = []
  for title, unit, digits in (('', 'ms', 2), ('time', 'ratios', 3)):
    lines += [row([title, head if unit == 'ms' else 'ratio', 'quartiles']),
              row(['---'] * 3)]
    lines += [row([name, f'{q["median"]:.{digits}f}',
                   f'{q["low"]:.{digits}f} to {q["high"]:.{digits}f}'])
              for name, q in result[unit].items()]
    lines.append('')
  return '\n'.join(lines)


def ratio(a: Sequence[float], b: Sequence[float]) -> str:
  """Median and quartiles of a / b over the rounds."""
  return '{median:.3f} (quartiles {low:.3f} to {high:.3f})'.format(
      **quartiles(np.divide(a, b)))


def quartiles(values: Any) -> dict[str, float]:
  """Of numbers, by name."""
  low, middle, high = np.percentile(values, (25, 50, 75)).tolist()
  return {'median': middle, 'low': low, 'high': high}


def row(cells: Sequence[str]) -> str:
  """Of a table in Markdown."""
  return f'| {" | ".join(cells)} |'
