"""Overrides of a configuration, written as 'section.name=value,...'."""

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from siamkpn_jax.config.network import TrackingConfig
from siamkpn_jax.config.section import Section, fits, types_of
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.numbers import is_plain

_COMMA = re.compile(r',\s*(?=\w+\.\w+=)')  # not those inside a value
_QUOTED = re.compile('\'[^\']*\'|"[^"]*"')


def with_changes(config: Config, settings: str) -> Config:
  """A validated copy of a configuration with some settings changed.

  Args:
    config: the configuration.
    settings: comma-separated 'section.name=value'; '' for no change. Values
      are Python literals, strings without quotes.

  Raises:
    UserError: wrong syntax, an unknown setting, or a value that it does not
      allow.
  """
  changes: dict[str, dict[str, Any]] = {}
  for change in filter(None, _COMMA.split(settings)):
    match = re.fullmatch(r'(\w+)\.(\w+)=(.+)', change)
    if not match:
      raise UserError(f"override '{change}': expected section.name=value, such "
                      'as model.num_stages=2')
    section, name, text = match.groups()
    part = getattr(config, section, None)
    if not isinstance(part, Section) or name not in types_of(type(part)):
      raise UserError(f"override '{change}': unknown setting {section}.{name}; "
                      'docs/reference/configuration.md lists all')
    given = changes.setdefault(section, {})
    _check_new(change, name, given)
    given[name] = _value(change, text, part, name)
  return config.updated(**changes)


def parse_tracking(settings: str) -> dict[str, Any]:
  """'name=value,...' with fields of `TrackingConfig` -> name -> value.

  Raises:
    UserError: wrong syntax, an unknown name, or a value of another type.
  """
  changes: dict[str, Any] = {}
  for change in filter(None, map(str.strip, settings.split(','))):
    name, equals, text = change.partition('=')
    if not equals:
      raise UserError(f"override '{change}': expected name=value, such as "
                      'penalty_k=0.1')
    _check_known([name])
    _check_new(change, name, changes)
    changes[name] = _value(change, text, TrackingConfig(), name)
  return changes


def with_tracking(config: Config, hyperparameters: Mapping[str, Any]) -> Config:
  """A copy of a configuration with other tracking hyperparameters.

  Args:
    config: the configuration, usually that of a checkpoint.
    hyperparameters: field of `TrackingConfig` -> value.

  Raises:
    UserError: an unknown hyperparameter, or a value that it does not allow.
  """
  _check_known(hyperparameters)
  return config.updated(tracking=hyperparameters)


def _check_known(names: Iterable[str]) -> None:
  known = types_of(TrackingConfig)
  for name in names:
    if name not in known:
      raise UserError(f'{name}: unknown hyperparameter; expected one of '
                      f'{", ".join(known)}')


def _check_new(change: str, name: str, given: Mapping[str, Any]) -> None:
  if name in given:
    raise UserError(f"override '{change}': {name} is already set to "
                    f'{given[name]!r}; expected each setting once')


def _value(change: str, text: str, section: Section, name: str) -> Any:
  """What a text says, of the type of a section's setting."""
  kind = types_of(type(section))[name]
  try:
    if kind is not str and not is_plain(_QUOTED.sub('', text)):
      raise ValueError(text)
    value = text if kind is str else ast.literal_eval(text)
    value = tuple(value) if isinstance(value, list) else value
    if not fits(value, kind):
      raise TypeError(text)
  except (ValueError, SyntaxError, TypeError, RecursionError,
          MemoryError) as error:  # the last two of deep nesting
    raise UserError(f"override '{change[:200]}': expected a value like "
                    f'{getattr(section, name)!r}') from error
  return value
