"""The one exception that means: the input is at fault, not the program."""


class UserError(Exception):
  """A mistake in what the user gave: a file, a box, a setting.

  The message is one line that says what is wrong, where, what was expected and
  what to do. Entry points print it and exit with status 2 (see cli/command.py).
  """


def first_line(error: BaseException) -> str:
  """What another library's error says, short enough for a line of ours."""
  return (str(error).splitlines() or [''])[0][:120] or type(error).__name__
