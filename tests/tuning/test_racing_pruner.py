"""The pruner drops what is behind by more than chance, and seldom errs."""

import numpy as np
import optuna
import pytest

from siamkpn_jax.tuning import trial_log


class _Study:
  """One whose best trial has 0.6 everywhere."""

  class best_trial:
    intermediate_values = dict.fromkeys(range(60), 0.6)


def _pruned(behind, total, z):
  trial = optuna.trial.create_trial(value=0.5, intermediate_values={
      step: 0.6 - float(x) for step, x in enumerate(behind)})
  return trial_log.pruner(z, total).prune(_Study, trial)


def test_by_hand():
  steps = np.tile([0.01, -0.01], 5)
  behind = 0.05 + steps  # sd 0.0105, error 0.0029, t of z = 3: 4.09
  rows = [behind, 0.01 + steps, -behind, 0 * steps]
  assert [_pruned(row, 40, 3) for row in rows] == [True, False, False, False]
  assert [_pruned(row, 40, 2) for row in rows] == [True, True, False, False]
  assert not _pruned(behind, 40, 0)


def test_from_a_fifth_of_the_sequences_on():
  behind = [0.1, 0.11, 0.1, 0.11, 0.1, 0.11]
  fewest = lambda total: [
      n for n in range(7) if _pruned(behind[:n], total, 3)][:1]
  assert [fewest(total) for total in (7, 25, 26, 31)] == [[5], [5], [6], []]


def test_error_ends_with_the_last_sequence():
  """Once all sequences are seen, no chance is left."""
  behind = [0.0] * 9 + [0.5]
  assert _pruned(behind, 10, 3) and not _pruned(behind, 20, 3)


def test_nothing_to_compare_with():
  study = optuna.create_study(direction='maximize',
                              pruner=trial_log.pruner(3, 10))
  trial = study.ask()
  for step in range(10):
    trial.report(0.1, step)
  assert not trial.should_prune()


@pytest.mark.parametrize('seen', [5, 12, 40])
def test_errs_seldom(seen):
  """Of trials that are as good as the best in the end: the tail beyond z."""
  rng = np.random.default_rng(1)
  behind = rng.normal(0, 0.1, (2000, 60))
  behind -= behind.mean(axis=1, keepdims=True)
  wrong = np.mean([_pruned(row[:seen], 25 if seen == 5 else 60, 2.0)
                   for row in behind])
  assert 0.012 < wrong < 0.036  # 2.3 %
