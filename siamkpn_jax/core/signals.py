"""Signals that are noticed at once, also while a program is compiled.

Python runs the handler of a signal when the main thread is back in Python code.
A compiler may keep it away for half a minute; a thread need not wait for it.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator


def on_main_thread() -> bool:
  """Whether this thread may set handlers, and runs them."""
  return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def told_at_once(tell: Callable[[int], None]) -> Iterator[None]:
  """Calls `tell` with the number of each signal when it comes, in a thread.

  Signals without a handler in Python do not count. Where such blocks are
  nested, the innermost is told first. To be entered by the main thread.

  Args:
    tell: is called before or while Python's handler of the signal runs.
  """
  ours, theirs = socket.socketpair()
  theirs.setblocking(False)
  outer = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

  def listen() -> None:
    while numbers := ours.recv(64):  # empty when the other end is closed
      for number in numbers:
        tell(number)
        if outer != -1:
          with contextlib.suppress(OSError):
            os.write(outer, bytes([number]))

  thread = threading.Thread(target=listen, name='signals', daemon=True)
  thread.start()
  try:
    yield
  finally:
    signal.set_wakeup_fd(outer)
    theirs.close()
    thread.join()
    ours.close()
