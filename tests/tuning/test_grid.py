"""The two levels of the grid, and what a budget takes of them."""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning import grid
from siamkpn_jax.tuning.trial_runner import TrialParams


def _axes(points):
  return [sorted(set(column)) for column in zip(
      *[(s.penalty_k, s.window_influence, s.size_lr) for s in points],
      strict=True)]


def test_the_papers_levels():
  coarse = grid.level_one()
  assert len(coarse) == len(set(coarse)) == 1000
  assert _axes(coarse) == [[0, .1, .2, .3, .4, .5, .6, .7, .8, .9]] * 3
  best = TrialParams(0.1, 0.5, 0.6)
  fine = grid.level_two(best)
  assert len(fine) == len(set(fine)) == 11 ** 3 and best in fine
  axes = _axes(fine)
  assert axes[0] == [.05, .06, .07, .08, .09, .1, .11, .12, .13, .14, .15]
  assert (axes[1][0], axes[1][-1]) == (0.45, 0.55)
  assert (axes[2][0], axes[2][-1]) == (0.55, 0.65)


def test_second_level_stays_inside():
  axes = _axes(grid.level_two(TrialParams(0.0, 0.98, 0.54)))
  assert axes[0] == [0, .01, .02, .03, .04, .05]
  assert axes[1] == [.93, .94, .95, .96, .97, .98, .99]
  assert len(axes[2]) == 11


@pytest.mark.parametrize('best', [(1.3, 0.5, 0.5), (0.2, 1.0, 1.0)])
def test_a_best_beyond_the_grid_is_in_its_second_level(best):
  """It was a checkpoint's own."""
  fine = grid.level_two(TrialParams(*best))
  assert TrialParams(*best) in fine and len(fine) >= 11


@pytest.mark.parametrize(('step', 'values'), [
    (0.25, [0, .25, .5, .75]), (0.3, [0, .3, .6, .9]), (0.5, [0, .5])])
def test_coarser_grids(step, values):
  assert _axes(grid.level_one(step)) == [values] * 3
  low, *_, high = _axes(grid.level_two(TrialParams(0.5, 0.5, 0.5), step))[0]
  assert (low, high) == pytest.approx((0.5 - step / 2, 0.5 + step / 2))


@pytest.mark.parametrize('step', [0, -0.1, 1, 0.001, float('nan')])
def test_senseless_steps(step):
  with pytest.raises(UserError, match='--step'):
    grid.level_one(step)


def test_budget_is_seeded():
  points = grid.level_one()
  some = grid.subset(points, 50, seed=3)
  assert len(set(some)) == 50 and set(some) < set(points)
  assert some == grid.subset(points, 50, seed=3)
  assert some != grid.subset(points, 50, seed=4)
  assert some != sorted(some)
  # Drawn from everywhere, not from the beginning.
  assert np.mean([s.penalty_k for s in some]) == pytest.approx(0.45, abs=0.15)
  for everything in (0, 5000):
    assert sorted(grid.subset(points, everything, seed=3)) == points
