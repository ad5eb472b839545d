"""The flags --config FILE[:arg] and --config.section.name=value."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from siamkpn_jax.cli.parser import Parser

if TYPE_CHECKING:
  from siamkpn_jax.config.settings import Config

_PREFIX = '--config.'


def add_config_argument(parser: Parser, purpose: str, *,
                        required: bool = False,
                        default: str | None = None) -> None:
  """Declares --config; its overrides come in `args.config_overrides`."""
  parser.add_argument(
      '--config', required=required, default=default, metavar='FILE[:ARG]',
      help=f'{purpose} Either a path or the name of a packaged configuration, '
      'such as kpn3s. Override settings with --config.section.name=value.')


def take_overrides(argv: Sequence[str]) -> tuple[list[str], list[str]]:
  """Takes the changes of a configuration out of the arguments.

  Args:
    argv: arguments with --config.section.name=value, with the value as the
      next argument, or without one for True (`--noconfig.section.name`: False).

  Returns:
    The other arguments, and the changes: 'section.name=value', 'section.name'
    for True, '!section.name' for False.
  """
  left, overrides = [], []
  words = list(argv)
  while words:
    word = words.pop(0)
    if word.startswith('--noconfig.'):
      overrides.append('!' + word.removeprefix('--noconfig.'))
    elif not word.startswith(_PREFIX):
      left.append(word)
    elif '=' in word:
      overrides.append(word.removeprefix(_PREFIX))
    else:
      is_switch = not words or words[0].startswith('--')
      value = '' if is_switch else f'={words.pop(0)}'
      overrides.append(word.removeprefix(_PREFIX) + value)
  return left, overrides


def load(args: argparse.Namespace) -> 'Config':
  """The configuration that the flags ask for.

  Raises:
    UserError: no such file, or something in it or in the changes is wrong.
  """
  from siamkpn_jax.config.files import load_config
  return load_config(args.config, args.config_overrides)
