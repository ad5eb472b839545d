"""Runs trials: shows them one sequence after the other, prunes, scores.

Trials run in batches, since tracking with many hyperparameters at once is what
the trial runner is good at. All of them see the sequences in the same shuffled
order. What is measured is in the trial log at once, and what comes next depends
on the log alone: a search that was killed goes on as if nothing had happened.
"""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning.objective import Measurement, Objective
from siamkpn_jax.tuning.trial_log import SECONDS, Candidate, load_optuna
from siamkpn_jax.tuning.trial_runner import TrialRunner

if TYPE_CHECKING:
  import optuna
  from optuna.trial import FrozenTrial


class Evaluator:
  """Runs the trials of a study."""

  def __init__(self, study: 'optuna.Study', checkpoints: Sequence[Path],
               make_runner: Callable[[Path], TrialRunner], objective: Objective,
               *, seed: int, protected: int, progress: tqdm):
    """Takes what running needs.

    Args:
      study: asks, and is told.
      checkpoints: of the search.
      make_runner: makes the trial runner of one, when it is first needed.
      objective: measures and scores.
      seed: of the order in which sequences are visited.
      protected: so many trials, the first, are never pruned.
      progress: counts frames.
    """
    self._study = study
    self._checkpoints = checkpoints
    self._make_runner = make_runner
    self._runners: dict[int, TrialRunner] = {}
    self._objective = objective
    self._protected = protected
    self._progress = progress
    self._order = list(range(len(objective.names)))
    random.Random(seed).shuffle(self._order)

  @property
  def num_frames(self) -> int:
    """That a trial has to track."""
    return sum(self._objective.frames)

  def run(self, trials: Sequence['optuna.Trial']) -> None:
    """Runs trials to their end: complete with a score, or pruned.

    Args:
      trials: running, of different candidates; some may have seen sequences.

    Raises:
      UserError: what the trial runner or the objective raises, or another
        search runs the same trials.
    """
    active = [t for t in trials if not self._ends_early(t)]
    for step, index in enumerate(self._order):
      left = self._unseen(active, step)
      self._progress.update(
          (len(active) - len(left)) * self._objective.frames[index])
      if left:
        self._measure(left, step)
      frozen = self._study.get_trials(deepcopy=False)
      active = [t for t in active
                if not self._prune(t, frozen[t.number], step)]
    frozen = self._study.get_trials(deepcopy=False)
    for trial in active:
      self._study.tell(trial, self._score(frozen[trial.number]))

  def seconds(self) -> float:
    """Spent tracking, in interrupted runs too."""
    return self._study.user_attrs.get(SECONDS, 0.0)

  def _unseen(self, trials: Sequence['optuna.Trial'], step: int
              ) -> list['optuna.Trial']:
    """Those that have not reported a step."""
    frozen = self._study.get_trials(deepcopy=False)
    return [t for t in trials
            if step not in frozen[t.number].intermediate_values]

  def _measure(self, trials: Sequence['optuna.Trial'], step: int) -> None:
    """Tracks on one sequence, and reports what came out."""
    index = self._order[step]
    groups: dict[int, list[optuna.Trial]] = {}
    for trial in trials:
      groups.setdefault(Candidate.of(trial).checkpoint, []).append(trial)
    for checkpoint, group in groups.items():
      if checkpoint not in self._runners:
        self._runners[checkpoint] = self._make_runner(
            self._checkpoints[checkpoint])
      start = time.perf_counter()
      tracked = self._runners[checkpoint](
          [Candidate.of(t).hyperparameters for t in group], index)
      found = [self._objective.measure(index, result) for result in tracked]
      spent = time.perf_counter() - start
      if len(self._unseen(group, step)) < len(group):
        raise UserError(
            'another search is running the same trials; expected only one: '
            'wait for it, or choose another --output')
      for trial, measured in zip(group, found, strict=True):
        if measured.details is not None:
          trial.set_user_attr(self._objective.names[index], measured.details)
        trial.report(measured.value, step)
      self._study.set_user_attr(SECONDS, round(self.seconds() + spent, 3))
      self._progress.update(len(group) * self._objective.frames[index])

  def _prune(self, trial: 'optuna.Trial', frozen: 'FrozenTrial', step: int
             ) -> bool:
    """Whether a trial ends after a step, and was told so."""
    total = len(self._order)
    if (trial.number < self._protected or step + 1 == total or
        # One that goes on was asked already.
        frozen.last_step != step or
        not self._study.pruner.prune(self._study, frozen)):
      return False
    self._progress.update(sum(
        self._objective.frames[index] for index in self._order[step + 1:]))
    best = self._study.best_trial
    behind = np.mean([best.intermediate_values[n] - value
                      for n, value in frozen.intermediate_values.items()])
    # Samplers rank pruned trials by their last step, then by its value, which
    # is here an estimate of the score.
    trial.report(best.values[0] - float(behind), total + step)
    return self._ends_early(trial)

  def _ends_early(self, trial: 'optuna.Trial') -> bool:
    """Tells the study of one that is pruned, unless a kill was quicker."""
    frozen = self._study.get_trials(deepcopy=False)[trial.number]
    pruned = max(frozen.intermediate_values, default=0) >= len(self._order)
    if pruned:
      self._study.tell(trial, state=load_optuna().trial.TrialState.PRUNED)
    return pruned

  def _score(self, trial: 'FrozenTrial') -> float:
    by_index = {index: Measurement(
        trial.intermediate_values[step],
        trial.user_attrs.get(self._objective.names[index]))
        for step, index in enumerate(self._order)}
    return self._objective.score([by_index[i] for i in sorted(by_index)])
