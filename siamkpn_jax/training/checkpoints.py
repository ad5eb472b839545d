"""Checkpoints: saved in the background, complete or not there at all.

One folder per saved step. 'model' holds params and batch_stats, 'training' the
rest of the state, and the metadata the whole configuration, so a checkpoint can
be used without any other file. The only place that knows Orbax.
"""

import logging
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from siamkpn_jax.errors import UserError
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.training.state import TrainState

FOLDER = 'checkpoints'  # below a run's workdir


class Checkpoints:
  """The checkpoints of one run; a context manager that waits for the last."""

  def __init__(self, workdir: Path, config: dict[str, Any], *,
               save_every: int, keep: int):
    """Opens or creates `workdir`/checkpoints.

    Args:
      workdir: of the run.
      config: plain configuration, stored with every checkpoint.
      save_every: steps between two checkpoints.
      keep: number of newest checkpoints that are kept.
    """
    _quiet_orbax()
    self._folder = (workdir / FOLDER).absolute()
    self._folder.mkdir(parents=True, exist_ok=True)
    self._config = config
    training = ocp.training
    self._checkpointer = training.Checkpointer(
        self._folder,
        save_decision_policy=(
            training.save_decision_policies.FixedIntervalPolicy(save_every)),
        preservation_policy=training.preservation_policies.LatestN(keep))

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    self._checkpointer.close()

  def save(self, state: TrainState, *, force: bool = False) -> None:
    """Saves if `save_every` says so, or if forced; does not wait."""
    step = int(state.step)
    latest = self._checkpointer.latest
    if latest is not None and latest.step >= step:
      return
    model, training = _split(state)
    self._checkpointer.save_checkpointables_async(
        step, {'model': model, 'training': training}, force=force,
        custom_metadata={'config': self._config})

  def restore(self, abstract: TrainState) -> TrainState | None:
    """The newest state, placed as `abstract` says; None if there is none.

    Raises:
      UserError: it belongs to another architecture.
    """
    latest = self._checkpointer.latest
    if latest is None:
      return None
    path = self._folder / str(latest.step)
    _check_same_model(read_config(path)['model'], self._config['model'], path)
    model, training = _split(abstract)
    loaded = self._checkpointer.load_checkpointables(
        latest.step, {'model': model, 'training': training})
    return TrainState(**loaded['model'], **loaded['training'])


def _split(state: TrainState) -> tuple[dict[str, Any], dict[str, Any]]:
  model = {'params': state.params, 'batch_stats': state.batch_stats}
  return model, {'step': state.step, 'skipped': state.skipped,
                 'opt_state': state.opt_state}


def _check_same_model(found: dict, expected: dict, path: Path) -> None:
  differing = [f'{key} {found.get(key)!r} instead of {expected.get(key)!r}'
               for key in sorted({*found, *expected})
               if found.get(key) != expected.get(key)]
  if differing:
    raise UserError(
        f'{path}: checkpoint of another architecture: config.model.'
        f'{", ".join(differing)}; continue with the configuration it was '
        'trained with, or choose another --workdir')


def find_checkpoint(path: Path) -> Path:
  """The checkpoint that a user means by a path.

  Args:
    path: a checkpoint (a step's folder), or a workdir or its checkpoints
      folder, of which the newest is taken.

  Raises:
    UserError: there is none.
  """
  if not path.exists():
    raise UserError(f'{path}: no such checkpoint; expected a folder that '
                    'training has written (its --workdir)')
  for folder in (path / FOLDER, path):
    steps = [p for p in folder.glob('*')
             if p.name.isdigit() and ocp.is_orbax_checkpoint(p)]
    if steps:
      return max(steps, key=lambda p: int(p.name)).absolute()
  if (path / FOLDER).is_dir():
    raise UserError(f'{path}: this run has not saved a checkpoint yet; wait '
                    'for the first, or choose another run')
  if path.is_dir() and ocp.is_orbax_checkpoint(path):
    return path.absolute()
  raise UserError(f'{path}: not a checkpoint; expected a folder that training '
                  'has written (its --workdir)')


def read_config(path: Path) -> dict[str, Any]:
  """The configuration stored in a checkpoint.

  Raises:
    UserError: the checkpoint is not one of this program's.
  """
  try:
    return ocp.checkpointables_metadata(path).custom_metadata['config']
  except (KeyError, TypeError, ValueError, OSError) as error:
    raise UserError(f'{path}: holds no configuration; expected a checkpoint '
                    'written by siamkpn_jax.train') from error


def load_model(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """Configuration and variables of a checkpoint, for inference.

  Args:
    path: as for `find_checkpoint`.

  Returns:
    The plain configuration, and {'params', 'batch_stats'}.

  Raises:
    UserError: no checkpoint, damaged, or not of the architecture that its
      configuration describes.
  """
  _quiet_orbax()
  path = find_checkpoint(path)
  config = read_config(path)
  model = build_model(config['model'])
  device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  abstract = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device),
      jax.eval_shape(lambda key: init_variables(model, key),
                     jax.random.key(0)))
  _check_shapes(path, abstract)
  try:
    return config, ocp.load_checkpointables(path, {'model': abstract})['model']
  except Exception as error:  # Orbax raises many kinds for damaged files.
    raise UserError(f'{path}: cannot be read ({str(error).splitlines()[0]}); '
                    'the checkpoint is damaged, use another') from error


def _check_shapes(path: Path, abstract: dict[str, Any]) -> None:
  stored = ocp.checkpointables_metadata(path).metadata['model']
  shapes = lambda tree: {jax.tree_util.keystr(p): tuple(x.shape) for p, x in
                         jax.tree_util.tree_leaves_with_path(tree)}
  found, expected = shapes(stored), shapes(abstract)
  for key in sorted({*found, *expected}):
    if found.get(key) != expected.get(key):
      raise UserError(
          f'{path}: checkpoint of another architecture than its configuration '
          f'says: {key} has shape {found.get(key)}, expected '
          f'{expected.get(key)}')


def _quiet_orbax() -> None:
  """Orbax reports every file it touches; users read our progress instead."""
  logging.getLogger('absl').setLevel(logging.ERROR)
  warnings.filterwarnings(
      'ignore', message='Sharding info not provided when restoring')
