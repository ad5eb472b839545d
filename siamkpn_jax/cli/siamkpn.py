"""The program `siamkpn`: the commands under one name."""

import difflib
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

from siamkpn_jax import __version__
from siamkpn_jax.cli import command, process

# What the user types -> the module of this package.
COMMANDS = {
    'track': 'track', 'train': 'train', 'eval': 'evaluate', 'score': 'score',
    'compare': 'compare', 'tune': 'tune', 'demo': 'demo', 'convert': 'convert',
    'export': 'export', 'weights': 'list_weights', 'pack': 'pack',
    'shrink': 'shrink', 'inspect': 'inspect', 'report': 'report',
    'ablate': 'ablate', 'train-demo': 'train_demo', 'trax': 'trax'}
# What `python -m siamkpn_jax.X` may have taught the user.
_MODULE_NAMES = {module: name for name, module in COMMANDS.items()}


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command that the first argument names.

  Args:
    argv: arguments without the program's name; None for those of the process.

  Returns:
    The exit status; see `command.execute`.
  """
  words = list(sys.argv[1:] if argv is None else argv)
  return process.status_of(lambda: _run(words))


def program() -> NoReturn:
  """`main` as a program."""
  process.leave(main())


def _run(argv: list[str]) -> int:
  if argv[:1] == ['help'] and len(argv) > 1:
    argv = [argv[1], '--help']
  if not argv:
    return _show(_usage(), sys.stderr) or 2
  if argv[0] in ('-h', '--help', 'help'):
    return _show(_usage(), sys.stdout)
  if argv[0] == '--version':
    return _show(f'siamkpn_jax {__version__}', sys.stdout)
  name = _MODULE_NAMES.get(argv[0], argv[0])
  if name not in COMMANDS:
    near = difflib.get_close_matches(name, [*COMMANDS, *_MODULE_NAMES], 1)
    meant = f'did you mean {near[0]}?' if near else (
        f'expected one of {", ".join(COMMANDS)}')
    print(f'error: {name}: unknown command; {meant} (see --help)',
          file=sys.stderr)
    return 2
  return command.run(
      command.load(COMMANDS[name]), argv[1:], prog=f'siamkpn {name}')


def _show(text: str, stream: TextIO) -> int:
  try:
    print(text, file=stream, flush=True)
  except OSError as error:
    return command.failed(error)
  return 0


def _about(module: str) -> str:
  text = command.load(module).__doc__ or ''  # none with python -OO
  return text.partition('\n')[0]


def _usage() -> str:
  lines = [f'  {name:10} {_about(module)}'
           for name, module in COMMANDS.items()]
  return '\n'.join(['usage: siamkpn COMMAND [--FLAG ...]', '', *lines, '',
                    'Run siamkpn COMMAND --help for the flags of a command, '
                    'siamkpn --version for the version.'])
