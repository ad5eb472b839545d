"""Configuration files: FILE[:arg] with `get_config(arg)`, and changes."""

import re
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from siamkpn_jax.core.errors import UserError

FOLDER = Path(__file__).parents[1] / 'configs'


def load_config(path_or_name: str, overrides: Sequence[str] = ()) -> ConfigDict:
  """The configuration of a file, locked.

  Args:
    path_or_name: a file with an optional argument, 'configs/kpn3s.py:otb', or
      the name of a packaged configuration, 'kpn3s:otb'.
    overrides: 'section.name=value'.

  Raises:
    UserError: no such file, or something in it or in the overrides is wrong.
  """
  name, colon, arg = path_or_name.partition(':')
  path = _find(name)
  argv = ['', f'--config={path}{colon}{arg}',
          *(f'--config.{change}' for change in overrides)]
  values = flags.FlagValues()  # not the ones of the process
  config_flags.DEFINE_config_file(
      'config', lock_config=True, flag_values=values, sys_argv=argv)
  try:
    values(argv)
    return values.config
  except UserError as error:
    raise UserError(f'--config {name}: {error}') from error
  except flags.Error as error:
    raise UserError(' '.join(str(error).split())) from error
  except Exception as error:  # a configuration file can raise anything
    where = ' '.join([f'--config {name}',
                      *(f'--config.{change}' for change in overrides)])
    raise UserError(f'{where}: {_reason(error)}') from error


def _find(name: str) -> Path:
  path = Path(name)
  if path.is_file():
    return path
  packaged = FOLDER / f'{path.stem}.py'
  if str(path) in (path.stem, f'configs/{path.stem}.py') and (
      packaged.is_file()):
    return packaged
  known = ', '.join(sorted(file.stem for file in FOLDER.glob('*.py')))
  raise UserError(f'--config {name}: no such file; expected a configuration '
                  f'file such as configs/kpn3s.py, or one of {known}')


def _reason(error: Exception) -> str:
  """What is wrong with a configuration, in one line."""
  text = ' '.join(str(a) for a in error.args)
  unknown = (re.search(r'Key "(\w+)"', text) or
             re.match(r'(?:KeyError)?\W*(\w+)', text))
  if isinstance(error, AttributeError | KeyError) and unknown:
    meant = re.search(r'Did you mean "(\w+)"', text)
    return (f"unknown configuration key '{unknown[1]}'; "
            + (f"did you mean '{meant[1]}'? " if meant else '') +
            'siamkpn_jax/config/settings.py lists all keys')
  return f'{type(error).__name__}: {" ".join(str(error).split())}'
