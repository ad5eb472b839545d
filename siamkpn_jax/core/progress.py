"""What a user sees of work under way, on stderr."""

import sys
import time
from typing import Any

from tqdm import tqdm

_EVERY = 10.0  # seconds between two lines of a log


def say(line: str) -> None:
  """Prints a line on stderr, below a progress bar or the ^C of a terminal."""
  start = '\n' if sys.stderr.isatty() else ''
  print(f'{start}{line}', file=sys.stderr, flush=True)


def progress_bar(**options: Any) -> tqdm:
  """A bar of tqdm on stderr; now and then a line where that is no terminal.

  Args:
    **options: of tqdm.
  """
  kind = tqdm if sys.stderr.isatty() else _Lines
  return kind(file=sys.stderr, dynamic_ncols=True, **options)


def announce(bar: tqdm, text: str) -> None:
  """Says beside a bar what it waits for; in a log at once."""
  bar.set_postfix_str(text)
  if isinstance(bar, _Lines) and not bar.disable:
    say(f'{bar.desc}: {text}' if bar.desc else text)


class _Lines(tqdm):
  """A bar that is not drawn over and over: a log would keep every one."""

  _shown: float | None = None

  def display(self, msg: str | None = None, pos: int | None = None) -> None:
    """Prints a line, if the last one is a while ago."""
    now = time.monotonic()
    if self._shown is None:
      self._shown = now
    elif now - self._shown >= _EVERY:
      self._print(now)

  def clear(self, nolock: bool = False) -> None:
    """Leaves lines as they are."""

  def close(self) -> None:
    """Prints the last line."""
    if not self.disable:
      self._print(time.monotonic())
      self.sp = None  # so that tqdm adds no empty line
    super().close()

  def _print(self, now: float) -> None:
    self._shown = now
    print(str(self).strip(), file=self.fp, flush=True)
