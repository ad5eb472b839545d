"""An objective and trial runners whose best is known."""

import dataclasses
from pathlib import Path

import numpy as np
from tqdm import tqdm

from siamkpn_jax.tuning import search, trial_log
from siamkpn_jax.tuning.evaluator import Evaluator
from siamkpn_jax.tuning.objective import Measurement
from siamkpn_jax.tuning.trial_log import Candidate
from siamkpn_jax.tuning.trial_runner import TrialParams

OWN = TrialParams(0.81, 0.1, 0.9)  # far from the best
OPTIMUM = (0.23, 0.47, 0.38)


class FakeObjective:
  """The mean of numbers that the trial runner gives."""

  metric = 'success_auc'
  protocol, rule = 'fake', 'nobody'

  def __init__(self, sequences=20):
    self.names = [f'video{i}' for i in range(sequences)]
    self.frames = [10 + i for i in range(sequences)]

  def measure(self, index, result):
    assert 0 <= index < len(self.names)
    return Measurement(float(result), [index])

  def score(self, measurements):
    # What else was measured comes back, in the sequences' order.
    assert [m.details for m in measurements] == [
        [i] for i in range(len(self.names))]
    return float(np.mean([m.value for m in measurements]))


class Killed(Exception):
  """The trial runner of a search that is to be interrupted."""


class FakeRunner:
  """Falls off from the optimum; sequences are hard or easy, and noisy.

  Attributes:
    calls: (number of trials, sequence) of every call.
    runs: how many trials were tracked, each sequence counted.
  """

  def __init__(self, checkpoint=0, *, noise=0.02, kill_after=None):
    self.calls = []
    self.runs = 0
    self._checkpoint = checkpoint
    self._noise = noise
    self._kill_after = kill_after

  def __call__(self, asked, sequence_index):
    if len(self.calls) == self._kill_after:
      raise Killed
    assert len(set(asked)) == len(asked) > 0
    self.calls.append((len(asked), sequence_index))
    self.runs += len(asked)
    return [np.float64(self.value(s, sequence_index)) for s in asked]

  def value(self, hyperparameters, index):
    """What they have on the sequence."""
    numbers = np.array(dataclasses.astuple(hyperparameters))
    hardness = 0.2 + 0.2 * np.sin(100.0 * index)
    noise = self._noise * np.sin(
        1e4 * (numbers @ [12.9, 78.2, 37.7]) + 4e3 * index + self._checkpoint)
    fall = ((numbers - OPTIMUM) ** 2).sum()
    return np.clip(0.9 - hardness - fall + noise + 0.02 * self._checkpoint,
                   0, 1)


class Setup:
  """A search with everything below it; in memory without a folder."""

  def __init__(self, folder: Path | None = None, *, objective=None,
               z=3.0, seed=0, baselines=(OWN,), batch=64, **runner):
    self.objective = objective or FakeObjective()
    self.runners = {}
    self._plan = {'seed': seed, 'batch': batch}
    self._baselines = baselines
    self._bar = tqdm(disable=True)
    pruner = trial_log.pruner(z, len(self.objective.names))
    self.study = (
        trial_log.open_study(folder / 'log', {'search': 'fake'}, pruner)
        if folder else trial_log.load_optuna().create_study(
            direction='maximize', pruner=pruner))

    def make_runner(path):
      assert path not in self.runners
      self.runners[path] = FakeRunner(int(path.name), **runner)
      return self.runners[path]

    self.evaluator = Evaluator(
        self.study, [Path(str(i)) for i in range(len(baselines))], make_runner,
        self.objective, seed=seed, protected=len(baselines),
        progress=self._bar)

  def search(self, **plan):
    """Runs a plan to its end."""
    search.search(self.study, self.evaluator, self._baselines,
                  search.SearchPlan(**self._plan | plan), self._bar)
    return self

  @property
  def runs(self):
    return sum(runner.runs for runner in self.runners.values())

  @property
  def trials(self):
    return self.study.get_trials(deepcopy=False)

  def candidates(self, *states):
    """What was asked, of trials that ended so; all without any."""
    return [Candidate.of(t) for t in self.trials
            if not states or t.state.name in states]

  def scores(self):
    """Of the complete ones."""
    return {Candidate.of(t): t.value for t in self.trials
            if t.state.name == 'COMPLETE'}

  def best(self):
    return Candidate.of(search.ranking(self.trials)[0])

  def outcome(self):
    """All that a search decides."""
    return [(t.number, t.params, t.state, t.value, t.intermediate_values)
            for t in self.trials]
