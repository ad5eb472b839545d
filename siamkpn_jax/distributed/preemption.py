"""Ending a run by a signal, after the same step in every process."""

import contextlib
import os
import signal
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils

from siamkpn_jax.core.progress import say
from siamkpn_jax.core.signals import on_main_thread, told_at_once


class Preempted(KeyboardInterrupt):
  """A signal has ended the run, and its state is saved.

  Attributes:
    interrupted: by Ctrl-C; otherwise by SIGTERM, as schedulers send it.
  """

  def __init__(self, message: str, *, interrupted: bool):
    super().__init__(message)
    self.interrupted = interrupted


class PreemptionGuard:
  """Whether to stop; see `guard`.

  Attributes:
    interrupted: this process got SIGINT.
    signaled: this process got a signal that is not left to JAX.
  """

  def __init__(self) -> None:
    self.interrupted = False
    self.signaled = False
    self._said = False

  def after(self, step: int) -> bool:
    """Whether the run stops after this step; the same in every process.

    To be called once for every step. Several processes agree through JAX's
    coordinator in the background, on a step that none of them has passed: a
    call takes microseconds, nothing waits on a device.
    """
    if jax.process_count() > 1:
      return multihost_utils.reached_preemption_sync_point(step)
    return self.signaled

  def handle(self, number: int, unused_frame: object) -> None:
    """Handles a signal. A second Ctrl-C interrupts at once."""
    if number == signal.SIGINT:
      if self.interrupted:
        raise KeyboardInterrupt
      self.interrupted = True
      if jax.process_count() > 1:
        os.kill(os.getpid(), signal.SIGTERM)  # which JAX tells the others
    self.signaled = True

  def tell(self, number: int) -> None:
    """Says at once what will come of a signal, in a thread."""
    if number in (signal.SIGINT, signal.SIGTERM) and not self._said:
      self._said = True
      say('stopping after this step, saving a checkpoint ... (Ctrl-C again: '
          'without saving)')


@contextlib.contextmanager
def guard() -> Iterator[PreemptionGuard]:
  """Lets SIGINT and SIGTERM end the run after the step that is under way.

  With several processes SIGTERM is left to JAX, which has its own handler. Not
  in other threads than the main one, where Python does not deliver signals.
  """
  watch = PreemptionGuard()
  if not on_main_thread():
    yield watch
    return
  numbers = [signal.SIGINT]
  if jax.process_count() == 1:
    numbers.append(signal.SIGTERM)
  previous = {number: signal.signal(number, watch.handle) for number in numbers}
  try:
    with told_at_once(watch.tell):
      yield watch
  finally:
    for number, handler in previous.items():
      signal.signal(number, handler)
