"""Where the numbers of a run go: a JSONL file and TensorBoard event files."""

import contextlib
import itertools
import json
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from siamkpn_jax.core.atomic_io import file_errors, write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.stored_json import parse_json, read_bounded
from siamkpn_jax.distributed.multihost import log_main

LOG_NAME = 'metrics.jsonl'
CONFIG_NAME = 'config.json'  # the settings of the run
REPORT_NAME = 'report.html'  # both drawn, by report.py
AUC = 'val_success_auc'  # of a validation
PRECISION = 'val_precision_20'
SCORED = 'validated_sequences'  # how many
_LARGEST = 2**30  # bytes of a log


class MetricWriter:
  """Appends scalars to `workdir`/metrics.jsonl and to TensorBoard's files.

  All is on disk when a call returns, so that a full disk is reported by the
  call that met it.
  """

  def __init__(self, workdir: Path, start_step: int):
    """Opens both.

    Args:
      workdir: of the run.
      start_step: lines of later steps, left by a run that was cut off after
        its last checkpoint, are removed.

    Raises:
      UserError: a file cannot be written; so do all methods.
    """
    self._path = workdir / LOG_NAME
    self._folder = workdir / 'tensorboard'
    rows = _rows(self._path)
    if lost := rows[:-1].count({}):  # the last one may have been cut off
      log_main(f'note: {self._path}: {lost} lines are not as they were '
               'written and are left out')
    kept = [row for row in rows if row and row['step'] <= start_step]
    write_file(self._path, ''.join(json.dumps(row) + '\n' for row in kept))
    with file_errors(self._path):
      self._log = self._path.open('a', newline='\n')
    with file_errors(self._folder):
      self._folder.mkdir(exist_ok=True)
      # SummaryWriter writes in a thread: after an error there it hangs.
      self._events = EventsWriter(str(self._folder / 'events'))
    # TensorBoard then hides what earlier files say of later steps.
    self._event(start_step + 1, session_log=SessionLog(status=SessionLog.START))

  def __enter__(self) -> 'MetricWriter':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    with contextlib.ExitStack() as stack:  # the second, too, if one fails
      for path, file in ((self._path, self._log), (self._folder, self._events)):
        stack.enter_context(file_errors(path))
        stack.callback(file.close)

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes scalars of one step, names as in the training step's metrics."""
    with file_errors(self._path):
      self._log.write(json.dumps({'step': step, **scalars}) + '\n')
      self._log.flush()
    for name, value in scalars.items():
      self._event(step, summary=summary.scalar(name, value))
    with file_errors(self._folder):
      self._events.flush()

  def _event(self, step: int, **content: Any) -> None:
    with file_errors(self._folder):
      self._events.write_event(
          Event(step=step, wall_time=time.time(), **content))


def read_log(path: Path) -> list[dict[str, Any]]:
  """The rows of a metrics.jsonl.

  Raises:
    OSError: it cannot be read.
    UserError: it is not a file, or too large for one.
  """
  return [row for row in _rows(path) if row]


def _rows(path: Path) -> list[dict[str, Any]]:
  """The numbers of every line; {} for one that is not as it was written."""
  if not path.exists():
    return []
  try:
    text = read_bounded(path, _LARGEST).decode(errors='replace')
  except ValueError as error:
    raise UserError(f'{path}: {error}; expected the log of a run: move it '
                    'away') from error
  return [_row(line) for line in text.splitlines()]


def _row(line: str) -> dict[str, Any]:
  try:
    row = parse_json(line, LOG_NAME, 'a line of a log', fields={'step': int},
                     finite=False)
  except UserError:
    return {}
  return {} if row['step'] < 0 else {
      name: value if type(value) in (int, float) else float('nan')
      for name, value in row.items()}


def best_validation(rows: Iterable[Mapping[str, Any]]
                    ) -> tuple[int, float] | None:
  """Step and success AUC of the best checkpoint, the newest of several.

  Args:
    rows: of a log; those without a validation are passed over, as are those
      before the number of sequences changed, whose means are of other ones.

  Returns:
    None if no row has one.
  """
  scored = [row for row in rows if math.isfinite(row.get(AUC, math.nan))]
  if not scored:
    return None
  alike = itertools.takewhile(
      lambda row: row.get(SCORED) == scored[-1].get(SCORED), reversed(scored))
  auc, step = max((row[AUC], row['step']) for row in alike)
  return step, auc
