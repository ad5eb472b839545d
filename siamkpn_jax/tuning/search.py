"""The strategies: which candidates race, and in which rounds.

`grid` is the paper's: one round with the coarse grid for every checkpoint, one
with the fine grid around the best, for its checkpoint. `optuna` asks Optuna's
TPE sampler for a batch of settings (and checkpoints), races it, and tells it
what came out; dropped candidates are told as pruned trials, so that the sampler
ranks them behind those with a score.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning import grid
from siamkpn_jax.tuning.engine import Setting, rounded
from siamkpn_jax.tuning.evaluator import Candidate
from siamkpn_jax.tuning.racing import Race

_TRIALS = 200  # of Optuna, without a budget
_NAMES = [field.name for field in dataclasses.fields(Setting)]


@dataclasses.dataclass(frozen=True)
class Plan:
  """What to search.

  Attributes:
    strategy: 'grid' or 'optuna'.
    step: of the first level of the grid.
    budget: grid: settings drawn of each level; optuna: trials; 0: all of the
      grid, or 200 trials.
    seed: of everything random.
    batch: trials that Optuna is asked for at once.
  """
  strategy: str = 'grid'
  step: float = grid.STEP
  budget: int = 0
  seed: int = 0
  batch: int = 64


def describe(plan: Plan) -> dict[str, Any]:
  """What decides which candidates come, for the journal.

  Raises:
    UserError: a strategy that is not installed, or a wrong step.
  """
  if plan.strategy == 'optuna':
    return {'name': 'optuna', 'version': _optuna().__version__,
            'budget': plan.budget, 'seed': plan.seed, 'batch': plan.batch}
  grid.level_one(plan.step)
  return {'name': 'grid', 'step': plan.step, 'budget': plan.budget,
          'seed': plan.seed}


def search(race: Race, baselines: Sequence[Setting], plan: Plan) -> None:
  """Runs a race to its end.

  Args:
    race: that nobody has joined.
    baselines: the own setting of each checkpoint, which joins as well.
    plan: says the rest.
  """
  own = [Candidate(i, setting) for i, setting in enumerate(baselines)]
  if plan.strategy == 'optuna':
    race.run(own)
    _ask_optuna(race, len(baselines), plan)
    return
  coarse = grid.subset(grid.level_one(plan.step), plan.budget, plan.seed)
  race.run([*own, *(Candidate(i, setting) for i in range(len(baselines))
                    for setting in coarse)])
  best = race.best()
  fine = grid.subset(grid.level_two(best.setting, plan.step), plan.budget,
                     plan.seed)
  race.run([Candidate(best.checkpoint, setting) for setting in fine])


def _ask_optuna(race: Race, checkpoints: int, plan: Plan) -> None:
  optuna = _optuna()
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  study = optuna.create_study(
      direction='maximize', sampler=optuna.samplers.TPESampler(seed=plan.seed))
  space = {name: optuna.distributions.FloatDistribution(0, 0.99, step=0.01)
           for name in _NAMES}
  if checkpoints > 1:
    space['checkpoint'] = optuna.distributions.CategoricalDistribution(
        range(checkpoints))
  left = plan.budget or _TRIALS
  while left > 0:
    trials = [study.ask(space) for _ in range(min(plan.batch, left))]
    asked = [_candidate(trial.params) for trial in trials]
    race.run(asked)
    for trial, candidate in zip(trials, asked, strict=True):
      if candidate in race.scores:
        study.tell(trial, race.scores[candidate])
      else:
        trial.report(race.estimate(candidate), len(race.values[candidate]))
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    left -= len(trials)


def _candidate(params: dict[str, Any]) -> Candidate:
  return Candidate(params.get('checkpoint', 0),
                   rounded([params[name] for name in _NAMES]))


def _optuna() -> Any:
  try:
    import optuna
  except ImportError:
    raise UserError(
        '--strategy optuna: the package optuna is not installed; expected it: '
        "pip install 'siamkpn_jax[tune]', or use --strategy grid") from None
  return optuna
