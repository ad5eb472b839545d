"""The two rules: one that is never wrong, one that seldom is."""

import math

import numpy as np
import pytest
from scipy import stats

from siamkpn_jax.tuning import pruning


def test_never_best_by_hand():
  values = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
  # 3 of 4 sequences seen: at least 0.75, at most 0.25, at most 0.5.
  assert pruning.never_best(values, np.full(3, 0.25)).tolist() == [
      False, True, True]
  # 3 of 6: 0.5 against at most 0.5: a tie is still possible.
  assert pruning.never_best(values, np.full(3, 1 / 6)).tolist() == [False] * 3
  # Somebody has 0.9 in the end.
  assert pruning.never_best(values, np.full(3, 0.25), floor=0.6).tolist() == [
      False, True, True]
  assert pruning.never_best(values[1:], np.full(3, 1 / 6), floor=0.6).tolist(
      ) == [True, False]
  # Shares count: the one sequence that is missing is most of the score.
  assert not pruning.never_best(values, np.full(3, 0.1)).any()


def test_never_best_is_never_wrong():
  """Whatever comes, none that was dropped reaches the best."""
  rng = np.random.default_rng(0)
  dropped = 0
  for _ in range(300):
    total = rng.integers(2, 12)
    shares = rng.dirichlet(np.ones(total))
    values = rng.integers(0, 2, (6, total)) * rng.uniform(0, 1, (6, total))
    seen = rng.integers(1, total + 1)
    bad = pruning.never_best(values[:, :seen], shares[:seen])
    # The worst that can come for the best, the best for the others.
    assert not bad[(values @ shares).argmax()]
    for i in np.flatnonzero(bad):
      future = np.where(np.arange(6)[:, None] == i, 1.0, 0.0)
      late = np.where(np.arange(total) < seen, values, future)
      assert (late @ shares).argmax() != i
      dropped += 1
  assert dropped > 100


@pytest.mark.parametrize('freedom', [4, 7, 19, 100])
@pytest.mark.parametrize('z', [1.0, 2.0, 3.0])
def test_student(z, freedom):
  exact = stats.t.isf(stats.norm.sf(z), freedom)
  assert pruning.student(z, freedom) == pytest.approx(exact, rel=0.03)
  assert math.isinf(pruning.student(1e3, 1))


def test_clearly_worse_by_hand():
  shares = np.full(10, 1 / 40)
  leader = np.full(10, 0.6)
  steps = np.tile([0.01, -0.01], 5)
  behind = 0.05 + steps  # sd 0.0105, error 0.0029, t of z = 3: 4.09
  rows = leader - np.stack([behind, 0.01 + steps, -behind, 0 * steps])
  worse = lambda z: pruning.clearly_worse(rows, leader, shares, 40, z).tolist()
  assert worse(3) == [True, False, False, False]
  assert worse(2) == [True, True, False, False]
  assert pruning.clearly_worse(rows[:, :1], leader[:1], shares[:1], 40,
                               3).tolist() == [False] * 4


def test_error_ends_with_the_last_sequence():
  """Once all sequences are seen, no chance is left."""
  shares = np.full(10, 1 / 10)
  rows = np.array([[0.5] * 9 + [0.0]])
  leader = np.full(10, 0.5)
  assert pruning.clearly_worse(rows, leader, shares, 10, 3).all()
  assert not pruning.clearly_worse(rows, leader, shares, 20, 3).any()


def test_clearly_worse_errs_seldom():
  """Of settings that are as good as the leader in the end, about 0.1 %."""
  rng = np.random.default_rng(1)
  differences = rng.normal(0, 0.1, (4000, 60))
  differences -= differences.mean(axis=1, keepdims=True)
  leader = np.full(60, 0.5)
  shares = np.full(60, 1 / 60)
  wrong = lambda seen: pruning.clearly_worse(
      (leader - differences)[:, :seen], leader[:seen], shares[:seen], 60,
      2.0).mean()
  for seen in (5, 12, 40):  # the tail beyond z = 2: 2.3 %
    assert 0.012 < wrong(seen) < 0.036


def test_minimum():
  assert [pruning.minimum(n) for n in (3, 25, 26, 100)] == [5, 5, 6, 20]
