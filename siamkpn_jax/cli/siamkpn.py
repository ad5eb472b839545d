"""The program `siamkpn`: the commands under one name."""

import importlib
import sys
from collections.abc import Sequence

from siamkpn_jax.cli.command import execute

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
    The exit status; see `execute`.
  """
  argv = list(sys.argv[1:] if argv is None else argv)
  if not argv or argv[0] in ('-h', '--help', 'help'):
    print(_usage(), file=sys.stdout if argv else sys.stderr)
    return 0 if argv else 2
  name = argv[0]
  if name not in COMMANDS:
    print(f'error: {name}: unknown command; expected one of '
          f'{", ".join(COMMANDS)} (see --help)', file=sys.stderr)
    return 2
  return execute(_module(name), argv[1:], prog=f'siamkpn {name}')


def _usage() -> str:
  lines = [f'  {name:8} {(_module(name).__doc__ or "").splitlines()[0]}'
           for name in COMMANDS]
  return '\n'.join(['usage: siamkpn COMMAND [--FLAG ...]', '', *lines, '',
                    'Run siamkpn COMMAND --help for the flags of a command.'])


def _module(name: str):
  # Late: the usage and the other commands do not wait for it.
  return importlib.import_module(f'siamkpn_jax.cli.{COMMANDS[name]}')
