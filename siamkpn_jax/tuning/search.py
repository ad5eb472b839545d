"""The strategies: which trials come, in which order.

The checkpoints' own hyperparameters are the first batch, so that pruning has
something to compare with. `grid` is the paper's: the coarse grid for every
checkpoint, then the fine grid around the best, for its checkpoint; both are
enqueued (Optuna's GridSampler would draw anew after an interruption). `optuna`
asks Optuna's TPE sampler.
"""

import dataclasses
import itertools
import warnings
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from siamkpn_jax.tuning import grid
from siamkpn_jax.tuning.evaluator import Evaluator
from siamkpn_jax.tuning.trial_log import NAMES, Candidate, load_optuna
from siamkpn_jax.tuning.trial_runner import TrialParams

if TYPE_CHECKING:
  import optuna
  from optuna.trial import FrozenTrial

_TRIALS = 200  # of TPE, without a budget


@dataclasses.dataclass(frozen=True)
class SearchPlan:
  """What to search.

  Attributes:
    strategy: 'grid' or 'optuna'.
    step: of the first level of the grid.
    budget: grid: drawn of each level; optuna: trials; 0: all of the grid, or
      200 trials.
    seed: of everything random.
    batch: trials that run at once, at most.
  """
  strategy: str = 'grid'
  step: float = grid.STEP
  budget: int = 0
  seed: int = 0
  batch: int = 64


def describe(plan: SearchPlan) -> dict[str, Any]:
  """What decides which trials come, for the trial log.

  Raises:
    UserError: Optuna is not installed, or a wrong step.
  """
  optuna = load_optuna()
  if plan.strategy == 'optuna':
    return {'name': 'optuna', 'version': optuna.__version__,
            'budget': plan.budget, 'seed': plan.seed, 'batch': plan.batch}
  grid.level_one(plan.step)
  return {'name': 'grid', 'step': plan.step, 'budget': plan.budget,
          'seed': plan.seed}


def search(study: 'optuna.Study', evaluator: Evaluator,
           baselines: Sequence[TrialParams], plan: SearchPlan, progress: tqdm
           ) -> None:
  """Runs all trials, but for those that the study has already.

  Args:
    study: see `trial_log.open_study`.
    evaluator: runs them.
    baselines: the own hyperparameters of each checkpoint.
    plan: says the rest.
    progress: a bar of tqdm, told how many frames there are.
  """
  queue = [Candidate(i, own) for i, own in enumerate(baselines)]

  def run(total: int) -> None:
    progress.total = total * evaluator.num_frames
    for batch in _batches(study, plan, len(baselines), total):
      progress.n = batch[0].number * evaluator.num_frames
      evaluator.run(batch)
      progress.set_description_str(f'best {study.best_value:.3f}')

  if plan.strategy == 'optuna':
    _enqueue(study, queue)
    return run(len(queue) + (plan.budget or _TRIALS))
  coarse = grid.subset(grid.level_one(plan.step), plan.budget, plan.seed)
  for i in range(len(baselines)):
    queue += [Candidate(i, point) for point in coarse]
  queue = list(dict.fromkeys(queue))
  _enqueue(study, queue)
  run(len(queue))
  best = Candidate.of(ranking(study.get_trials(deepcopy=False)[:len(queue)])[0])
  fine = grid.subset(grid.level_two(best.hyperparameters, plan.step),
                     plan.budget, plan.seed)
  queue = list(dict.fromkeys(
      [*queue, *(Candidate(best.checkpoint, point) for point in fine)]))
  _enqueue(study, queue)
  return run(len(queue))


def ranking(trials: Sequence['FrozenTrial']) -> list['FrozenTrial']:
  """The complete ones, the best first; of equal ones the first asked.

  So a search that found nothing better than a base line changes nothing.
  """
  complete = [t for t in trials if t.state.name == 'COMPLETE']
  return sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))


def _enqueue(study: 'optuna.Study', queue: Sequence[Candidate]) -> None:
  for candidate in queue[len(study.get_trials(deepcopy=False)):]:
    study.enqueue_trial(candidate.params())


def _batches(study: 'optuna.Study', plan: SearchPlan, baselines: int, total: int
             ) -> Iterator[list['optuna.Trial']]:
  """The trials that have not ended, of different candidates.

  Which trials are a batch depends on their numbers alone, not on where a search
  was interrupted.
  """
  starts = [0, *range(baselines, total, plan.batch), total]
  for start, stop in itertools.pairwise(starts):
    asked = [_ask(study, number, plan.seed, baselines)
             for number in range(start, stop)]
    known = {Candidate.of(t) for t in study.get_trials(deepcopy=False)[:start]}
    batch = []
    for trial in filter(None, asked):
      if Candidate.of(trial) in known:  # TPE asks again: it learns nothing
        study.tell(trial, state=load_optuna().trial.TrialState.FAIL)
        continue
      known.add(Candidate.of(trial))
      batch.append(trial)
    if batch:
      yield batch


def _ask(study: 'optuna.Study', number: int, seed: int, checkpoints: int
         ) -> 'optuna.Trial | None':
  """A trial with all its parameters; None if it has ended."""
  optuna = load_optuna()
  asked = study.get_trials(deepcopy=False)
  state = asked[number].state.name if number < len(asked) else ''
  if state in ('COMPLETE', 'PRUNED', 'FAIL'):
    return None
  trial = (optuna.Trial(study, asked[number]._trial_id) if state == 'RUNNING'
           else study.ask())
  assert trial.number == number
  with warnings.catch_warnings():  # base lines are not of the grid
    warnings.simplefilter('ignore')
    for name in ('checkpoint', *NAMES):
      # Whatever was drawn before an interruption, this draw is the same.
      study.sampler = optuna.samplers.TPESampler(
          seed=zlib.crc32(f'{seed} {number} {name}'.encode()))
      if name == 'checkpoint':
        trial.suggest_categorical(name, range(checkpoints))
      else:
        trial.suggest_float(name, 0, 0.99, step=0.01)
  return trial
