"""What a user sees of work under way, on stderr."""

import sys


def say(line: str) -> None:
  """Prints a line on stderr, below a progress bar or the ^C of a terminal."""
  start = '\n' if sys.stderr.isatty() else ''
  print(f'{start}{line}', file=sys.stderr, flush=True)
