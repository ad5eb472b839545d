"""State dict to variables and back; every problem is found, not the first."""

import dataclasses
from typing import Any

import flax
import numpy as np

from siamkpn_jax.conversion.files import State, is_counter
from siamkpn_jax.conversion.names import NamePair, counter_keys
from siamkpn_jax.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class Mapped:
  """What a conversion did.

  Attributes:
    tensors: number of arrays.
    parameters: numbers that are trained.
    statistics: numbers of running means and variances.
    ignored: names in the file that nothing here reads.
  """

  tensors: int
  parameters: int
  statistics: int
  ignored: tuple[str, ...]


def to_variables(state: State, entries: list[NamePair]
                 ) -> tuple[dict[str, Any], Mapped]:
  """Converts a state dict with the released names to what a network needs.

  Returns:
    {'params', 'batch_stats'} as numpy arrays, and what was done.

  Raises:
    UserError: one line per problem: missing, unexpected, of a wrong shape,
      not finite, negative variance.
  """
  problems = find_problems(state, entries)
  if problems:
    raise UserError('\n  '.join(
        [f'{len(problems)} problem{"s" * (len(problems) > 1)}:', *problems]))
  flat = {entry.path: np.ascontiguousarray(entry.to_jax(state[entry.key]))
          for entry in entries}
  return flax.traverse_util.unflatten_dict(flat), _summary(
      flat, tuple(sorted(filter(is_counter, state))))


def to_state(variables: dict[str, Any], entries: list[NamePair]
             ) -> tuple[State, Mapped]:
  """Converts variables to a state dict; the inverse of `to_variables`.

  PyTorch's batch counters are zero.
  """
  flat = flax.traverse_util.flatten_dict(variables)
  state = {entry.key: np.ascontiguousarray(
      entry.to_torch(np.asarray(flat[entry.path]))) for entry in entries}
  mapped = _summary({entry.path: flat[entry.path] for entry in entries}, ())
  return state | {key: np.zeros((), np.int64)
                  for key in counter_keys(entries)}, mapped


def _summary(flat: dict[tuple[str, ...], Any],
             ignored: tuple[str, ...]) -> Mapped:
  sizes = {'params': 0, 'batch_stats': 0}
  for path, array in flat.items():
    sizes[path[0]] += array.size
  return Mapped(len(flat), sizes['params'], sizes['batch_stats'], ignored)


def find_problems(state: State, entries: list[NamePair]) -> list[str]:
  """All that keeps a state dict from being converted, sorted by name."""
  expected = {entry.key: entry.shape for entry in entries}
  problems = {}
  for name in {*state, *expected}:
    if name not in state:
      problems[name] = f'missing, expected shape {expected[name]}'
    elif name in expected:
      problem = _find_problem(name, state[name], expected[name])
      if problem:
        problems[name] = problem
    elif not is_counter(name):
      problems[name] = f'unexpected, of shape {state[name].shape}'
  return [f'{name}: {problems[name]}' for name in sorted(problems)]


def _find_problem(name: str, array: np.ndarray,
                  shape: tuple[int, ...]) -> str:
  if array.shape != shape:
    return f'shape {array.shape}, expected {shape}'
  if array.dtype.kind != 'f':
    return f'{array.dtype}, expected floats'
  if not np.isfinite(array).all():
    return f'{np.sum(~np.isfinite(array))} numbers are not finite'
  if name.endswith('running_var') and array.min() < 0:
    return f'a variance of {array.min():.3g}, expected none below 0'
  return ''
