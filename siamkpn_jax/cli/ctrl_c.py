"""Ctrl-C ends a command, whatever the command is doing."""

import _thread
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from siamkpn_jax.core.progress import say
from siamkpn_jax.core.signals import on_main_thread, told_at_once

STATUS = 130  # of a program that Ctrl-C has ended
_PATIENCE = 1.0  # seconds until a silent program seems deaf
_PAUSE = 0.01  # seconds in which Python leaves what has swallowed an exception


class CtrlC:
  """What came of Ctrl-C; see `ends`.

  Attributes:
    pressed: whether it was, and `KeyboardInterrupt` was raised for it.
    announced: whether the user was told already.
  """

  def __init__(self) -> None:
    self.pressed = self.announced = False
    self._told = 0
    self._left_to_others = self._repeated = False
    self._timers: list[threading.Timer] = []
    self._hook = sys.unraisablehook

  def handle(self, unused_number: int, unused_frame: object) -> None:
    """Interrupts the main thread."""
    self.pressed = True
    raise KeyboardInterrupt

  def tell(self, number: int) -> None:
    """Takes note of a signal, in a thread; the second Ctrl-C ends all.

    Training and cameras have a handler of their own for the first one: that one
    does not count.
    """
    if number != signal.SIGINT:
      return
    if self._repeated:
      self._repeated = False
      return
    ours = signal.getsignal(signal.SIGINT) == self.handle
    if ours or self._left_to_others:
      self._told += 1
      if self._told > 1:
        os._exit(STATUS)
      self._after(_PATIENCE, self._announce)
    self._left_to_others = not ours

  def repeat(self, unraisable: Any) -> None:
    """For `sys.unraisablehook`: Python cannot raise in a weakref's callback."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
      self._after(_PAUSE, self._again)
    else:
      self._hook(unraisable)

  def forget(self) -> None:
    """Stops what was to come later."""
    for timer in self._timers:
      timer.cancel()

  def _again(self) -> None:
    self._repeated = True  # by this program: not the user's second one
    thread = threading.main_thread().ident
    if thread is not None and hasattr(signal, 'pthread_kill'):
      signal.pthread_kill(thread, signal.SIGINT)  # ends a system call as well
    else:
      _thread.interrupt_main(signal.SIGINT)

  def _announce(self) -> None:
    self.announced = True
    say('interrupted: ending as soon as the compiler or a library returns; '
        'Ctrl-C again ends at once')

  def _after(self, seconds: float, what: Any) -> None:
    timer = threading.Timer(seconds, what)
    timer.daemon = True
    self._timers.append(timer)
    timer.start()


@contextlib.contextmanager
def ends() -> Iterator[CtrlC]:
  """Makes Ctrl-C raise `KeyboardInterrupt` in the block, until it gets through.

  JAX and garbage collection call Python where an exception goes nowhere; it is
  raised again a little later. The second Ctrl-C ends the process at once, and
  leaves hidden temporary files. Nothing changes where the signal is ignored, as
  in a background job, and in other threads than the main one.
  """
  state = CtrlC()
  if not on_main_thread() or signal.getsignal(
      signal.SIGINT) in (signal.SIG_IGN, None):
    yield state
    return
  hook, sys.unraisablehook = sys.unraisablehook, state.repeat
  before = signal.signal(signal.SIGINT, state.handle)
  try:
    with told_at_once(state.tell):
      yield state
  finally:
    signal.signal(signal.SIGINT, before)
    sys.unraisablehook = hook
    state.forget()
