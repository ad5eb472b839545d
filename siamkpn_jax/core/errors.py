"""The one exception that means: the input is at fault, not the program."""


class UserError(Exception):
  """A mistake in what the user gave: a file, a box, a setting.

  The message is one line that says what is wrong, where, what was expected and
  what to do. Entry points print it and exit with status 2 (see cli/command.py).
  """
