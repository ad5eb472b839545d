"""What a search found: result.json, a table, how to use it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamkpn_jax.tuning.objective import Objective
from siamkpn_jax.tuning.search import ranking
from siamkpn_jax.tuning.trial_log import Candidate
from siamkpn_jax.tuning.trial_runner import TrialParams

if TYPE_CHECKING:
  from optuna.trial import FrozenTrial

_TOP = 20


def summarize(trials: Sequence['FrozenTrial'], objective: Objective,
              checkpoints: Sequence[Path]) -> dict[str, Any]:
  """The result, ready for JSON.

  Args:
    trials: of the search; the first are the checkpoints' own hyperparameters.
    objective: that they were scored by.
    checkpoints: of the search.
  """
  def row(trial: 'FrozenTrial') -> dict[str, Any]:
    candidate = Candidate.of(trial)
    return {'checkpoint': str(checkpoints[candidate.checkpoint]),
            'hyperparameters': dataclasses.asdict(candidate.hyperparameters),
            'score': trial.value}

  ranked = ranking(trials)
  baselines = [row(trial) for trial in trials[:len(checkpoints)]]
  best = Candidate.of(ranked[0])
  states = [trial.state.name for trial in trials]
  return {
      'metric': objective.metric, 'protocol': objective.protocol,
      'rule': objective.rule, **row(ranked[0]),
      'overrides': overrides(best.hyperparameters),
      'baseline': baselines[best.checkpoint], 'baselines': baselines,
      'num_sequences': len(objective.names),
      'num_frames': sum(objective.frames),
      'num_trials': len(ranked) + states.count('PRUNED'),
      'num_pruned': states.count('PRUNED'),
      'top': [row(trial) for trial in ranked[:_TOP]],
  }


def overrides(hyperparameters: TrialParams) -> str:
  """As flags of training."""
  numbers = dataclasses.asdict(hyperparameters)
  return ' '.join(f'--config.tracking.{name}={value:g}'
                  for name, value in numbers.items())


def table(result: dict[str, Any]) -> str:
  """The best, and the base line of each checkpoint."""
  lines = [f'{"":9}  penalty_k  window_influence  size_lr  '
           f'{result["metric"]:>11}  checkpoint']
  rows = [(str(i), row) for i, row in enumerate(result['top'], start=1)]
  rows += [('baseline', row) for row in result['baselines']]
  for name, row in rows:
    found = row['hyperparameters']
    lines.append(
        f'{name:9}  {found["penalty_k"]:9.3g}  '
        f'{found["window_influence"]:16.3g}  {found["size_lr"]:7.3g}  '
        f'{row["score"]:11.4f}  {row["checkpoint"]}')
  return '\n'.join(lines)


def conclusion(result: dict[str, Any], tuned: Path) -> str:
  """What was found, how, and what to do with it."""
  lines = [
      f'{result["metric"]} {result["score"]:.4f}, baseline '
      f'{result["baseline"]["score"]:.4f}; {result["num_sequences"]} sequences '
      f'of {result["benchmark"]}, protocol {result["protocol"]}; '
      f'{result["num_trials"]} trials, {result["num_pruned"]} of them '
      f'pruned; {result["seconds"]:.0f} s',
      f'track with --weights {tuned}',
      f'train with {result["overrides"]}',
  ]
  return '\n'.join(lines + [result['warning']] * bool(result['warning']))
