"""All that is open, in one temporary folder; what nobody uses goes."""

import contextlib
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from siamkpn_jax.page.clip import Clip
from siamkpn_jax.page.limits import Limits, RefusedError
from siamkpn_jax.page.turns import Job, Turns

PREFIX = 'siamkpn_demo_'  # of the folder
_TRIES, _PAUSE = 20, 0.1  # to delete, and the seconds between two


class Store:
  """Clips by names that cannot be guessed: who knows one may use it.

  For any number of threads. What deletes takes its time: not for that of the
  server.

  Attributes:
    folder: with everything; names in it are made here, never by a client.
  """

  def __init__(self, limits: Limits, turns: Turns):
    self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    self._limits, self._turns = limits, turns
    self._clips: dict[str, Clip] = {}
    self._opening = 0  # uploads and cameras
    self._lock = threading.Lock()

  @contextlib.contextmanager
  def place(self) -> Iterator[None]:
    """Holds one of the places for the duration of an upload or a camera.

    Raises:
      RefusedError: all are taken.
    """
    with self._lock:
      if self._opening + len(self._clips) >= self._limits.clients:
        raise RefusedError(
            503, f'{self._limits.clients} videos are open, the most at a time '
            'here; try again in a few minutes')
      self._opening += 1
    try:
      yield
    finally:
      with self._lock:
        self._opening -= 1

  def new_folder(self) -> Path:
    """An empty folder, for one clip."""
    return Path(tempfile.mkdtemp(dir=self.folder))

  def put(self, clip: Clip) -> str:
    """Keeps a clip; returns its name."""
    name = secrets.token_urlsafe(16)
    with self._lock:
      self._clips[name] = clip
    return name

  def get(self, name: str) -> Clip:
    """A clip, which is now used.

    Raises:
      RefusedError: there is none, or none any more.
    """
    clip = self._clips.get(name)
    if clip is None:
      raise RefusedError(404, 'this video is no longer here; open it again')
    clip.used = time.monotonic()
    return clip

  def remove(self, name: str) -> None:
    """Stops what a clip does and deletes its files."""
    with self._lock:
      clip = self._clips.pop(name, None)
    if clip is not None:
      for job in clip.jobs:
        self._turns.stop(job)
      delete(clip.folder, clip.jobs)

  def sweep(self) -> None:
    """Removes what nobody looked at for a while, worked on or not."""
    old = time.monotonic() - 60 * self._limits.minutes
    with self._lock:
      unused = [name for name, clip in self._clips.items() if clip.used < old]
    for name in unused:
      self.remove(name)

  def close(self) -> None:
    """Removes everything."""
    self._clips.clear()
    delete(self.folder)


def delete(folder: Path, jobs: Iterable[Job] = ()) -> None:
  """Deletes a folder, in which jobs may write until they notice their stop."""
  for _ in range(_TRIES):
    busy = any(job.state != 'ended' for job in jobs)
    shutil.rmtree(folder, ignore_errors=True)
    if not busy and not folder.exists():
      return
    time.sleep(_PAUSE)
