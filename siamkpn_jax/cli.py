"""What every entry point shares: flags, one-line errors, exit codes."""

import sys
from collections.abc import Callable, Sequence

from absl import app, flags

from siamkpn_jax.errors import UserError

_DEBUG = flags.DEFINE_bool(
    'debug', False, 'Show the full traceback of an error.')


def run(main: Callable[[Sequence[str]], None]) -> None:
  """Runs `main` under absl: flags parsed, mistakes reported in one line.

  Args:
    main: function of the arguments that are left after flag parsing.

  Exits with 0 on success, 1 on a wrong flag, 2 on a `UserError`, 130 on
  Ctrl-C. `--debug` shows the traceback.
  """
  app.run(lambda argv: _guarded(main, argv), flags_parser=_parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
  try:
    return app.parse_flags_with_usage(argv)
  except (AttributeError, KeyError) as error:  # ml_collections: unknown key
    overrides = [a for a in argv if a.startswith('--config.')]
    message = ' '.join(str(a) for a in error.args).strip('"')
    where = ' '.join(overrides) or 'the file of --config'
    _fail(f'unknown configuration key in {where}: {message.splitlines()[0]}; '
          'siamkpn_jax/config.py lists all keys')
  except (TypeError, ValueError) as error:
    _fail(f'wrong configuration value: {error}')
  raise AssertionError('unreachable')


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
  except KeyboardInterrupt:
    print('\ninterrupted', file=sys.stderr)
    sys.exit(130)


def _fail(message: str) -> None:
  print(f'error: {message}', file=sys.stderr)
  sys.exit(2)
