"""Runs a command: arguments parsed, errors in one line, an exit status.

Nothing is kept between two calls, so that one process can run any number of
commands; only JAX's compilation cache stays on.
"""

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from typing import Protocol

from siamkpn_jax.cli import config_flags, process
from siamkpn_jax.cli.extras import install_hint
from siamkpn_jax.cli.parser import HelpShown, Parser, UsageError
from siamkpn_jax.core.compilation_cache import use_compilation_cache
from siamkpn_jax.core.device_errors import device_trouble
from siamkpn_jax.core.errors import UserError


class Command(Protocol):
  """What a module of this package is, besides its docstring."""

  __name__: str
  __doc__: str | None

  def add_arguments(self, parser: Parser, /) -> None:
    """Declares the flags."""

  def run(self, args: argparse.Namespace, /) -> int | None:
    """Does the work; returns the exit status, None for 0."""


def execute(command: Command | str, argv: Sequence[str] | None = None, *,
            prog: str | None = None) -> int:
  """Runs a command as a program would.

  Args:
    command: a module of this package, or its name: importing it takes a while,
      in which Ctrl-C may come as well.
    argv: arguments without the program's name; None for those of the process.
    prog: how the user calls it; default: `python -m siamkpn_jax.X`.

  Returns:
    The exit status: 0; 2 after a wrong flag or a `UserError`, which is printed
    in one line; see `process.status_of` for others.

  Raises:
    Exception: what is no mistake of the user; with --debug every error.
  """
  words = list(sys.argv[1:] if argv is None else argv)
  return process.status_of(lambda: run(
      load(command) if isinstance(command, str) else command, words, prog))


def load(name: str) -> Command:
  """The module of a command."""
  return importlib.import_module(f'siamkpn_jax.cli.{name}')


def run(command: Command, argv: list[str], prog: str | None = None) -> int:
  """`execute` without what Ctrl-C and closed pipes need.

  Args:
    command: a module of this package.
    argv: arguments without the program's name.
    prog: how the user calls it; default: `python -m siamkpn_jax.X`.
  """
  name = command.__name__.rpartition('.')[2]
  parser = Parser(prog or f'python -m siamkpn_jax.{name}',
                  inspect.cleandoc(command.__doc__ or ''))
  command.add_arguments(parser)
  debug = False
  try:
    args = _parse(parser, argv)
    debug = args.debug
    use_compilation_cache()
    status = command.run(args) or 0
    if sys.stdout is not None:
      sys.stdout.flush()  # a full disk shows here
    return status
  except UsageError as error:
    return _fail(f'{error} (see --help)')
  except HelpShown:
    return 0
  except (UserError, OSError, ModuleNotFoundError) as error:
    if debug:
      raise
    return failed(error, name)
  except Exception as error:
    trouble = '' if debug else device_trouble(error)
    if not trouble:
      raise
    return _fail(trouble)


def failed(error: UserError | OSError | ModuleNotFoundError,
           name: str = '') -> int:
  """Tells of an error in one line.

  Args:
    error: it.
    name: of the command's module.

  Returns:
    The exit status.

  Raises:
    Exception: the error is a bug.
  """
  message = _explain(error, name)
  if message is None:
    raise error
  return _fail(message)


def _parse(parser: Parser, argv: list[str]) -> argparse.Namespace:
  left, overrides = config_flags.take_overrides(argv)
  args = parser.parse_args(left)
  if overrides and not hasattr(args, 'config'):
    raise UsageError(f'--config.{overrides[0]}: unknown flag')
  if overrides and not args.config:
    raise UsageError(f'--config.{overrides[0]}: needs --config FILE')
  args.config_overrides, args.argv = overrides, argv
  return args


def _explain(error: UserError | OSError | ModuleNotFoundError,
             name: str) -> str | None:
  """The line for the user; None for a bug."""
  if isinstance(error, UserError):
    return str(error)
  if isinstance(error, ModuleNotFoundError):
    return install_hint(error, name)
  if isinstance(error, BrokenPipeError) and process.reader_has_left():
    return None  # no mistake: see `process.status_of`
  # A full disk, a folder that is a file.
  what = error.filename or 'standard output or a file'
  return (f'{what}: {error.strerror or error}; expected a path with read and '
          'write access: check its permissions and the free space')


def _fail(message: str) -> int:
  # Names may hold ends of lines, and what a terminal takes for commands.
  line = re.sub(r'[\x00-\x1f\x7f-\x9f]', lambda c: ascii(c[0])[1:-1], message)
  print(f'error: {line}', file=sys.stderr)
  return 2
