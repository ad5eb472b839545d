"""Variants of a configuration, written as 'section.name=value,...'."""

import ast
import copy
import re
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from siamkpn_jax.config.settings import check_config, default_config, to_plain
from siamkpn_jax.core.errors import UserError

_COMMA = re.compile(r',\s*(?=\w+\.\w+=)')  # not those inside a value


def with_changes(config: ConfigDict, settings: str) -> ConfigDict:
  """A copy of a configuration with other settings, checked.

  Args:
    config: the configuration.
    settings: 'section.name=value', several separated by commas; '' for none.
      Values as in Python, text without quotes.

  Raises:
    UserError: not of this form, an unknown setting, or a value that it cannot
      have.
  """
  config = copy.deepcopy(config)
  for setting in filter(None, _COMMA.split(settings)):
    match = re.fullmatch(r'(\w+)\.(\w+)=(.+)', setting)
    if not match:
      raise UserError(f"the change '{setting}' of the configuration: expected "
                      'section.name=value, such as model.num_stages=2')
    section, name, value = match.groups()
    if name not in getattr(config.get(section), 'keys', tuple)():
      raise UserError(f"the change '{setting}' of the configuration: unknown "
                      f'setting {section}.{name}; '
                      'siamkpn_jax/config/settings.py lists all')
    try:
      config[section][name] = _parse(value, config[section][name])
    except (ValueError, SyntaxError, TypeError) as error:
      raise UserError(
          f"the change '{setting}' of the configuration: expected a value "
          f'like {config[section][name]!r}') from error
  check_config(config)
  return config


def with_tracking(config: Mapping[str, Any], settings: str) -> dict[str, Any]:
  """A copy of a plain configuration that tracks with other settings.

  Args:
    config: plain configuration, as stored with a checkpoint.
    settings: 'name=value,...' of its section `tracking`; '' for none.

  Raises:
    UserError: as `with_changes`.
  """
  changed = default_config()
  changed.tracking.update(config['tracking'])
  prefixed = ','.join(f'tracking.{setting.strip()}'
                      for setting in settings.split(',') if setting.strip())
  tracking = to_plain(with_changes(changed, prefixed).tracking)
  return {**config, 'tracking': tracking}


def _parse(text: str, old: Any) -> Any:
  if isinstance(old, str):
    return text
  value = ast.literal_eval(text)
  if isinstance(value, bool) != isinstance(old, bool):  # a kind of int
    raise TypeError(text)
  return value
