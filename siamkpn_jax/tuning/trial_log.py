"""Everything that a search has measured, on disk, so that it can go on.

A file of JSON lines. The first describes the search; every other one is a
batch: what settings of one checkpoint measured on one sequence. A search is a
function of what it measures, so to go on it runs again from its start, and
takes from the journal what is there. A line is added as soon as its batch is
done; one that a killed program left half written is dropped, and its batch
tracked again.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from siamkpn_jax.core import atomic_io
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import try_lock
from siamkpn_jax.tuning.engine import Setting, rounded
from siamkpn_jax.tuning.objective import Measurement

_Key = tuple[int, str, Setting]


class Journal:
  """A context manager, open for adding to the file.

  Attributes:
    seconds: that all batches took, those of earlier runs included.
  """

  def __init__(self, path: Path, header: Mapping[str, Any]):
    """Reads a journal, or begins one.

    Args:
      path: the file.
      header: describes the search, as JSON can hold it.

    Raises:
      UserError: the file is of another search, in use by one, damaged before
        its last line, or cannot be read or written.
    """
    self._path = path
    self._found: dict[_Key, Measurement] = {}
    self.seconds = 0.0
    with atomic_io.file_errors(path):
      path.parent.mkdir(parents=True, exist_ok=True)
      self._file = path.open('a+b')
    try:
      self._lock()
      self._read(json.loads(json.dumps(header)))
    except BaseException:
      self._file.close()
      raise

  def __enter__(self) -> 'Journal':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    self._file.close()

  def find(self, checkpoint: int, sequence: str,
           setting: Setting) -> Measurement | None:
    """What was measured; None if it has to be."""
    return self._found.get((checkpoint, sequence, setting))

  def add(self, checkpoint: int, sequence: str, settings: Sequence[Setting],
          measurements: Sequence[Measurement], seconds: float) -> None:
    """Adds a batch.

    Args:
      checkpoint: its number.
      sequence: its name.
      settings: that were tracked.
      measurements: one for each.
      seconds: that it took.

    Raises:
      UserError: it cannot be written.
    """
    entry = {'checkpoint': checkpoint, 'sequence': sequence,
             'seconds': round(seconds, 3),
             'settings': [dataclasses.astuple(s) for s in settings],
             'measurements': list(measurements)}
    self._write(entry)
    self._take(0, entry)

  def _lock(self) -> None:
    if not try_lock(self._file.fileno()):
      raise UserError(
          f'{self._path} is in use by a search that is running; expected one '
          'at a time; wait for it, or give another --output')

  def _read(self, header: dict[str, Any]) -> None:
    self._file.seek(0)
    whole = [line for line in self._file if line.endswith(b'\n')]
    for number, line in enumerate(whole, start=1):
      entry = self._parsed(number, line)
      if number == 1:
        self._check_header(entry, header)
      else:
        self._take(number, entry)
    with atomic_io.file_errors(self._path):
      self._file.truncate(sum(map(len, whole)))
    if not whole:
      self._write(header)

  def _write(self, entry: Mapping[str, Any]) -> None:
    with atomic_io.file_errors(self._path):
      self._file.write(json.dumps(entry, allow_nan=False).encode() + b'\n')
      self._file.flush()

  def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
    try:
      entry = json.loads(line)
      if isinstance(entry, dict):
        return entry
    except ValueError:
      pass
    raise self._damaged(number)

  def _take(self, number: int, entry: Mapping[str, Any]) -> None:
    try:
      where = int(entry['checkpoint']), str(entry['sequence'])
      self.seconds += entry['seconds']
      for numbers, measurement in zip(
          entry['settings'], entry['measurements'], strict=True):
        if not math.isfinite(measurement['value']):
          raise ValueError('not finite')
        self._found[*where, rounded(numbers)] = measurement
    except (KeyError, TypeError, ValueError) as error:
      raise self._damaged(number) from error

  def _damaged(self, number: int) -> UserError:
    line = '' if number == 1 else 'the line, or '  # the first is the header
    return UserError(f'{self._path} line {number} is damaged; expected what a '
                     f'search has measured; delete {line}the file to search '
                     'anew')

  def _check_header(self, found: Mapping[str, Any],
                    wanted: Mapping[str, Any]) -> None:
    changed = [key for key in {**found, **wanted}
               if found.get(key) != wanted.get(key)]
    if changed:
      raise UserError(
          f'{self._path} is of another search: {changed[0]} was '
          f'{_short(found.get(changed[0]))}, now '
          f'{_short(wanted.get(changed[0]))}; expected the same; give another '
          '--output, or delete the file')


def _short(value: Any) -> str:
  text = json.dumps(value)
  return text if len(text) <= 80 else f'{text[:77]}...'
