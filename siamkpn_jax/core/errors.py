"""The one exception that means: the input is at fault, not the program."""

import traceback
from collections.abc import Iterable


class UserError(Exception):
  """A mistake in what the user gave: a file, a box, a setting.

  The message is one line that says what is wrong, where, what was expected and
  what to do. Entry points print it and exit with status 2 (see cli/command.py).
  """


class UnreachableError(UserError):
  """A file that is there, but that the system does not give now.

  The disk fails, or the file may not be opened. What leaves out damaged files
  for good must not leave out this one.
  """


def raised_in(error: BaseException) -> str:
  """Name of the module whose code raised an error; '' if none did."""
  names = [frame.f_globals.get('__name__', '')
           for frame, _ in traceback.walk_tb(error.__traceback__)]
  return names[-1] if names else ''


def first_line(error: BaseException) -> str:
  """What another library's error says, short enough for a line of ours."""
  return (str(error).splitlines() or [''])[0][:120] or type(error).__name__


def few(names: Iterable[str]) -> str:
  """The first five, separated by commas; ' ...' stands for more."""
  some = list(names)
  return ', '.join(some[:5]) + (' ...' if some[5:] else '')
