"""Measuring in turns: threads, rounds, ratios."""

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.errors import UserError


def add_flags(parser: Parser, rounds: int) -> None:
  """Declares those of every measurement in turns."""
  parser.add_argument(
      '--rounds', type=whole(1), default=rounds, help='Turns of each.')
  parser.add_argument(
      '--threads', type=whole(), default=0, help='How many; 0: one per core.')


def use_threads(count: int) -> int:
  """Keeps this process to some cores; call it before JAX makes its threads.

  Args:
    count: of cores; 0 for all.

  Returns:
    How many they are: JAX makes as many threads.

  Raises:
    UserError: there are fewer.
  """
  cores = sorted(os.sched_getaffinity(0))
  if not 0 <= count <= len(cores):
    raise UserError(f'--threads {count}; expected 0 to {len(cores)}, the cores '
                    'that this process may use')
  os.sched_setaffinity(0, cores[:count or len(cores)])
  return count or len(cores)


def take_turns(ways: Mapping[str, Callable[[], float]],
               rounds: int) -> dict[str, list[float]]:
  """What each way returns, round by round: A B A B ..."""
  values: dict[str, list[float]] = {name: [] for name in ways}
  for _ in range(rounds):
    for name, way in ways.items():
      values[name].append(way())
  return values


def ratio(a: Sequence[float], b: Sequence[float]) -> str:
  """Median and quartiles of a / b over the rounds."""
  low, middle, high = np.percentile(np.divide(a, b), (25, 50, 75))
  return f'{middle:.3f} (quartiles {low:.3f} to {high:.3f})'
