"""The strategies find a known optimum; going on changes nothing."""

import dataclasses

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning import grid, search
from siamkpn_jax.tuning.search import SearchPlan
from siamkpn_jax.tuning.trial_log import Candidate
from siamkpn_jax.tuning.trial_runner import TrialParams
from tests.optional import import_or_skip
from tests.tuning.fakes import (
  OPTIMUM,
  OWN,
  FakeObjective,
  FakeRunner,
  Killed,
  Setup,
)

COARSE = [Candidate(0, point) for point in grid.level_one(0.25)]


def _truth(candidates, sequences, **runner):
  """Scores by definition, without any pruning."""
  return {c: np.mean([FakeRunner(c.checkpoint, **runner).value(
      c.hyperparameters, i) for i in range(sequences)]) for c in candidates}


def test_grid_finds_the_optimum():
  """To a fine step in each, since nothing is noisy."""
  made = Setup(objective=FakeObjective(6), z=2, noise=0,
               baselines=[TrialParams(0.2, 0.3, 0.4)]).search(step=0.25)
  found = made.candidates()
  assert len(found) == len(set(found)) == 1 + 64 + 11**3 - 1
  best = dataclasses.astuple(made.best().hyperparameters)
  np.testing.assert_allclose(best, OPTIMUM, atol=0.0126)
  assert made.runs < 0.95 * 6 * len(found)


def test_without_pruning_all_have_their_score():
  made = Setup(z=0).search(step=0.25, budget=30)
  truth = _truth(made.candidates(), 20)
  assert made.scores() == pytest.approx(truth)
  assert made.best() == max(truth, key=truth.get)
  assert made.runs == len(truth) * 20


def test_pruning_finds_the_same_best_with_less():
  made = Setup(objective=FakeObjective(40), batch=16).search(
      step=0.25, budget=64)
  found = made.candidates()
  truth = _truth(found, 40)
  assert truth[made.best()] == pytest.approx(max(truth.values()), abs=0.002)
  for candidate, score in made.scores().items():
    assert score == pytest.approx(truth[candidate])
  assert Candidate(0, OWN) in made.scores()  # never pruned
  dropped = [t for t in made.trials if t.state.name == 'PRUNED']
  assert len(dropped) > 40
  assert made.runs < 0.75 * len(found) * 40
  assert min(len(t.intermediate_values) for t in dropped) == 8 + 1  # a fifth
  errors = [t.value - truth[Candidate.of(t)] for t in dropped]
  assert np.abs(errors).max() < 0.05  # the estimate


def test_grid_of_several_checkpoints():
  """A trial runner gets its own, as many as fit."""
  made = Setup(objective=FakeObjective(6), batch=50,
               baselines=(OWN, OWN)).search(step=0.25, budget=40)
  assert made.best().checkpoint == 1  # which is better everywhere
  tried = [sum(c.checkpoint == i for c in made.candidates()) for i in (0, 1)]
  assert tried[0] == 41 and 75 <= tried[1] <= 81
  assert {Candidate(i, OWN) for i in (0, 1)} <= set(made.scores())
  first, second = made.runners.values()
  assert [n for n, _ in first.calls[:7]] == [1] * 6 + [40]
  assert max(n for n, _ in first.calls + second.calls) <= 50


def test_order_is_shuffled_and_seeded():
  visits, asked = {}, {}
  for name, seed in (('a', 0), ('b', 0), ('c', 1)):
    made = Setup(seed=seed).search(step=0.5, budget=4)
    calls = made.runners.popitem()[1].calls
    visits[name] = list(dict.fromkeys(index for _, index in calls))
    asked[name] = made.candidates()
  assert visits['a'] == visits['b'] != visits['c']
  assert asked['a'] == asked['b'] != asked['c']
  assert sorted(visits['a']) == list(range(20)) != visits['a']


@pytest.mark.parametrize('strategy', ['grid', 'optuna'])
@pytest.mark.parametrize('kill_after', [0, 1, 13, 31])
def test_resumed_equals_uninterrupted(tmp_path, strategy, kill_after):
  objective = FakeObjective(12)
  plan = {'strategy': strategy, 'step': 0.25, 'budget': 45}
  options = {'objective': objective, 'batch': 20, 'z': 2}
  whole = Setup(tmp_path / 'whole', **options).search(**plan)
  assert {t.state.name for t in whole.trials} >= {'COMPLETE', 'PRUNED'}
  killed = Setup(tmp_path / 'killed', kill_after=kill_after, **options)
  with pytest.raises(Killed):
    killed.search(**plan)
  with (tmp_path / 'killed' / 'log').open('a') as file:
    file.write('{"op_code": 6, "work')  # killed while writing
  again = Setup(tmp_path / 'killed', **options).search(**plan)
  assert again.outcome() == whole.outcome()  # in every bit
  assert again.runs + killed.runs == whole.runs
  assert Setup(tmp_path / 'killed', **options).search(**plan).runs == 0


@pytest.mark.parametrize('strategy', ['grid', 'optuna'])
def test_killed_at_any_line(tmp_path, strategy):
  """Between a draw and the next, between a pruning and its telling."""
  plan = {'strategy': strategy, 'step': 0.5, 'budget': 7}
  options = {'objective': FakeObjective(7), 'batch': 4, 'z': 1}
  whole = Setup(tmp_path / 'whole', **options).search(**plan)
  lines = (tmp_path / 'whole' / 'log').read_bytes().splitlines(keepends=True)
  assert any(t.state.name == 'PRUNED' for t in whole.trials)
  for count in range(2, len(lines), 7):
    folder = tmp_path / str(count)
    folder.mkdir()
    (folder / 'log').write_bytes(b''.join(lines[:count]))
    again = Setup(folder, **options).search(**plan)
    assert again.outcome() == whole.outcome(), count


def test_tpe():
  """Better than chance, and nothing is tracked twice."""
  made = Setup(objective=FakeObjective(6), batch=20,
               baselines=(OWN, OWN)).search(strategy='optuna', budget=120)
  assert all(n <= 20 for e in made.runners.values() for n, _ in e.calls)
  assert len(made.trials) == 122
  best = dataclasses.astuple(made.best().hyperparameters)
  assert np.abs(np.subtract(best, OPTIMUM)).max() < 0.2
  assert {Candidate(0, OWN), Candidate(1, OWN)} <= set(made.scores())
  tracked = made.candidates('COMPLETE', 'PRUNED')
  assert len(set(tracked)) == len(tracked)


def test_candidate_asked_again_is_not_run(monkeypatch):
  made = Setup(objective=FakeObjective(6))
  draws = iter([0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5])
  optuna = import_or_skip('optuna', 'searches')
  monkeypatch.setattr(optuna.samplers.TPESampler, 'sample_independent',
                      lambda self, study, trial, name, distribution:
                      0 if name == 'checkpoint' else next(draws))
  made.search(strategy='optuna', budget=3)
  assert [t.state.name for t in made.trials] == 3 * ['COMPLETE'] + ['FAIL']
  assert made.runs == 3 * 6


def test_two_searches_at_once(tmp_path):
  """The one that is late is refused, and nothing is spoiled."""
  plan = {'step': 0.5, 'budget': 4}
  late = Setup(tmp_path, objective=FakeObjective(6))
  measure = late.objective.measure

  def slow(index, result):
    late.objective.measure = measure
    Setup(tmp_path, objective=FakeObjective(6)).search(**plan)
    return measure(index, result)

  late.objective.measure = slow
  with pytest.raises(UserError, match='another search .* only one'):
    late.search(**plan)
  assert Setup(tmp_path, objective=FakeObjective(6)).search(**plan).runs == 0


def test_description_tells_searches_apart():
  plans = [SearchPlan(), SearchPlan(step=0.2), SearchPlan(budget=7),
           SearchPlan(seed=1), SearchPlan('optuna')]
  assert len({str(search.describe(p)) for p in plans}) == 5
  assert search.describe(SearchPlan(batch=3)) == search.describe(SearchPlan())
  with pytest.raises(UserError, match='--step'):
    search.describe(SearchPlan(step=2))


def test_of_equal_scores_the_base_line_wins():
  """A search that found nothing better changes nothing."""
  made = Setup(objective=FakeObjective(6), z=0)
  made.objective.score = lambda measurements: 0.25
  made.search(step=0.5, budget=4)
  assert made.best() == Candidate(0, OWN)
