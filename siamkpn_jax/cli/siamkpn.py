"""The program `siamkpn`: the commands under one name."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from siamkpn_jax.cli import command, process

# What the user types -> the module of this package.
COMMANDS = {
    'track': 'track', 'train': 'train', 'eval': 'evaluate', 'score': 'score',
    'compare': 'compare', 'tune': 'tune', 'demo': 'demo', 'convert': 'convert',
    'export': 'export', 'pack': 'pack', 'shrink': 'shrink',
    'inspect': 'inspect', 'report': 'report', 'ablate': 'ablate',
    'trax': 'trax'}


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
  if not argv or argv[0] in ('-h', '--help', 'help'):
    try:
      print(_usage(), file=sys.stdout if argv else sys.stderr, flush=True)
    except OSError as error:
      return command.failed(error)
    return 0 if argv else 2
  name = argv[0]
  if name not in COMMANDS:
    print(f'error: {name}: unknown command; expected one of '
          f'{", ".join(COMMANDS)} (see --help)', file=sys.stderr)
    return 2
  return command.run(
      command.load(COMMANDS[name]), argv[1:], prog=f'siamkpn {name}')


def _usage() -> str:
  lines = [f'  {name:8} {(command.load(module).__doc__ or "").splitlines()[0]}'
           for name, module in COMMANDS.items()]
  return '\n'.join(['usage: siamkpn COMMAND [--FLAG ...]', '', *lines, '',
                    'Run siamkpn COMMAND --help for the flags of a command.'])
