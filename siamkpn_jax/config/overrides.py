"""Overrides of a configuration, written as 'section.name=value,...'."""

import ast
import re
from collections.abc import Mapping
from typing import Any

from siamkpn_jax.config.network import TrackingConfig
from siamkpn_jax.config.section import Section, fits, types_of
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError

_DEFAULT = Config()
_COMMA = re.compile(r',\s*(?=\w+\.\w+=)')  # not those inside a value


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
  return config.updated(**_parse(settings))


def parse_tracking(settings: str) -> dict[str, Any]:
  """'name=value,...' with fields of `TrackingConfig` -> name -> value.

  Raises:
    UserError: as `with_changes`, except for the range of the values.
  """
  return _parse(','.join(
      f'tracking.{setting.strip()}' for setting in settings.split(',')
      if setting.strip())).get('tracking', {})


def with_tracking(config: Config, hyperparameters: Mapping[str, Any]) -> Config:
  """A copy of a configuration with other tracking hyperparameters.

  Args:
    config: the configuration, usually that of a checkpoint.
    hyperparameters: field of `TrackingConfig` -> value.

  Raises:
    UserError: an unknown hyperparameter, or a value that it does not allow.
  """
  known = types_of(TrackingConfig)
  for name in hyperparameters:
    if name not in known:
      raise UserError(f'{name}: unknown hyperparameter; expected one of '
                      f'{", ".join(known)}')
  return config.updated(tracking=hyperparameters)


def _parse(settings: str) -> dict[str, dict[str, Any]]:
  """Section -> name -> value."""
  changes: dict[str, dict[str, Any]] = {}
  for change in filter(None, _COMMA.split(settings)):
    match = re.fullmatch(r'(\w+)\.(\w+)=(.+)', change)
    if not match:
      raise UserError(f"override '{change}': expected section.name=value, such "
                      'as model.num_stages=2')
    section, name, text = match.groups()
    part = getattr(_DEFAULT, section, None)
    if not isinstance(part, Section) or name not in types_of(type(part)):
      raise UserError(f"override '{change}': unknown setting {section}.{name}; "
                      'expected one of siamkpn_jax/config/settings.py')
    kind = types_of(type(part))[name]
    try:
      value = text if kind is str else ast.literal_eval(text)
      value = tuple(value) if isinstance(value, list) else value
      if not fits(value, kind):
        raise TypeError(text)
    except (ValueError, SyntaxError, TypeError) as error:
      raise UserError(
          f"override '{change}': expected a value like "
          f'{getattr(part, name)!r}') from error
    changes.setdefault(section, {})[name] = value
  return changes
