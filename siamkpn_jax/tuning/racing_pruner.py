"""When a trial may be given up before it has seen all sequences.

What two trials differ by, sequence by sequence, is a random sample without
replacement of the differences on all sequences, so the mean of those seen
estimates the final difference, with standard error sd * sqrt((1 - n / N) / n).
Pairing takes out what is common: how hard a sequence is. (Optuna's
WilcoxonPruner tests the same pairs, but by ranks, takes a second per test where
differences are tied, and cannot decide before the tenth sequence at z = 3.)

It is no proof. The one compared with is the best so far of many, which flatters
it, and there is a look after every sequence; so z = 3 errs more often than the
0.1 % of a single test. What it loses is small: trials that are about as good.
"""

import math
from statistics import NormalDist

import numpy as np
import optuna
from scipy import special

_FEWEST = 5  # sequences from which a spread can be told
_ROUNDING = 1e-9


class RacingPruner(optuna.pruners.BasePruner):
  """Drops a trial that is behind the best by more than chance explains."""

  def __init__(self, z: float, sequences: int):
    """Nothing is dropped before a fifth of the sequences, 5 at least.

    Args:
      z: standard errors, above 0; widened to Student's t for the few sequences
        seen.
      sequences: number of all.
    """
    self._tail = NormalDist().cdf(z)
    self._sequences = sequences
    self._fewest = max(_FEWEST, math.ceil(0.2 * sequences))

  def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
    """Whether to drop it; its intermediate values are those of sequences."""
    n = len(trial.intermediate_values)
    if n < self._fewest:
      return False
    try:
      best = study.best_trial.intermediate_values
    except ValueError:  # none is complete
      return False
    behind = np.array([best[step] - value for step, value in
                       trial.intermediate_values.items()])
    error = behind.std(ddof=1) * math.sqrt((1 - n / self._sequences) / n)
    limit = special.stdtrit(n - 1, self._tail) * error
    return bool(behind.mean() > limit + _ROUNDING)
