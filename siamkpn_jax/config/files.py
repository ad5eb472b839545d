"""Configuration files and overrides: the only user of ml_collections.

A file defines a function `get_config(arg)`, which returns a modified
`default_config()`. ml_collections is imported only when a file is read:
tracking with a checkpoint, which holds its own configuration, does not need it.
"""

import dataclasses
import inspect
import os
import re
import runpy
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from siamkpn_jax.config.section import is_optional, types_of, words_of
from siamkpn_jax.config.settings import (
  Config,
  config_from_dict,
  flatten,
  unknown_key,
)
from siamkpn_jax.core.errors import UserError, raised_in

if typing.TYPE_CHECKING:
  from ml_collections import ConfigDict

_PACKAGED = Path(__file__).parents[1] / 'configs'


def default_config() -> 'ConfigDict':
  """The default configuration, for a configuration file to modify.

  It is locked: setting an unknown key raises an error.
  """
  return config_dict(Config())


def config_dict(config: Config) -> 'ConfigDict':
  """A configuration as a locked ConfigDict, with the types of the settings."""
  from ml_collections import ConfigDict
  from ml_collections.config_dict import placeholder
  def convert(section: Any) -> ConfigDict:
    out = ConfigDict()
    for field in dataclasses.fields(section):
      value, kind = getattr(section, field.name), types_of(type(section))
      if is_optional(kind[field.name]):
        out[field.name] = placeholder(typing.get_args(kind[field.name])[0])
      out[field.name] = (
          convert(value) if dataclasses.is_dataclass(value) else value)
    return out
  return convert(config).lock()


def typed(config: 'ConfigDict') -> Config:
  """Checks what a configuration file returned and converts it.

  Raises:
    UserError: an unknown key, or a value that its setting does not allow.
  """
  plain = config.to_dict()
  known = flatten(Config())
  for key in flatten(plain):
    if key not in known:
      raise unknown_key(key)
  return config_from_dict(plain)


def load_config(path_or_name: str, overrides: Sequence[str] = (), *,
                flag: str = '--config') -> Config:
  """Loads a configuration file and applies overrides.

  Args:
    path_or_name: a path such as 'configs/kpn3s.py', or a packaged name such as
      'kpn3s'; either may carry an argument, as in 'kpn3s:otb'. Where there
      is no configs/ folder, 'configs/NAME.py' is the packaged NAME.
    overrides: each 'section.name=value', with values as in
      --config.section.name=value.
    flag: by which the file was asked for, for messages.

  Raises:
    UserError: a missing or invalid file, an unknown key, or a value that its
      setting does not allow.
  """
  drive, rest = os.path.splitdrive(path_or_name)
  name, _, arg = rest.partition(':')
  path = _find(drive + name, flag)
  try:
    config = _get_config(path, arg)
    for override in overrides:
      try:
        _override(config, override)
      except UserError as error:
        raise UserError(f'--config.{override[:200]}: {error}') from error
    return typed(config)
  except UserError as error:
    raise UserError(f'{flag} {path_or_name}: {error}') from error


def _find(name: str, flag: str) -> Path:
  path = Path(name)
  if path.is_file():
    return path
  packaged = _PACKAGED / f'{path.stem}.py'
  if packaged.is_file() and name in (
      path.stem, f'configs/{path.name}', f'configs\\{path.name}'):
    return packaged
  names = ', '.join(sorted(p.stem for p in _PACKAGED.glob('*.py')))
  raise UserError(f'{flag} {name}: no such file; expected a configuration '
                  f'file, such as configs/kpn3s.py, or one of {names}')


def _get_config(path: Path, arg: str) -> 'ConfigDict':
  """Runs a configuration file."""
  from ml_collections import ConfigDict
  _check_nesting(path)
  try:
    get_config: Callable[..., Any] = runpy.run_path(str(path))['get_config']
    takes_one = bool(inspect.signature(get_config).parameters)
    if arg and not takes_one:
      raise UserError(f"takes no argument; expected no ':{arg}': omit it")
    config = get_config(arg) if takes_one and arg else get_config()
  except (UserError, MemoryError):
    raise
  except Exception as error:  # a configuration file can raise anything
    raise _file_error(error) from error
  if isinstance(config, Config):
    return config_dict(config)
  if not isinstance(config, ConfigDict):
    raise UserError(f'get_config() returns a {type(config).__name__}; '
                    'expected a modified default_config(): return that')
  return config


def _check_nesting(path: Path) -> None:
  """Refuses what Python's parser has no room for.

  It raises MemoryError, as does a configuration that is too large in earnest.
  """
  try:
    compile(path.read_bytes(), str(path), 'exec')
  except MemoryError as error:
    raise UserError('no configuration: nested too deeply for Python to read it '
                    '(or memory is short); expected a Python file with '
                    'get_config()') from error
  except (SyntaxError, ValueError, RecursionError, OSError):
    return  # told when the file runs


def _file_error(error: Exception) -> UserError:
  """What is wrong with a configuration file, in one line."""
  text = ' '.join(str(a) for a in error.args)
  missing = (re.search(r'Key "(\w+)"', text) or
             re.match(r'\W*(\w+)\W*(?:\n|\\n|$)', text))
  if isinstance(error, KeyError | AttributeError) and missing:
    key, place = missing[1], raised_in(error)
    if key == 'get_config' and place == __name__:
      return UserError('no get_config(); expected a function that returns a '
                       'modified default_config(): add it')
    if place.startswith('ml_collections.'):  # not of a dict of the file's
      return unknown_key(key)
  return UserError(f'{type(error).__name__}: {" ".join(str(error).split())}')


def _override(config: 'ConfigDict', override: str) -> None:
  key, equals, text = override.removeprefix('!').partition('=')
  section, _, name = key.rpartition('.')
  part: Any = getattr(Config(), section, None) if section else Config()
  kind = types_of(type(part)).get(name) if part is not None else None
  if kind is None or dataclasses.is_dataclass(kind):
    raise unknown_key(key)
  try:
    no = override.startswith('!')
    if (no or not equals) and kind is not bool:
      raise ValueError
    value = not no if no or not equals else _parse(text, kind)
  except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
    raise UserError(f'expected {words_of(kind)}') from error
  (config[section] if section else config)[name] = value


def _parse(text: str, kind: Any) -> Any:
  """A value of a type, as a flag of ml_collections reads it.

  Raises:
    ValueError: it is not one.
  """
  from absl import flags
  from ml_collections.config_flags import tuple_parser
  if is_optional(kind):
    return None if text == 'None' else _parse(text, typing.get_args(kind)[0])
  if typing.get_origin(kind) is tuple:
    return tuple_parser.TupleParser().parse(text)
  parsers: dict[Any, Any] = {
      bool: flags.BooleanParser(), int: flags.IntegerParser(),
      float: flags.FloatParser(), str: flags.ArgumentParser()}
  try:
    return parsers[kind].parse(text)
  except TypeError as error:
    raise ValueError(text) from error
