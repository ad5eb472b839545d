"""Who of several processes is still there.

Each counts up under its own key at JAX's coordinator, and looks at the others.
Nobody is ended by it, as a process that computes may be silent for a while:
that is left to JAX, whose own sign of life needs no Python.
"""

import re
import sys
import threading
import time
from typing import Any

from jax._src import distributed  # what has no public name

_KEY = 'siamkpn_jax/alive/'
_BEAT = 0.5  # seconds between two signs of life
_DEAD = 4.0  # seconds of silence after a connection has failed
# What errors say of a connection to others, in any library.
_LOST = re.compile(
    r'gloo|nccl|coordinat|barrier|heartbeat|peer|connection|unavailable|'
    r'deadline.exceeded|task:\d', re.IGNORECASE)


class Watch:
  """Looks after the other processes, in a thread."""

  def __init__(self, silence: float):
    """Begins to look.

    Args:
      silence: seconds without a sign of life of a process that are told.
    """
    self._silence = silence
    self._client: Any = distributed.global_state.client
    # Asking JAX for it would look for devices.
    self._me: int = distributed.global_state.process_id
    self._seen: dict[int, tuple[str, float]] = {}
    self._told: set[int] = set()
    self._stop = threading.Event()
    self._thread = threading.Thread(target=self._run, daemon=True)
    self._thread.start()

  def close(self) -> None:
    """Ends the thread."""
    self._stop.set()

  def missing(self, error: BaseException) -> int | None:
    """The process that ended, if an error came of that.

    Waits a moment to be sure; None for an error of another kind.
    """
    if not _is_lost(error):
      return None
    end = time.monotonic() + _DEAD + 4 * _BEAT
    while time.monotonic() < end:
      silent = self._silent(_DEAD)
      if silent:
        return silent[0]
      time.sleep(_BEAT)
    return None

  def _run(self) -> None:
    for count in range(sys.maxsize):
      if self._stop.wait(_BEAT):
        return
      self._look(count)
      for process in set(self._silent(self._silence)) - self._told:
        self._told.add(process)
        print(f'process {process} ended or cannot be reached: silent for '
              f'{self._silence:.0f} s', file=sys.stderr, flush=True)

  def _look(self, count: int) -> None:
    try:
      self._client.key_value_set(f'{_KEY}{self._me}', str(count),
                                 allow_overwrite=True)
      found = dict(self._client.key_value_dir_get(_KEY))
    except RuntimeError:  # of JAX: process 0 does not answer
      return
    now = time.monotonic()
    found[f'{_KEY}0'] = str(count)  # it has just answered
    for key, value in found.items():
      process = int(key.rpartition('/')[2])
      if self._seen.get(process, ('', 0.0))[0] != value:
        self._seen[process] = value, now
        self._told.discard(process)

  def _silent(self, seconds: float) -> list[int]:
    """The others that gave no sign of life for so long."""
    now = time.monotonic()
    return [process for process, (_, when) in sorted(self._seen.items())
            if now - when > seconds and process != self._me]


def _is_lost(error: BaseException | None) -> bool:
  """Whether an error, or one that it came of, is about a connection."""
  seen: set[int] = set()
  while error is not None and id(error) not in seen:
    seen.add(id(error))
    if _LOST.search(str(error)):
      return True
    error = error.__cause__ or error.__context__
  return False
