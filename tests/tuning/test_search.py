"""The strategies find a known optimum."""

import sys

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning import search
from siamkpn_jax.tuning.engine import Setting
from siamkpn_jax.tuning.evaluator import Candidate
from siamkpn_jax.tuning.search import Plan
from tests.tuning.fakes import OPTIMUM, FakeObjective

OWN = Setting(0.81, 0.1, 0.9)


@pytest.fixture
def searched(setup):
  """Runs a search of a plan, its journal in a folder."""
  def run(folder, plan, *, baselines=(OWN,), **options):
    made = setup(folder, checkpoints=len(baselines), protected=[
        Candidate(i, s) for i, s in enumerate(baselines)], **options)
    search.search(made.race, baselines, plan)
    return made
  return run


def test_grid_finds_the_optimum(searched, tmp_path):
  """To 0.01 in each setting, since nothing is noisy."""
  made = searched(tmp_path, Plan(), objective=FakeObjective(10), noise=0)
  assert made.race.best() == Candidate(0, Setting(*OPTIMUM))
  assert Candidate(0, OWN) in made.race.scores
  # 1000 and the base line; 1331 of which the center was there already.
  assert len(made.race.values) == 1000 + 1 + 1330
  assert made.runs < 0.7 * 2331 * 10


def test_grid_of_several_checkpoints(searched, tmp_path):
  made = searched(tmp_path, Plan(step=0.25), baselines=(OWN, OWN, OWN))
  assert made.race.best().checkpoint == 2
  tried = [sum(c.checkpoint == i for c in made.race.values) for i in range(3)]
  assert tried[:2] == [65, 65] and tried[2] > 400
  assert {Candidate(i, OWN) for i in range(3)} <= set(made.race.scores)


def test_budget(searched, tmp_path):
  made = searched(tmp_path / 'a', Plan(budget=30, seed=5))
  assert 55 <= len(made.race.values) <= 61
  again = searched(tmp_path / 'b', Plan(budget=30, seed=5))
  assert list(made.race.values) == list(again.race.values)
  other = searched(tmp_path / 'c', Plan(budget=30, seed=6))
  assert set(other.race.values) != set(made.race.values)


def test_description_tells_searches_apart():
  plans = [Plan(), Plan(step=0.2), Plan(budget=7), Plan(seed=1)]
  assert len({str(search.describe(p)) for p in plans}) == 4
  assert search.describe(Plan(batch=3)) == search.describe(Plan())
  with pytest.raises(UserError, match='--step'):
    search.describe(Plan(step=2))


def test_optuna_missing(monkeypatch):
  monkeypatch.setitem(sys.modules, 'optuna', None)
  with pytest.raises(UserError, match=r'not installed; .*siamkpn_jax\[tune\]'):
    search.describe(Plan('optuna'))


def test_optuna(searched, tmp_path):
  """Better than chance, batch by batch, and the same when it goes on."""
  pytest.importorskip('optuna')
  plan = Plan('optuna', budget=120, batch=20)
  made = searched(tmp_path / 'a', plan, baselines=(OWN, OWN))
  assert all(n <= 20 for e in made.engines.values() for n, _ in e.calls)
  assert len(made.race.values) <= 122
  best = made.race.best().setting
  found = np.array([best.penalty_k, best.window_influence, best.size_lr])
  assert np.abs(found - OPTIMUM).max() < 0.2
  assert {Candidate(0, OWN), Candidate(1, OWN)} <= set(made.race.scores)
  made.close()
  again = searched(tmp_path / 'a', plan, baselines=(OWN, OWN))
  assert again.runs == 0
  assert again.race.scores == made.race.scores
