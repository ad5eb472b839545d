"""What a search found: result.json, a table, how to use it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from siamkpn_jax.tuning.engine import Setting
from siamkpn_jax.tuning.evaluator import Candidate
from siamkpn_jax.tuning.objective import Objective
from siamkpn_jax.tuning.racing import Race

_TOP = 20


def summarize(race: Race, objective: Objective, checkpoints: Sequence[Path],
              baselines: Sequence[Setting]) -> dict[str, Any]:
  """The result, ready for JSON.

  Args:
    race: that has ended.
    objective: that it was about.
    checkpoints: of the search.
    baselines: the own setting of each.
  """
  row = lambda candidate: {
      'checkpoint': str(checkpoints[candidate.checkpoint]),
      'setting': dataclasses.asdict(candidate.setting),
      'score': race.scores[candidate]}
  ranking = race.ranking()
  best = ranking[0]
  return {
      'metric': objective.metric, 'protocol': objective.protocol,
      'rule': objective.rule, **row(best),
      'overrides': overrides(best.setting),
      'baseline': row(Candidate(best.checkpoint, baselines[best.checkpoint])),
      'baselines': [row(Candidate(i, s)) for i, s in enumerate(baselines)],
      'num_sequences': len(objective.names),
      'num_frames': sum(objective.frames),
      'settings_tried': len(race.values),
      'settings_pruned': len(race.values) - len(race.scores),
      'top': [row(candidate) for candidate in ranking[:_TOP]],
  }


def overrides(setting: Setting) -> str:
  """The setting as flags of training."""
  return ' '.join(f'--config.tracking.{name}={value:g}'
                  for name, value in dataclasses.asdict(setting).items())


def table(result: dict[str, Any]) -> str:
  """The best settings, and the base line of each checkpoint."""
  lines = [f'{"":9}  penalty_k  window_influence  size_lr  '
           f'{result["metric"]:>11}  checkpoint']
  rows = [(str(i), row) for i, row in enumerate(result['top'], start=1)]
  rows += [('base line', row) for row in result['baselines']]
  for name, row in rows:
    setting = row['setting']
    lines.append(
        f'{name:9}  {setting["penalty_k"]:9.3g}  '
        f'{setting["window_influence"]:16.3g}  {setting["size_lr"]:7.3g}  '
        f'{row["score"]:11.4f}  {row["checkpoint"]}')
  return '\n'.join(lines)


def conclusion(result: dict[str, Any], tuned: Path) -> str:
  """What was found, how, and what to do with it."""
  lines = [
      f'{result["metric"]} {result["score"]:.4f}, base line '
      f'{result["baseline"]["score"]:.4f}; {result["num_sequences"]} sequences '
      f'of {result["benchmark"]}, protocol {result["protocol"]}; '
      f'{result["settings_tried"]} settings, {result["settings_pruned"]} of '
      f'them given up early; {result["seconds"]:.0f} s',
      f'to track with it: --weights {tuned}',
      f'to train with it: {result["overrides"]}',
  ]
  return '\n'.join(lines + [result['warning']] * bool(result['warning']))
