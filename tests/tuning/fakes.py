"""An objective and engines whose best setting is known."""

import dataclasses
from pathlib import Path

import numpy as np

from siamkpn_jax.tuning.evaluator import Laboratory
from siamkpn_jax.tuning.progress import Progress
from siamkpn_jax.tuning.racing import Race
from siamkpn_jax.tuning.trial_log import Journal

OPTIMUM = (0.23, 0.47, 0.38)


class FakeObjective:
  """A weighted mean of numbers that the engine gives."""

  metric = value = 'success_auc'
  protocol, rule = 'fake', 'nobody'

  def __init__(self, sequences=20, shares=None, proof=True):
    self.names = [f'video{i}' for i in range(sequences)]
    self.frames = [10 + i for i in range(sequences)]
    self.shares = (np.full(sequences, 1 / sequences) if shares is None
                   else np.array(shares))
    self.proof = proof

  def measure(self, index, result):
    assert 0 <= index < len(self.names)
    return {'value': float(result)}

  def score(self, measurements):
    return float(self.shares @ [m['value'] for m in measurements])


class Killed(Exception):
  """The engine of a search that is to be interrupted."""


class FakeEngine:
  """Falls off from the optimum; sequences are hard or easy, and noisy.

  Attributes:
    calls: (number of settings, sequence) of every call.
    runs: how many settings were tracked, each sequence counted.
  """

  def __init__(self, checkpoint=0, *, noise=0.02, kill_after=None):
    self.calls = []
    self.runs = 0
    self._checkpoint = checkpoint
    self._noise = noise
    self._kill_after = kill_after

  def __call__(self, settings, sequence_index):
    if len(self.calls) == self._kill_after:
      raise Killed
    assert len(set(settings)) == len(settings) > 0
    self.calls.append((len(settings), sequence_index))
    self.runs += len(settings)
    return [np.float64(self.value(s, sequence_index)) for s in settings]

  def value(self, setting, index):
    """What the setting has on the sequence."""
    numbers = np.array(dataclasses.astuple(setting))
    hardness = 0.2 + 0.2 * np.sin(100.0 * index)
    noise = self._noise * np.sin(
        1e4 * (numbers @ [12.9, 78.2, 37.7]) + 4e3 * index + self._checkpoint)
    fall = ((numbers - OPTIMUM) ** 2).sum()
    return np.clip(0.9 - hardness - fall + noise + 0.02 * self._checkpoint,
                   0, 1)


@dataclasses.dataclass
class Setup:
  """A race with everything below it."""
  race: Race
  objective: FakeObjective
  engines: dict
  journal: Journal

  @property
  def runs(self):
    return sum(engine.runs for engine in self.engines.values())

  def close(self):
    self.journal.__exit__(None, None, None)


def setup(folder: Path, *, objective=None, z=3.0, seed=0, checkpoints=1,
          protected=(), batch=64, **engine) -> Setup:
  """A race that nobody has joined, its journal in `folder`."""
  objective = objective or FakeObjective()
  paths = [Path(str(i)) for i in range(checkpoints)]
  engines = {}

  def make_engine(path):
    assert path not in engines
    engines[path] = FakeEngine(int(path.name), **engine)
    return engines[path]

  journal = Journal(folder / 'journal.jsonl', {'search': 'fake'})
  progress = Progress(show=False)
  laboratory = Laboratory(paths, make_engine, objective, journal, progress,
                          batch=batch)
  race = Race(objective, laboratory, progress, seed=seed, z=z,
              protected=protected)
  return Setup(race, objective, engines, journal)
