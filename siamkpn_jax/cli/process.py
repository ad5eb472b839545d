"""How a command ends as a process: interrupted, without readers, or well."""

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from siamkpn_jax.cli import ctrl_c
from siamkpn_jax.core.progress import say

UNREAD = 141  # as of a program that SIGPIPE has ended


def status_of(work: Callable[[], int]) -> int:
  """Runs a command, and says how it ended.

  Args:
    work: returns the exit status.

  Returns:
    That status; 130 after Ctrl-C, with one line on stderr; 141, without a word,
    if what reads the output, such as `head`, has left.

  Raises:
    Exception: that of `work`.
  """
  with printable(), ctrl_c.ends() as interrupt:
    try:
      status = work()
    except KeyboardInterrupt as error:
      return _interrupted(interrupt, str(error))
    except Exception as error:
      if interrupt.pressed:  # and a library has made another error of it
        return _interrupted(interrupt)
      if isinstance(error, BrokenPipeError) and reader_has_left():
        return UNREAD
      raise
  return _interrupted(interrupt) if interrupt.pressed else status


@contextlib.contextmanager
def printable() -> Iterator[None]:
  """Escapes, in what is printed, the characters that the locale has not.

  Names of files need not even be text; that is no reason to end a command.
  """
  changed = []
  for stream in (sys.stdout, sys.stderr):
    errors = getattr(stream, 'errors', None)
    if (errors in ('strict', 'surrogateescape') and
        hasattr(stream, 'reconfigure')):
      with contextlib.suppress(OSError, ValueError):
        stream.reconfigure(errors='backslashreplace')
        changed.append((stream, errors))
  try:
    yield
  finally:
    for stream, errors in changed:
      with contextlib.suppress(OSError, ValueError):  # nobody reads it; closed
        stream.reconfigure(errors=errors)


def leave(status: int) -> NoReturn:
  """Ends the process."""
  if status not in (ctrl_c.STATUS, UNREAD):
    sys.exit(status)
  for stream in (sys.stdout, sys.stderr):
    with contextlib.suppress(OSError, ValueError, AttributeError):
      stream.flush()
  # Not by way of Python's own end: threads of JAX that still compile would
  # crash in it, and what nobody reads would be written once more.
  os._exit(status)


def reader_has_left() -> bool:
  """Whether nothing reads stdout or stderr any more."""
  for number in (1, 2):
    with contextlib.suppress(OSError, AttributeError):  # closed; Windows
      poll = select.poll()
      poll.register(number, select.POLLOUT)
      if any(event & (select.POLLERR | select.POLLHUP)
             for _, event in poll.poll(0)):
        return True
  return False


def _interrupted(interrupt: ctrl_c.CtrlC, message: str = '') -> int:
  if message or not interrupt.announced:
    with contextlib.suppress(OSError):  # nobody reads it
      say(message or 'interrupted')
  return ctrl_c.STATUS
