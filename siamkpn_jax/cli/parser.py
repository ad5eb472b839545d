"""argparse with one-line errors, and the kinds of values that flags take."""

import argparse
import collections
import difflib
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from siamkpn_jax.core import numbers

# Of flags that do nothing, or say so themselves, where they are not given.
_NO_DEFAULTS: tuple[Any, ...] = (None, '', (), [], argparse.SUPPRESS)
_LARGEST = 2**63 - 1  # number that any flag takes
# Flags that what stands alone may be meant for, where they are required.
_INPUTS = '--input', '--data', '--workdir', '--weights', '--config'
_Number = TypeVar('_Number', int, float)


class UsageError(Exception):
  """Wrong flags; the message is one line."""


class HelpShown(SystemExit):
  """The user asked for the help, and has it."""


class Parser(argparse.ArgumentParser):
  """A command's flags: `--zero_based` or `--zero-based`, never abbreviated.

  As in `--box -5,-5,20,20`, a value may start with a minus sign.
  """

  def __init__(self, prog: str, description: str):
    self._flags: dict[str, argparse.Action] = {}
    super().__init__(
        prog, description=description, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    self.add_argument('--debug', action=Switch, default=False,
                      help='Show full tracebacks of errors.')

  def add_argument(self, *names: str, **options: Any) -> argparse.Action:
    """Declares a flag; see argparse. Its default is added to its help."""
    action = super().add_argument(*names, **options)
    value = action.default
    if action.help and value is not False and value not in _NO_DEFAULTS:
      text = ('on' if value is True else
              ','.join(value) if isinstance(value, tuple) else value)
      action.help = f'{action.help.removesuffix(".")}; default: {text}.'
    self._flags.update(dict.fromkeys(action.option_strings, action))
    return action

  def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
    """The values of the flags.

    Raises:
      UsageError: they are wrong.
    """
    return super().parse_args(self._normalize(args), namespace)

  def print_help(self, file: Any = None) -> None:
    """Prints the help; argparse's own hides that nobody can read it."""
    print(self.format_help(), end='', file=file, flush=True)

  def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
    """Ends the parsing after the help."""
    raise HelpShown

  def error(self, message: str) -> NoReturn:
    """Raises argparse's complaint."""
    missing = message.removeprefix('the following arguments are required: ')
    if missing != message:
      raise UsageError(f'missing {missing}')
    raise UsageError(message.removeprefix('argument '))

  def _normalize(self, argv: Sequence[str]) -> list[str]:
    """Underscores in names; a value in the word of its flag."""
    result = []
    words = collections.deque(argv)
    places = sum(not action.option_strings for action in self._actions)
    while words:
      word = words.popleft()
      _, equals, value = word.partition('=')
      name = self._name(word)
      action = self._flags.get(name)
      if action is None and not word.startswith('-') and places:
        result.append(word)
        places -= 1
      elif action is None:
        self._refuse(word, argv)
      elif isinstance(action, Switch):
        result.append(action.spell(name, value) if equals else name)
      else:
        if not equals and action.nargs != 0 and words:  # 0: --help
          if words[0].startswith('--') and self._name(words[0]) in self._flags:
            raise UsageError(
                f'{name}: expected a value, got the flag {words[0]}; write '
                f'{name}={words[0]} if that is the value')
          equals, value = '=', words.popleft()
        if ',' in str(action.metavar):
          _check_commas(name, value, words)
        result.append(name + equals + value)
    return result

  def _name(self, word: str) -> str:
    """The flag that a word is, or the word before its '='."""
    name = word.partition('=')[0]
    if name.startswith('--'):
      name = '--' + name[2:].replace('-', '_')
      if name not in self._flags:
        name = name.replace('--no_', '--no', 1)
    return name

  def _refuse(self, argument: str, argv: Sequence[str]) -> NoReturn:
    if not argument.startswith('-'):
      one = next((action for action in self._actions
                  if not action.option_strings), None)
      expected = 'only flags' if one is None else (
          f'one {one.metavar} and flags; write a pattern such as '
          "'frames/*.jpg' in quotes")
      flag = next((flag for flag in _INPUTS if flag in self._flags and
                   self._flags[flag].required), None)
      meant = '' if flag is None or any(
          word.partition('=')[0] == flag for word in argv) else (
              f'; did you mean {flag} {argument}?')
      raise UsageError(
          f'unexpected argument {argument!r}: expected {expected}{meant}')
    name = argument.partition('=')[0]
    near = difflib.get_close_matches(name, self._flags, 1)
    raise UsageError(f'{name}: unknown flag' +
                     (f'; did you mean {near[0]}?' if near else ''))


def _check_commas(name: str, value: str, words: Iterable[str]) -> None:
  """Refuses numbers in words of their own where a flag takes them in one."""
  number = re.compile(r'-?[0-9.]+,?')
  rest = list(itertools.takewhile(number.fullmatch, words))
  if rest and number.fullmatch(value):
    right = ','.join(word.rstrip(',') for word in (value, *rest))
    raise UsageError(f'{name} {" ".join([value, *rest])}: expected one word '
                     f'without spaces; write {name} {right}')


class Switch(argparse.Action):
  """--name or --noname, which may be written --no-name or --name=false."""

  def __init__(self, option_strings: Sequence[str], dest: str, **options: Any):
    (flag,) = option_strings
    super().__init__([flag, f'--no{flag[2:]}'], dest, nargs=0, **options)

  def spell(self, flag: str, value: str) -> str:
    """--name=false -> --noname.

    Raises:
      UsageError: the value is neither true nor false.
    """
    on, off = self.option_strings
    if value.lower() not in ('true', 'false'):
      raise UsageError(f'{flag}: expected true or false, got {value!r}')
    return on if (flag == on) == (value.lower() == 'true') else off

  def __call__(self, parser: argparse.ArgumentParser,
               namespace: argparse.Namespace, values: Any,
               option_string: str | None = None) -> None:
    """Stores the value."""
    setattr(namespace, self.dest, option_string == self.option_strings[0])


def names(text: str) -> tuple[str, ...]:
  """'a, b' -> ('a', 'b'); '' -> ()."""
  return tuple(part.strip() for part in text.split(',')) if text else ()


def given(args: argparse.Namespace, *flags: str) -> dict[str, Any]:
  """The values of the flags that were given; others have defaults elsewhere."""
  return {flag: value for flag in flags
          if (value := getattr(args, flag)) is not None}


def whole(minimum: int | None = None,
          maximum: int | None = None) -> Callable[[str], int]:
  """A type of flags: a whole number between two bounds, both included."""
  return _number(numbers.whole, 'a whole number', minimum, maximum)


def real(minimum: float | None = None,
         maximum: float | None = None) -> Callable[[str], float]:
  """A type of flags: a number between two bounds, both included."""
  return _number(numbers.real, 'a number', minimum, maximum)


def _number(
    kind: Callable[[str], _Number], what: str, minimum: _Number | None,
    maximum: _Number | None) -> Callable[[str], _Number]:
  expected = (what + ('' if minimum is None else f', at least {minimum}') +
              ('' if maximum is None else f', at most {maximum}'))

  # Of others, the command itself says what it expects.
  bounded = kind is numbers.whole or minimum is not None

  def refused(text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f'expected {expected}, got {text!r}')

  def parse(text: str) -> _Number:
    try:
      value = kind(text)
      if bounded and not -_LARGEST <= value <= _LARGEST:
        raise ValueError  # infinite, NaN or absurd
    except ValueError:
      raise refused(text) from None
    if ((minimum is not None and not value >= minimum) or
        (maximum is not None and not value <= maximum)):
      raise refused(text)
    return value

  return parse
