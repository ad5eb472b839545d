"""Checkpoints: saved in the background, complete or not there at all.

One folder per saved step. The item 'model' (checkpoints/weights.py) is what one
tracks with: the moving averages if there are any. 'training' is the rest. The
newest are kept, and the one that was best in validation.
"""

import contextlib
import functools
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from orbax.checkpoint import v1 as ocp

from siamkpn_jax.checkpoints import checksums, content, failures, weights
from siamkpn_jax.config.settings import (
  Config,
  flatten,
  to_plain,
  with_new_names,
)
from siamkpn_jax.core.errors import UserError, first_line, raised_in
from siamkpn_jax.core.provenance import git_revision
from siamkpn_jax.distributed.multihost import (
  gather_text,
  is_main_host,
  log_main,
  run_on_all_hosts,
)

# Settings that may differ between a run and its continuation.
_FREE = {'name', 'model.weights', 'model.backbone_weights', 'data.root',
         'data.loader', 'data.workers', 'data.prefetch', 'data.cache_mb',
         'train.remat', 'train.shard_optimizer', 'train.max_skipped',
         'train.log_every', 'train.save_every', 'train.keep_checkpoints',
         'validation.data'}

Items = dict[str, Any]  # name -> pytree of arrays

# What Orbax and TensorStore raise where files cannot be written.
_UNWRITABLE = (OSError, ValueError)


class _Kept(ocp.training.preservation_policies.PreservationPolicy):
  """The newest checkpoints and a certain one.

  Orbax can rank by a score, but only by one that is known before the save.
  """

  def __init__(self, newest: int):
    self._newest = newest
    self.best: int | None = None

  def should_preserve(self, checkpoints, *, context):
    """For each of them, the oldest first; see `PreservationPolicy`."""
    del context
    oldest = len(checkpoints) - self._newest
    return [k >= oldest or checkpoint.step == self.best
            for k, checkpoint in enumerate(checkpoints)]


class Checkpoints:
  """The checkpoints of one run; a context manager that waits for the last.

  A save that fails in the background is reported by the next one, or by the
  end of the `with` block.
  """

  def __init__(self, workdir: Path, config: Config, *, keep: int):
    """Opens or creates `workdir`/checkpoints, of which the newest are kept.

    The configuration is stored with every checkpoint.
    """
    self._folder = (workdir / weights.FOLDER).absolute()
    self._folder.mkdir(parents=True, exist_ok=True)
    self._config = to_plain(config)
    self._last = -1
    self._metadata: dict[str, Any] = {}  # of that checkpoint
    self._saving: Any = None  # what tells the end of the save under way
    self._kept = _Kept(keep)
    context = ocp.Context()
    def write_checksums():  # a method Orbax would copy, with its object
      self._write_checksums()
    context.asynchronous.post_finalization_callback = write_checksums
    # What all devices have, one writes. Divided over them it would be sliced
    # first, in programs to compile, while the training waits.
    context.array.saving.use_replica_parallel = False
    self._lost = run_on_all_hosts(self._set_unreadable_aside)
    gather_text('renamed')  # before others look
    # Process 0 removes what a killed run has left half written. Before the
    # first save it waits for that, and the others for it.
    with failures.quiet():  # it looks at what is there, damaged or not
      self._checkpointer = ocp.training.Checkpointer(
          self._folder, cleanup_tmp_directories=True, context=context,
          preservation_policy=self._kept)
    self._stack = contextlib.ExitStack()

  def __enter__(self) -> 'Checkpoints':
    self._stack.enter_context(failures.without_tracebacks())
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    with self._stack:
      try:
        self.wait()
      finally:
        with self._as_user_error():  # it raises the same once more
          self._checkpointer.close()

  def keep_best(self, step: int | None) -> None:
    """Keeps this step's checkpoint until another one is better; None: none."""
    self._kept.best = step

  def save(self, step: int, items: Items) -> None:
    """Saves a state, without waiting for the disk.

    Args:
      step: of the state, later than the last that was saved.
      items: 'model', the {'params', 'batch_stats'} to track with, and
        'training', all else.

    Raises:
      UserError: this one or the one before cannot be written.
    """
    self.wait()
    self._last = step
    self._metadata = {'config': self._config, 'git_revision': git_revision()}
    with self._as_user_error():
      self._saving = self._checkpointer.save_checkpointables_async(
          step, items, force=True, custom_metadata=self._metadata)

  def _write_checksums(self) -> None:
    """Called by Orbax on process 0, before a checkpoint gets its last name."""
    (folder,) = self._folder.glob(f'{self._last}.orbax-checkpoint-tmp*')
    checksums.write(folder, self._metadata)

  def wait(self) -> None:
    """Waits until the save that is under way has ended.

    Raises:
      UserError: it failed.
    """
    saving, self._saving = self._saving, None
    if saving is not None:
      with self._as_user_error():
        saving.result()

  @contextlib.contextmanager
  def _as_user_error(self) -> Iterator[None]:
    """Turns an error of the last save into a UserError."""
    try:
      yield
    except _UNWRITABLE as error:
      if isinstance(error, ValueError) and (
          raised_in(error).startswith('siamkpn_jax.')):
        raise  # a bug
      whole = self._whole()
      rest = (f'resumes from {whole[-1]}, the newest intact one' if whole
              else 'starts over, as there is no earlier one')
      todo = ('free space' if failures.is_no_room(error) else
              'see to the cause')
      raise UserError(
          f'{self._folder / str(self._last)}: this checkpoint cannot be '
          f'written ({failures.os_reason(error)}): {todo} and run the same '
          f'command, which {rest}') from error

  def _whole(self) -> list[int]:
    """Steps of the checkpoints that were saved, ascending."""
    return [int(path.name) for path in content.steps(self._folder)]

  def restore(self, abstract: Items) -> Items | None:
    """The newest items that can be read; None if nothing was saved yet.

    Args:
      abstract: shapes, dtypes and placement of their arrays.

    Raises:
      UserError: the run has another configuration, the newest cannot be
        loaded though its files are as they were written, or all are damaged.
    """
    # Those that process 0 sees: others might be behind.
    steps = gather_text(' '.join(map(str, self._whole())))[0].split()
    for step in reversed(steps):
      path = self._folder / step
      damage = run_on_all_hosts(functools.partial(_damage, path))
      if any(damages := gather_text(damage)):
        self._set_aside(path, max(damages))
      else:
        return run_on_all_hosts(
            functools.partial(self._load, path, abstract))
    if steps or self._lost:
      raise UserError(f'{self._folder}: no checkpoint can be read; all were '
                      'renamed to *.damaged: run the same command to start '
                      'over')
    return None

  def _load(self, path: Path, abstract: Items) -> Items:
    """The items of an intact checkpoint, if it is one of this run."""
    if not weights.has_training_state(path):
      raise UserError(
          f'{path}: converted weights, not a run to resume: to start from '
          f'them, add --config.model.weights={path} and choose another '
          '--workdir')
    check_same_run(weights.read_config(path), self._config, path)
    with failures.loading(path):
      return ocp.load_checkpointables(path, abstract)

  def _set_unreadable_aside(self) -> bool:
    """Metadata is what Orbax fails on when it looks at all checkpoints.

    Returns:
      Whether there was any such.
    """
    lost = False
    for path in (self._folder / str(step) for step in self._whole()):
      try:
        if is_main_host():
          weights.read_config(path)
      except weights.DamagedError as error:
        _rename(path, first_line(error.__cause__ or error))
        lost = True
    return lost

  def _set_aside(self, path: Path, damage: str) -> None:
    if is_main_host():
      _rename(path, damage)
    gather_text('renamed')  # before others look
    with failures.quiet():
      self._checkpointer.reload()


def _rename(path: Path, damage: str) -> None:
  aside = path.with_name(f'{path.name}.damaged')
  if aside.exists():  # that step was saved again, and damaged again
    aside = path.with_name(f'{path.name}.{time.time_ns()}.damaged')
  path.rename(aside)
  log_main(f'{path}: damaged ({damage}); moved to {aside.name}, trying the '
           'previous one')


def _damage(path: Path) -> str:
  """What is wrong with a checkpoint's files, as process 0 finds them.

  Returns:
    '' for converted weights, and on the other processes.

  Raises:
    UserError: they cannot be read.
  """
  if not is_main_host():
    return ''
  try:
    if not weights.has_training_state(path):
      return ''
    return checksums.damage(path)
  except weights.DamagedError as error:
    return first_line(error.__cause__ or error)
  except OSError as error:
    raise failures.unreadable(path, error) from error


def check_same_run(found: dict[str, Any], expected: dict[str, Any],
                   path: Path) -> None:
  """Checks that a run, whose plain configuration was found, is continued.

  Raises:
    UserError: names what differs from the expected one.
  """
  # A setting that came after the checkpoint was written had its default.
  a = flatten(to_plain(Config())) | flatten(with_new_names(found))
  b = flatten(expected)
  differing = [
      f'config.{key} is {a.get(key)!r} there, {b.get(key)!r} here'
      for key in sorted({*a, *b} - _FREE) if a.get(key) != b.get(key)]
  if differing:
    kind = ('another architecture' if 'config.model.' in ' '.join(differing)
            else 'another run')
    raise UserError(
        f'{path}: checkpoint of {kind}: {"; ".join(differing)}; expected the '
        'same configuration: restore it, or choose another --workdir')
