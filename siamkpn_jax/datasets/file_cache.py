"""Keeps the content of image files in memory, for slow disks."""

import threading
from pathlib import Path

from siamkpn_jax.core.images import read_bytes


class FileCache:
  """The files that were read first, until their bytes fill a limit.

  Nothing makes room for others: every file is as likely to be read next.
  """

  def __init__(self, limit: int):
    """Keeps nothing yet, and at most `limit` bytes of content."""
    self._limit = limit
    self._lock = threading.Lock()
    self._files: dict[str, bytes] = {}
    self._size = 0

  def read(self, path: Path) -> bytes:
    """`images.read_bytes`, at most once for a file that is kept.

    Raises:
      UserError: the file is missing or cut.
    """
    key = str(path)
    with self._lock:
      data = self._files.get(key)
    if data is None:
      data = read_bytes(path)  # without the lock: reading takes its time
      self._keep(key, data)
    return data

  def _keep(self, key: str, data: bytes) -> None:
    with self._lock:
      if key not in self._files and self._size + len(data) <= self._limit:
        self._files[key] = data
        self._size += len(data)
