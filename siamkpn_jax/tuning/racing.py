"""Candidates see one sequence after the other; hopeless ones drop out.

Candidates may join in several rounds. Those that have seen all sequences have a
score, and stay what later ones are compared with; those that were dropped have
an estimate, and do not come back.
"""

import random
from collections.abc import Collection, Sequence

import numpy as np

from siamkpn_jax.tuning import pruning
from siamkpn_jax.tuning.evaluator import Candidate, Laboratory
from siamkpn_jax.tuning.objective import Measurement, Objective
from siamkpn_jax.tuning.progress import Progress


class Race:
  """Who takes part, and how well.

  Attributes:
    scores: of the candidates that have seen all sequences.
    values: [n] of every candidate on the sequences that it has seen, in the
      order of visiting.
  """

  def __init__(self, objective: Objective, laboratory: Laboratory,
               progress: Progress, *, seed: int, z: float,
               protected: Collection[Candidate] = ()):
    """Nobody takes part yet.

    Args:
      objective: scores.
      laboratory: measures.
      progress: is told how much there is to do.
      seed: of the order in which sequences are visited.
      z: see pruning.py; 0: nothing is dropped without proof.
      protected: are never dropped.
    """
    self.scores: dict[Candidate, float] = {}
    self.values: dict[Candidate, np.ndarray] = {}
    self._objective = objective
    self._laboratory = laboratory
    self._progress = progress
    self._z = z
    self._protected = frozenset(protected)
    self._order = list(range(len(objective.names)))
    random.Random(seed).shuffle(self._order)
    self._shares = objective.shares[self._order]
    self._leader = np.zeros(len(self._order))  # values of the best by mean

  def run(self, candidates: Sequence[Candidate]) -> None:
    """Lets candidates join, and ends when each has a score or is dropped.

    Raises:
      UserError: see `Laboratory.measure`.
    """
    active = [c for c in dict.fromkeys(candidates) if c not in self.values]
    if not active:
      return
    left = sum(self._objective.frames)
    self._progress.expect(len(active) * left)
    seen: dict[Candidate, list[Measurement]] = {c: [] for c in active}
    for count, index in enumerate(self._order, start=1):
      for c, found in zip(
          active, self._laboratory.measure(active, index), strict=True):
        seen[c].append(found)
      values = {c: np.array([m['value'] for m in seen[c]]) for c in active}
      left -= self._objective.frames[index]
      dropped = self._dropped(values) if count < len(self._order) else set()
      for c in dropped:
        self.values[c] = values[c]
      active = [c for c in active if c not in dropped]
      self._progress.expect(-len(dropped) * left)
      self._progress.state(self._state(values, len(active)))
    for c in active:
      self.values[c] = values[c]
      self.scores[c] = self._score(seen[c])
      if values[c] @ self._shares > self._leader @ self._shares:
        self._leader = values[c]

  def best(self) -> Candidate:
    """The one with the best score; of equal ones, a protected or the first."""
    return self.ranking()[0]

  def ranking(self) -> list[Candidate]:
    """Those with a score, the best first."""
    return sorted(self.scores, key=lambda c: (
        -self.scores[c], c not in self._protected, c))

  def estimate(self, candidate: Candidate) -> float:
    """The mean value over all sequences, of one that has not seen all too.

    Where it was dropped: that of the best by this mean, less the mean by which
    it was behind that one on the sequences that both have seen.
    """
    values = self.values[candidate]
    if candidate in self.scores:
      return float(values @ self._shares)
    n = len(values)
    behind = (self._leader[:n] - values) @ self._shares[:n]
    return (float(self._leader @ self._shares) -
            float(behind) * len(self._order) / n)

  def _dropped(self, values: dict[Candidate, np.ndarray]) -> set[Candidate]:
    """Of those still active, who have all seen the same sequences."""
    if not values:
      return set()
    rows = np.array(list(values.values()))
    n = rows.shape[1]
    shares, total = self._shares[:n], len(self._order)
    hopeless = np.zeros(len(rows), bool)
    if self._objective.proof:
      floor = max(self.scores.values(), default=0.0)
      hopeless |= pruning.never_best(rows, shares, floor)
    if self._z > 0 and n >= pruning.minimum(total):
      rivals = [*rows, *(self.values[c][:n] for c in self.scores)]
      leader = max(rivals, key=lambda row: float(row @ shares))
      hopeless |= pruning.clearly_worse(rows, leader, shares, total, self._z)
    return {c for c, bad in zip(values, hopeless, strict=True)
            if bad and c not in self._protected}

  def _score(self, seen: Sequence[Measurement]) -> float:
    by_index = dict(zip(self._order, seen, strict=True))
    return self._objective.score([by_index[i] for i in sorted(by_index)])

  def _state(self, values: dict[Candidate, np.ndarray], active: int) -> str:
    if self.scores:
      best = f'best {self.scores[self.best()]:.3f}'
    else:
      shares = self._shares[:len(next(iter(values.values())))]
      lead = max(float(row @ shares) for row in values.values())
      best = f'best so far {lead / max(float(shares.sum()), 1e-9):.3f}'
    return f'{best}, {active} settings left'
