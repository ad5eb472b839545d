"""The base of all configuration sections: checks types and ranges.

A setting is a field of a frozen dataclass, the only place that defines its
default and its range.
"""

import contextlib
import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

from siamkpn_jax.core.errors import UserError

_SHORT = 200  # characters of a wrong value that a message shows


@dataclasses.dataclass(frozen=True)
class Range:
  """The values that a setting allows.

  Attributes:
    allows: whether a value is allowed.
    expected: the allowed values in words, for error messages.
  """

  allows: Callable[[Any], bool]
  expected: str


PROBABILITY = Range(lambda p: 0 <= p <= 1, 'a probability, 0 to 1')
COUNT = 2**31 - 1  # the largest number of steps or things: int32 on devices


def one_of(*choices: str) -> Range:
  """One of the given strings."""
  return Range(lambda word: word in choices, f'one of {", ".join(choices)}')


def at_least(least: float, most: float = COUNT) -> Range:
  """A number of at least `least`; beyond `most` it must be a mistake."""
  return Range(lambda x: least <= x <= most,
               f'{least:g} or more, at most {most:g}')


def above(low: float, most: float) -> Range:
  """A number of more than `low`; beyond `most` it must be a mistake."""
  return Range(lambda x: low < x <= most,
               f'more than {low:g}, at most {most:g}')


def each(allowed: Range) -> Range:
  """A tuple of such values."""
  return Range(lambda values: all(map(allowed.allows, values)),
               f'each {allowed.expected}')


def between(low: float, high: float) -> Range:
  """A number from `low` to `high`, both included."""
  return Range(lambda x: low <= x <= high, f'{low:g} to {high:g}')


def setting(default: Any, allowed: Range | None = None) -> Any:
  """A dataclass field with a default and a range of allowed values."""
  return dataclasses.field(default=default, metadata={'allowed': allowed})


@dataclasses.dataclass(frozen=True)
class Section:
  """A section of the configuration, such as ModelConfig for `config.model`."""

  def __post_init__(self) -> None:
    """Checks every value, after converting lists to tuples and int to float.

    Raises:
      UserError: the first invalid setting, its value and what was expected.
    """
    kinds = types_of(type(self))
    for field in dataclasses.fields(self):
      kind = kinds[field.name]
      value = getattr(self, field.name)
      if isinstance(value, list):
        value = tuple(value)
        object.__setattr__(self, field.name, value)
      if type(value) is int and kind in (float, float | None):
        with contextlib.suppress(OverflowError):  # no range allows it
          value = float(value)
          object.__setattr__(self, field.name, value)
      if not fits(value, kind):
        raise self.wrong(field.name, words_of(kind))
      allowed = field.metadata.get('allowed')
      if allowed and value is not None and not allowed.allows(value):
        raise self.wrong(field.name, allowed.expected)
    self._check()

  def _check(self) -> None:
    """Checks settings of the section against each other."""

  def wrong(self, name: str, expected: str, item: Any = None) -> UserError:
    """The error for a setting with an invalid value, or item of a tuple."""
    section = type(self).__name__.removesuffix('Config').lower()
    key = f'{section}.{name}' if section else name
    value = getattr(self, name) if item is None else item
    return UserError(f'config.{key} is {_short(value)}; expected {expected}')


def _short(value: Any) -> str:
  """What a value is, in a line; what was stored may be of any length."""
  try:
    text = ' '.join(repr(value).split())
  except (ValueError, RecursionError):  # thousands of digits, or of levels
    text = f'a huge {type(value).__name__}'
  return text if len(text) <= _SHORT else f'{text[:_SHORT]}...'


def types_of(kind: type) -> dict[str, Any]:
  """Name -> type of every field of a dataclass."""
  return typing.get_type_hints(kind)


def is_optional(kind: Any) -> bool:
  """Whether a type allows None."""
  return isinstance(kind, types.UnionType)


def fits(value: Any, kind: Any) -> bool:
  """Whether a value is of a field's type; integers pass as numbers."""
  if is_optional(kind):
    return any(fits(value, part) for part in typing.get_args(kind))
  if typing.get_origin(kind) is tuple:
    item, _ = typing.get_args(kind)  # tuple[item, ...]
    return isinstance(value, tuple) and all(fits(v, item) for v in value)
  if isinstance(value, bool) and kind is not bool:
    return False  # a bool is an int in Python
  return isinstance(value, (int, float) if kind is float else kind)


def words_of(kind: Any) -> str:
  """A type in words."""
  if is_optional(kind):
    return ' or '.join(map(words_of, typing.get_args(kind)))
  if typing.get_origin(kind) is tuple:
    return f'a tuple, each item {words_of(typing.get_args(kind)[0])}'
  return {bool: 'True or False', int: 'an integer', float: 'a number',
          str: 'a string', type(None): 'None'}.get(
              kind, 'a section of settings')


