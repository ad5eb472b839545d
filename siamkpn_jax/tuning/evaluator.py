"""Measures candidates on a sequence: by the journal, or by tracking."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from siamkpn_jax.tuning.engine import Engine, MakeEngine, Setting
from siamkpn_jax.tuning.objective import Measurement, Objective
from siamkpn_jax.tuning.progress import Progress
from siamkpn_jax.tuning.trial_log import Journal


@dataclasses.dataclass(frozen=True, order=True)
class Candidate:
  """What competes.

  Attributes:
    checkpoint: its number among those of the search.
    setting: of the tracker.
  """
  checkpoint: int
  setting: Setting


class Laboratory:
  """Knows engines and journal, so that the race need not."""

  def __init__(self, checkpoints: Sequence[Path], make_engine: MakeEngine,
               objective: Objective, journal: Journal, progress: Progress, *,
               batch: int):
    """Takes what measuring needs.

    Args:
      checkpoints: of the search.
      make_engine: makes the engine of one; called when it is first needed.
      objective: measures.
      journal: remembers.
      progress: is told of every batch.
      batch: settings that an engine is given at once, at most.
    """
    self._checkpoints = checkpoints
    self._make_engine = make_engine
    self._engines: dict[int, Engine] = {}
    self._objective = objective
    self._journal = journal
    self._progress = progress
    self._batch = batch

  def measure(self, candidates: Sequence[Candidate],
              index: int) -> list[Measurement]:
    """One measurement for each candidate on the sequence of an index.

    Raises:
      UserError: what the engine, the objective or the journal raises.
    """
    name = self._objective.names[index]
    todo: dict[int, list[Setting]] = {}
    for c in candidates:
      if self._journal.find(c.checkpoint, name, c.setting) is None:
        todo.setdefault(c.checkpoint, []).append(c.setting)
    missing = sum(map(len, todo.values()))
    frames = self._objective.frames[index]
    self._progress.done((len(candidates) - missing) * frames)
    for checkpoint, settings in todo.items():
      for start in range(0, len(settings), self._batch):
        part = settings[start:start + self._batch]
        self._track(checkpoint, part, index)
        self._progress.done(len(part) * frames)
    return [self._known(c, name) for c in candidates]

  def _known(self, candidate: Candidate, name: str) -> Measurement:
    found = self._journal.find(candidate.checkpoint, name, candidate.setting)
    assert found is not None
    return found

  def _track(self, checkpoint: int, settings: list[Setting],
             index: int) -> None:
    if checkpoint not in self._engines:
      self._engines[checkpoint] = self._make_engine(
          self._checkpoints[checkpoint])
    start = time.perf_counter()
    tracked = self._engines[checkpoint](settings, index)
    measurements = [self._objective.measure(index, result)
                    for _, result in zip(settings, tracked, strict=True)]
    self._journal.add(checkpoint, self._objective.names[index], settings,
                      measurements, time.perf_counter() - start)
