"""One worker and a queue: the page tracks one thing at a time.

Two at once would each be half as fast, and the trackers need no lock.
"""

import threading
import traceback
from collections.abc import Callable

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.progress import say

_BUG = ('this failed inside the program, not because of the video; the '
        'terminal of `siamkpn demo` says where: try again, or another video')


class Job:
  """Something to do, and how far it is.

  Attributes:
    kind: what it is, for the page.
    state: 'waiting', 'running' or 'ended'.
    done: frames so far.
    total: frames in all; 0 if unknown.
    note: what takes long, beside frames.
    error: why it failed, in one line; '' if it did not.
    stop: set, it ends soon.
  """

  def __init__(self, kind: str, work: Callable[['Job'], None]):
    self.kind, self.work = kind, work
    self.state, self.note, self.error = 'waiting', '', ''
    self.done = self.total = 0
    self.stop = threading.Event()


class Turns:
  """Runs jobs in the order in which they came, in one thread."""

  def __init__(self) -> None:
    self._order: list[Job] = []  # waiting or running
    self._lock = threading.Condition()
    self._closed = False
    self._thread = threading.Thread(target=self._run, name='turns', daemon=True)
    self._thread.start()

  def submit(self, job: Job) -> None:
    """Puts a job at the end of the queue."""
    with self._lock:
      self._order.append(job)
      self._lock.notify()

  def position(self, job: Job) -> int:
    """How many jobs come first; 0 for one that runs or has ended."""
    with self._lock:
      return self._order.index(job) if job in self._order else 0

  def stop(self, job: Job) -> None:
    """Ends a job soon; one that waits never begins."""
    job.stop.set()
    with self._lock:
      if job.state == 'waiting':
        job.state = 'ended'
        if job in self._order:
          self._order.remove(job)

  def close(self, patience: float = 5.) -> bool:
    """Stops everything; whether it ended in these seconds."""
    with self._lock:
      self._closed, jobs = True, list(self._order)
      self._lock.notify()
    for job in jobs:
      self.stop(job)
    self._thread.join(patience)
    return not self._thread.is_alive()

  def _run(self) -> None:
    while True:
      with self._lock:
        self._lock.wait_for(lambda: self._closed or self._order)
        if self._closed:
          return
        job = self._order[0]
        job.state = 'running'
      try:
        job.work(job)
      except UserError as error:
        job.error = str(error)
      except Exception:  # of one job: the others go on
        say(traceback.format_exc().rstrip())
        job.error = _BUG
      with self._lock:
        job.state = 'ended'
        self._order.remove(job)
      del job  # with its clip, which may be removed before the next one comes
