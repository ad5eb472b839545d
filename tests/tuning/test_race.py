"""Racing: who drops out, who wins, and that going on changes nothing."""

import numpy as np
import pytest

from siamkpn_jax.tuning import grid
from siamkpn_jax.tuning.engine import Setting
from siamkpn_jax.tuning.evaluator import Candidate
from tests.tuning.fakes import FakeEngine, FakeObjective, Killed

COARSE = [Candidate(0, s) for s in grid.level_one(0.25)]
BAD = Candidate(0, Setting(0.99, 0.99, 0.99))


def _truth(candidates, objective, **engine):
  """Scores by definition, without any race."""
  engine = FakeEngine(**engine)
  return {c: sum(share * engine.value(c.setting, i)
                 for i, share in enumerate(objective.shares))
          for c in candidates}


def test_without_pruning_all_have_their_score(setup, tmp_path):
  objective = FakeObjective(proof=False)
  made = setup(tmp_path, z=0, objective=objective)
  made.race.run(COARSE)
  truth = _truth(COARSE, objective)
  assert made.race.scores == pytest.approx(truth)
  assert made.race.ranking() == sorted(COARSE, key=lambda c: -truth[c])
  assert made.runs == len(COARSE) * 20
  assert made.race.estimate(COARSE[3]) == pytest.approx(truth[COARSE[3]])


def test_pruning_finds_the_same_best_with_less(setup, tmp_path):
  objective = FakeObjective(40)
  made = setup(tmp_path, objective=objective, protected=[BAD])
  made.race.run([BAD, *COARSE])
  truth = _truth([BAD, *COARSE], objective)
  assert made.race.best() == max(truth, key=truth.get)
  for candidate, score in made.race.scores.items():
    assert score == pytest.approx(truth[candidate])
  assert BAD in made.race.scores
  assert made.runs < 0.45 * 65 * 40
  dropped = set(COARSE) - set(made.race.scores)
  assert len(dropped) > 40
  assert min(map(len, made.race.values.values())) == 8  # a fifth
  errors = [made.race.estimate(c) - truth[c] for c in dropped]
  assert np.abs(errors).max() < 0.05


@pytest.mark.parametrize('trial', range(20))
def test_proof_alone_never_drops_the_best(setup, tmp_path, trial):
  """Even where all is noise, and shares differ."""
  rng = np.random.default_rng(trial)
  objective = FakeObjective(12, shares=rng.dirichlet(np.full(12, 0.5)))
  made = setup(tmp_path, objective=objective, z=0, seed=trial, noise=0.3)
  made.race.run(COARSE)
  truth = _truth(COARSE, objective, noise=0.3)
  best = max(truth, key=truth.get)
  assert made.race.best() == best
  assert made.race.scores[best] == pytest.approx(truth[best])
  assert len(made.race.scores) < len(COARSE)


def test_nothing_is_proven_of_other_scores(setup, tmp_path):
  made = setup(tmp_path, objective=FakeObjective(proof=False), z=0, noise=0.3)
  made.race.run([BAD, *COARSE])
  assert len(made.race.scores) == len(COARSE) + 1


def test_later_rounds(setup, tmp_path):
  """They meet the finished, and nobody is tracked twice."""
  objective = FakeObjective(40)
  made = setup(tmp_path, objective=objective)
  made.race.run(COARSE)
  before = made.runs
  made.race.run(COARSE)
  assert made.runs == before
  made.race.run([BAD])  # nobody but the finished to compare with
  assert made.runs == before + 8 and BAD not in made.race.scores
  fine = [Candidate(0, s) for s in grid.level_two(
      made.race.best().setting, 0.25)]
  made.race.run(fine)
  truth = _truth([*COARSE, *fine], objective)
  assert truth[made.race.best()] == pytest.approx(max(truth.values()),
                                                  abs=0.002)


def test_order_is_shuffled_and_seeded(setup, tmp_path):
  visits = {}
  for name, seed in (('a', 0), ('b', 0), ('c', 1)):
    made = setup(tmp_path / name, seed=seed)
    made.race.run(COARSE)
    calls = made.engines.popitem()[1].calls
    visits[name] = list(dict.fromkeys(index for _, index in calls))
  assert visits['a'] == visits['b'] != visits['c']
  assert sorted(visits['a']) == list(range(20)) != visits['a']


def test_batches_and_checkpoints(setup, tmp_path):
  """An engine gets its own settings, as many as fit."""
  made = setup(tmp_path, checkpoints=2, batch=50)
  made.race.run([Candidate(k, c.setting) for c in COARSE for k in (0, 1)])
  for engine in made.engines.values():
    assert [n for n, _ in engine.calls[:2]] == [50, 14]
    assert engine.calls[0][1] == engine.calls[1][1]
  assert made.race.best().checkpoint == 1  # which is better everywhere
  # Checkpoints are compared on the same sequences.
  assert len(made.engines) == 2


@pytest.mark.parametrize('kill_after', [0, 1, 7, 13])
def test_resumed_equals_uninterrupted(setup, tmp_path, kill_after):
  whole = setup(tmp_path / 'whole', batch=40)
  whole.race.run(COARSE)
  killed = setup(tmp_path / 'killed', batch=40, kill_after=kill_after)
  with pytest.raises(Killed):
    killed.race.run(COARSE)
  killed.close()
  with (tmp_path / 'killed' / 'journal.jsonl').open('a') as file:
    file.write('{"checkpoint": 0, "seque')  # killed while writing
  again = setup(tmp_path / 'killed', batch=40)
  again.race.run(COARSE)
  assert again.race.scores == whole.race.scores  # in every bit
  assert again.race.ranking() == whole.race.ranking()
  assert again.runs + killed.runs == whole.runs
  for candidate, values in whole.race.values.items():
    assert values.tolist() == again.race.values[candidate].tolist()


def test_of_equal_scores_the_base_line_wins(setup, tmp_path):
  """A search that found nothing better changes nothing."""
  objective = FakeObjective(6)
  own = Candidate(0, Setting(0.5, 0.5, 0.5))
  made = setup(tmp_path, z=0, objective=objective, protected=[own])
  made.race.scores = dict.fromkeys([*COARSE[:5], own], 0.25)
  assert made.race.best() == own
