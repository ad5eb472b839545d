"""What was found in a clip: rows in memory, heatmaps in files.

Both go with their target, so that neither grows with what is tracked and
removed again.
"""

import bisect
import threading
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.atomic_io import file_errors

# frame, target, x, y, w, h, score, state, place x, y, side, confidence
Row = list[Any]


class Findings:
  """Of the targets that are there; for any number of threads."""

  def __init__(self, folder: Path):
    """Starts without a target.

    Args:
      folder: which takes a file for each target.
    """
    self._folder = folder
    self._lock = threading.Lock()
    self._sizes: dict[int, int] = {}  # by target: bytes per frame, 0: none yet
    self._rows: list[tuple[int, Row]] = []  # numbered in the order they came
    self._next = 0

  def begin(self, target: int) -> None:
    """Keeps what is found of a target from now on."""
    with self._lock:
      self._sizes[target] = 0

  def remove(self, target: int) -> None:
    """Forgets a target; what is still found of it is not kept."""
    with self._lock:
      if self._sizes.pop(target, None):
        self._file(target).unlink(missing_ok=True)
      self._rows = [one for one in self._rows if one[1][1] != target]

  def add(self, row: Row, heatmaps: np.ndarray | None = None) -> None:
    """Keeps a row and the heatmaps, [s, n, n] uint8, of its target.

    Raises:
      UserError: the disk takes no more.
    """
    frame, target = row[:2]
    with self._lock:
      if target not in self._sizes:
        return
      if heatmaps is not None:
        # Where nothing was written, a file has zeros.
        data = bytes([heatmaps.shape[-1]]) + heatmaps.tobytes()
        self._sizes[target] = len(data)
        path = self._file(target)
        with file_errors(path), path.open(
            'r+b' if path.exists() else 'wb') as file:
          file.seek(frame * len(data))
          file.write(data)
      self._rows.append((self._next, row))
      self._next += 1

  def heatmaps(self, target: int, frame: int) -> bytes:
    """n, a byte, then [s, n, n] uint8; nothing where there are none."""
    with self._lock:
      size = self._sizes.get(target)
      if not size:
        return b''
      try:
        with self._file(target).open('rb') as file:
          file.seek(frame * size)
          data = file.read(size)
      except FileNotFoundError:  # the clip is removed meanwhile
        return b''
    return data if data[:1] != b'\0' and len(data) == size else b''

  def rows(self, since: int = 0) -> tuple[list[Row], int]:
    """Those that came from number `since` on, and the next one's number."""
    with self._lock:
      first = bisect.bisect_left(self._rows, since, key=lambda one: one[0])
      return [row for _, row in self._rows[first:]], self._next

  def in_order(self) -> list[Row]:
    """All rows, by frame and target."""
    return sorted(self.rows()[0], key=lambda row: (row[0], row[1]))

  def _file(self, target: int) -> Path:
    return self._folder / f'{target}.heatmaps'
