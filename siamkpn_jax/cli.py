"""What every entry point shares: flags, one-line errors, exit codes."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, flags, logging

from siamkpn_jax.core.errors import UserError

_DEBUG = flags.DEFINE_bool(
    'debug', False, 'Show the full traceback of an error.')


def run(main: Callable[[Sequence[str]], None]) -> None:
  """Runs `main` under absl: flags parsed, mistakes reported in one line.

  Args:
    main: function of the arguments that are left after flag parsing.

  Exits with 0 on success, 2 on a wrong flag or a `UserError`, 130 on
  Ctrl-C. `--debug` shows the traceback.
  """
  # jax tells, as information, of every kind of device that is not there.
  logging.set_verbosity(logging.WARNING)
  app.run(lambda argv: _guarded(main, argv), flags_parser=_parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
  path = _config_path(argv)
  if path and not os.path.isfile(path):
    _fail(f'--config {path}: no such file; expected a configuration file such '
          'as configs/kpn3s.py')
  try:
    return flags.FLAGS(argv)
  except flags.Error as error:
    _fail(f'{" ".join(str(error).split())} (see --help)')
  except UserError as error:
    _fail(f'--config {path}: {error}')
  except Exception as error:  # a configuration file can raise anything
    if any(a.startswith('--debug') for a in argv):
      raise
    overrides = [a for a in argv if a.startswith('--config.')]
    where = ' '.join([f'--config {path}', *overrides])
    _fail(f'{where}: {_reason(error)}')


def _config_path(argv: list[str]) -> str:
  """The file that --config names, without its argument; '' without --config."""
  for flag, following in zip(argv, [*argv[1:], ''], strict=True):
    if flag == '--config':
      return following.split(':')[0]
    if flag.startswith('--config='):
      return flag.removeprefix('--config=').split(':')[0]
  return ''


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


def _guarded(main: Callable[[Sequence[str]], None],
             argv: Sequence[str]) -> None:
  if len(argv) > 1:
    _fail(f'unexpected argument {argv[1]!r}; expected flags only (see --help)')
  try:
    main(argv)
  except UserError as error:
    if _DEBUG.value:
      raise
    _fail(str(error))
  except OSError as error:  # a full disk, a folder that is a file
    if _DEBUG.value:
      raise
    _fail(f'{error.filename or ""}: {error.strerror or error}; expected a '
          'place that can be read and written')
  except KeyboardInterrupt:
    print('\ninterrupted', file=sys.stderr)
    sys.exit(130)


def _fail(message: str) -> NoReturn:
  print(f'error: {message}', file=sys.stderr)
  sys.exit(2)
