"""Where the numbers of a run go: a JSONL file and TensorBoard event files."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tensorboardX import SummaryWriter

LOG_NAME = 'metrics.jsonl'
AUC = 'val_success_auc'  # of a validation
PRECISION = 'val_precision_20'


class MetricWriter:
  """Appends scalars to `workdir`/metrics.jsonl and to TensorBoard's files."""

  def __init__(self, workdir: Path, start_step: int):
    """Opens both.

    Args:
      workdir: of the run.
      start_step: lines of later steps, left by a run that was cut off after
        its last checkpoint, are removed.
    """
    path = workdir / LOG_NAME
    kept = [row for row in read_log(path) if row['step'] <= start_step]
    path.write_text(''.join(json.dumps(row) + '\n' for row in kept))
    self._log = path.open('a')
    self._events = SummaryWriter(
        str(workdir / 'tensorboard'), purge_step=start_step + 1)

  def __enter__(self) -> 'MetricWriter':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    self._log.close()
    self._events.close()

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes scalars of one step, names as in the training step's metrics."""
    self._log.write(json.dumps({'step': step, **scalars}) + '\n')
    self._log.flush()
    for name, value in scalars.items():
      self._events.add_scalar(name, value, step)


def read_log(path: Path) -> list[dict[str, float]]:
  """The rows of a metrics.jsonl; a half-written last line is left out."""
  if not path.exists():
    return []
  rows = []
  for line in path.read_text(errors='replace').splitlines():
    try:
      rows.append(json.loads(line))
    except ValueError:
      break
  return rows


def best_validation(rows: Iterable[Mapping[str, Any]]
                    ) -> tuple[int, float] | None:
  """Step and success AUC of the best checkpoint, the newest of several.

  Args:
    rows: of a log; those without a validation are passed over.

  Returns:
    None if no row has one.
  """
  scored = [(row[AUC], row['step']) for row in rows
            if isinstance(row.get(AUC), int | float)]
  if not scored:
    return None
  auc, step = max(scored)
  return step, auc
