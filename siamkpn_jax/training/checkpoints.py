"""Checkpoints: saved in the background, complete or not there at all.

One folder per saved step. The item 'model' (models/weights.py) is what one
tracks with: the moving averages if there are any. 'training' is the rest. The
newest are kept, and the one that was best in validation.
"""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from orbax.checkpoint import v1 as ocp

from siamkpn_jax.config import default_config, flatten, to_plain
from siamkpn_jax.errors import UserError
from siamkpn_jax.models import weights
from siamkpn_jax.provenance import git_revision
from siamkpn_jax.training.agreement import gather, is_first, say
from siamkpn_jax.training.metrics import AUC
from siamkpn_jax.training.state import TrainState

# Settings that may differ between a run and its continuation.
_FREE = {'name', 'model.weights', 'model.backbone_weights', 'data.root',
         'data.loader', 'data.workers', 'data.prefetch', 'train.remat',
         'train.shard_optimizer', 'train.max_skipped', 'train.log_every',
         'train.save_every', 'train.keep_checkpoints', 'validation.data',
         'validation.zero_based', 'validation.sequences', 'validation.frames'}


class Checkpoints:
  """The checkpoints of one run; a context manager that waits for the last."""

  def __init__(self, workdir: Path, config: dict[str, Any], *, keep: int):
    """Opens or creates `workdir`/checkpoints.

    Args:
      workdir: of the run.
      config: plain configuration, stored with every checkpoint.
      keep: number of newest checkpoints that are kept.
    """
    self._folder = (workdir / weights.FOLDER).absolute()
    self._folder.mkdir(parents=True, exist_ok=True)
    self._config = config
    policies = ocp.training.preservation_policies
    best = policies.BestN(
        get_metric_fn=lambda scores: scores[AUC], n=1,
        keep_checkpoints_without_metrics=False)
    self._checkpointer = ocp.training.Checkpointer(
        self._folder, preservation_policy=policies.AnyPreservationPolicy(
            [policies.LatestN(keep), best]))

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    self._checkpointer.close()

  def save(self, step: int, state: TrainState,
           scores: Mapping[str, float]) -> None:
    """Saves a state, without waiting for the disk.

    Args:
      step: of the state, later than the last that was saved.
      state: of the training.
      scores: of its validation; {} if it was not validated.
    """
    model, training = _split(state)
    self._checkpointer.save_checkpointables_async(
        step, {'model': model, 'training': training}, force=True,
        metrics=dict(scores) or None,
        custom_metadata={'config': self._config,
                         'git_revision': git_revision()})

  def restore(self, abstract: TrainState) -> TrainState | None:
    """The newest state that can be read; None if nothing was saved yet.

    Args:
      abstract: shapes, dtypes and placement of the state.

    Raises:
      UserError: the run has another configuration, or all its checkpoints are
        damaged.
    """
    checkpoints = sorted(self._checkpointer.checkpoints, key=lambda c: -c.step)
    for checkpoint in checkpoints:
      path = self._folder / str(checkpoint.step)
      damage = ''
      try:
        if not weights.has_training_state(path):
          raise UserError(
              f'{path}: converted weights, not a run to continue; start from '
              f'them by --config.model.weights={path} in another --workdir')
        _check_same_run(weights.read_config(path), self._config, path)
        model, training = _split(abstract)
        with weights.quiet():
          loaded = ocp.load_checkpointables(
              path, {'model': model, 'training': training})
      except Exception as error:  # see weights.is_damage
        if not weights.is_damage(error):
          raise
        damage = weights.first_line(error)
      if any(damages := gather(damage)):  # for one process or for all
        self._set_aside(path, max(damages))
        continue
      return _join(**loaded)
    if checkpoints:
      raise UserError(f'{self._folder}: none of the checkpoints can be read; '
                      'they are kept as *.damaged; the same command again '
                      'trains anew')
    return None

  def _set_aside(self, path: Path, damage: str) -> None:
    aside = path.with_name(f'{path.name}.damaged')
    if is_first():
      path.rename(aside)
    gather('renamed')  # before others look
    say(f'{path}: damaged ({damage}); moved to {aside.name}, trying the one '
        'before')
    self._checkpointer.reload()


def _split(state: TrainState) -> tuple[dict[str, Any], dict[str, Any]]:
  training = {'step': state.step, 'skipped': state.skipped,
              'opt_state': state.opt_state}
  if state.ema is not None:
    training |= state.variables
  return state.tracking_variables, training


def _join(model: dict[str, Any], training: dict[str, Any]) -> TrainState:
  if 'params' not in training:
    return TrainState(**model, **training)
  return TrainState(**training, ema=model)


def _check_same_run(found: dict, expected: dict, path: Path) -> None:
  # A setting that came after the checkpoint was written had its default.
  a, b = flatten(to_plain(default_config())) | flatten(found), flatten(expected)
  differing = [
      f'config.{key} is {a.get(key)!r} there, {b.get(key)!r} here'
      for key in sorted({*a, *b} - _FREE) if a.get(key) != b.get(key)]
  if differing:
    kind = ('another architecture' if 'config.model.' in ' '.join(differing)
            else 'another run')
    raise UserError(
        f'{path}: checkpoint of {kind}: {"; ".join(differing)}; continue with '
        'the same configuration, or choose another folder')
