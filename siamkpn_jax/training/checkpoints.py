"""Checkpoints: saved in the background, complete or not there at all.

One folder per saved step. 'model' holds params and batch_stats, 'training' the
rest of the state, and the metadata the whole configuration, so a checkpoint can
be used without any other file. The only place that knows Orbax.
"""

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from siamkpn_jax.errors import UserError
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.training.state import TrainState

FOLDER = 'checkpoints'  # below a run's workdir


# Settings that may differ between a run and its continuation.
_FREE = {'name', 'data.root', 'data.workers', 'data.prefetch',
         'train.log_every', 'train.save_every', 'train.keep_checkpoints'}


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
    self._folder = (workdir / FOLDER).absolute()
    self._folder.mkdir(parents=True, exist_ok=True)
    self._config = config
    self._save_every = save_every
    self._last = -1
    policies = ocp.training.preservation_policies
    self._checkpointer = ocp.training.Checkpointer(
        self._folder, preservation_policy=policies.LatestN(keep))

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    self._checkpointer.close()

  def save(self, step: int, state: TrainState, *, force: bool = False) -> None:
    """Saves if the step is due, or if forced; does not wait for the disk."""
    if step == self._last or not (force or step % self._save_every == 0):
      return
    self._last = step
    model, training = _split(state)
    self._checkpointer.save_checkpointables_async(
        step, {'model': model, 'training': training}, force=True,
        custom_metadata={'config': self._config})

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
      try:
        _check_same_run(read_config(path), self._config, path)
        model, training = _split(abstract)
        with _quiet():
          loaded = ocp.load_checkpointables(
              path, {'model': model, 'training': training})
      except Exception as error:  # see _is_damage
        if not _is_damage(error):
          raise
        aside = path.rename(path.with_name(f'{path.name}.damaged'))
        print(f'{path}: damaged ({_first_line(error)}); moved to {aside.name}, '
              'trying the one before', file=sys.stderr)
        self._checkpointer.reload()
        continue
      self._last = checkpoint.step
      return TrainState(**loaded['model'], **loaded['training'])
    if checkpoints:
      raise UserError(f'{self._folder}: none of the checkpoints can be read; '
                      'they are kept as *.damaged; the same command again '
                      'trains anew')
    return None


class _DamagedError(UserError):
  """A checkpoint without the parts that it must have."""


def _is_damage(error: Exception) -> bool:
  """Whether files are cut, changed or missing.

  Orbax and TensorStore raise errors of many kinds for it; a `UserError` of
  ours is about something else.
  """
  return isinstance(error, _DamagedError) or not isinstance(error, UserError)


def _first_line(error: BaseException) -> str:
  return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _split(state: TrainState) -> tuple[dict[str, Any], dict[str, Any]]:
  model = {'params': state.params, 'batch_stats': state.batch_stats}
  return model, {'step': state.step, 'skipped': state.skipped,
                 'opt_state': state.opt_state}


def _check_same_run(found: dict, expected: dict, path: Path) -> None:
  a, b = _flat(found), _flat(expected)
  differing = [
      f'config.{key} is {a.get(key)!r} there, {b.get(key)!r} here'
      for key in sorted({*a, *b} - _FREE) if a.get(key) != b.get(key)]
  if differing:
    kind = ('another architecture' if 'config.model.' in ' '.join(differing)
            else 'another run')
    raise UserError(
        f'{path}: checkpoint of {kind}: {"; ".join(differing)}; continue with '
        'the same configuration, or choose another folder')


def _flat(config: dict, prefix: str = '') -> dict[str, Any]:
  """{'train': {'epochs': 2}} -> {'train.epochs': 2}."""
  out: dict[str, Any] = {}
  for key, value in config.items():
    if isinstance(value, dict):
      out |= _flat(value, f'{prefix}{key}.')
    else:
      out[prefix + key] = value
  return out


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
    UserError: the checkpoint is not one of this program's, or damaged.
  """
  try:
    with _quiet():
      return ocp.checkpointables_metadata(path).custom_metadata['config']
  except Exception as error:  # see _is_damage
    raise _DamagedError(
        f'{path}: holds no configuration; expected a checkpoint written by '
        'siamkpn_jax.train') from error


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
  path = find_checkpoint(path)
  config = read_config(path)
  model = build_model(config['model'])
  device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  abstract = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device),
      jax.eval_shape(lambda key: init_variables(model, key),
                     jax.random.key(0)))
  try:
    with _quiet():
      stored = ocp.checkpointables_metadata(path).metadata['model']
      _check_shapes(path, stored, abstract)
      loaded = ocp.load_checkpointables(path, {'model': abstract})
      return config, loaded['model']
  except Exception as error:  # see _is_damage
    if not _is_damage(error):
      raise
    raise UserError(f'{path}: cannot be read ({_first_line(error)}); the '
                    'checkpoint is damaged, use another') from error


def _check_shapes(path: Path, stored: Any, abstract: dict[str, Any]) -> None:
  shapes = lambda tree: {jax.tree_util.keystr(p): tuple(x.shape) for p, x in
                         jax.tree_util.tree_leaves_with_path(tree)}
  found, expected = shapes(stored), shapes(abstract)
  if not found:
    raise _DamagedError('no arrays')
  for key in sorted({*found, *expected}):
    if found.get(key) != expected.get(key):
      raise UserError(
          f'{path}: checkpoint of another architecture than its configuration '
          f'says: {key} has shape {found.get(key)}, expected '
          f'{expected.get(key)}')


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Orbax and the libraries below it report what becomes our one line."""
  loggers = [logging.getLogger(name) for name in ('absl', 'asyncio')]
  levels = [logger.level for logger in loggers]
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    for logger in loggers:
      logger.setLevel(logging.CRITICAL)
    try:
      yield
    finally:
      for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
