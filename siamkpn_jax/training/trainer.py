"""Builds a training run from its configuration, and trains."""

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.checkpoints.weights import (
  FOLDER,
  find_checkpoint,
  load_variables,
)
from siamkpn_jax.config.settings import Config, ModelConfig, to_plain
from siamkpn_jax.core.atomic_io import (
  remove_leftovers,
  write_file,
)
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import folder_lock
from siamkpn_jax.core.provenance import git_revision
from siamkpn_jax.datasets.loader import Loader
from siamkpn_jax.datasets.process_loader import ProcessLoader
from siamkpn_jax.datasets.source import Source
from siamkpn_jax.distributed import sharding
from siamkpn_jax.distributed.multihost import (
  check_shared,
  gather_text,
  is_main_host,
  log_main,
  run_on_all_hosts,
)
from siamkpn_jax.models.siamkpn import (
  SiamKPN,
  abstract_variables,
  build_model,
  init_variables,
)
from siamkpn_jax.training import loop
from siamkpn_jax.training import optimizer as optim
from siamkpn_jax.training.metrics import (
  AUC,
  CONFIG_NAME,
  LOG_NAME,
  REPORT_NAME,
  best_validation,
  read_log,
)
from siamkpn_jax.training.profiling import Profile
from siamkpn_jax.training.progress import open_progress
from siamkpn_jax.training.state import (
  TrainState,
  from_items,
  init_state,
  place_state,
  to_items,
)
from siamkpn_jax.training.step import TrainStep
from siamkpn_jax.training.validation import Validation, given_videos


def train(config: Config, workdir: Path, sources: Sequence[Source], *,
          resume: bool = True, profile: int = 0) -> TrainState:
  """Trains until the configured number of epochs is done.

  Args:
    config: the configuration.
    workdir: gets checkpoints, config.json, metrics.jsonl, tensorboard/.
    sources: of the training data, one for each of `config.data.sets`.
    resume: go on from the newest checkpoint in `workdir`.
    profile: number of steps to trace, see `Profile`.

  Returns:
    The last state.

  Raises:
    UserError: `workdir` holds a run that cannot be continued, or too many
      steps were skipped.
    Preempted: after SIGINT or SIGTERM, when the state is saved.
  """
  with open_run(config, workdir, sources, resume=resume,
                profile=profile) as run:
    return loop.train(run)


@contextlib.contextmanager
def open_run(config: Config, workdir: Path, sources: Sequence[Source], *,
             resume: bool, profile: int) -> Iterator[loop.Run]:
  """The parts of a run, open until the block ends; args as of `train`."""
  mesh = sharding.data_mesh(
      config.train.batch_size, config.train.accumulate)
  step = build_step(config)
  loader = build_loader(config, step, sources)
  run_on_all_hosts(lambda: _check_inputs(config, workdir))
  workdir.mkdir(parents=True, exist_ok=True)
  check_shared(workdir)
  with contextlib.ExitStack() as stack:
    run_on_all_hosts(lambda: stack.enter_context(
        folder_lock(workdir, '--workdir')) if is_main_host() else None)
    checkpoints = stack.enter_context(Checkpoints(
        workdir, config, keep=config.train.keep_checkpoints))
    state = _start(config, step, mesh, checkpoints, resume, workdir)
    if is_main_host():
      _write_config(workdir, config)
    validate = Validation(config, step.model, workdir)
    progress = stack.enter_context(open_progress(config, workdir, step, state))
    checkpoints.keep_best(_best_step(workdir))
    compiled = [jit_step(step, mesh, state, unfrozen=unfrozen)
                for unfrozen in (False, True)]

    def saved():
      checkpoints.keep_best(_best_step(workdir))
      _write_page(workdir)

    yield loop.Run(
        workdir=workdir, state=state, step=lambda unfrozen: compiled[unfrozen],
        loader=loader, put=lambda batch: sharding.put_batch(batch, mesh),
        checkpoints=checkpoints, validate=validate, saved=saved,
        progress=progress, profile=stack.enter_context(Profile(
            workdir, int(state.step), profile, progress.pause)),
        total=config.train.total_steps, unfreeze=config.train.unfreeze_step,
        save_every=config.train.save_every,
        unscored=_is_unscored(workdir, int(state.step)))


def build_step(config: Config) -> TrainStep:
  """The training step that a configuration describes."""
  train = config.train
  return TrainStep(
      model=build_model(config.model).clone(remat=train.remat == 'blocks'),
      optimizer=optim.make_optimizer(
          train.backbone_layers, train.backbone_lr_scale, train.clip_norm),
      learning_rate=optim.learning_rate(
          train.schedule, train.epochs, train.steps_per_epoch, train.peak_lr),
      augment=config.augment,
      targets=config.targets,
      loss=config.loss,
      backbone_layers=train.backbone_layers,
      max_loss=train.max_loss,
      seed=config.seed,
      accumulate=train.accumulate,
      ema_decay=train.ema_decay)


def jit_step(step_fn: TrainStep, mesh: jax.sharding.Mesh, state: TrainState, *,
             unfrozen: bool) -> jax.stages.Wrapped:
  """The step, compiled for a mesh: batch divided, state in place, donated."""
  placement = sharding.placement(state)

  @functools.partial(
      jax.jit, donate_argnames='state',
      in_shardings=(placement, sharding.by_batch(mesh)),
      out_shardings=(placement, sharding.replicated(mesh)))
  def train_step(state, batch):
    return step_fn(state, batch, unfrozen=unfrozen)

  return train_step


def build_loader(config: Config, step_fn: TrainStep,
                 sources: Sequence[Source]) -> Loader:
  """The loader that a configuration describes, for this process.

  Raises:
    UserError: TensorFlow is asked for and missing.
  """
  kind: type[Loader] = Loader
  if config.data.loader == 'processes':
    kind = ProcessLoader
  if config.data.loader == 'tf':
    from siamkpn_jax.datasets.tf_loader import TfLoader
    kind = TfLoader
  return kind(
      sources, config.data, config.augment, seed=config.seed,
      batch_size=config.train.batch_size,
      template_patch=step_fn.template.patch, search_patch=step_fn.search.patch,
      process_index=jax.process_index(), process_count=jax.process_count())


def _check_inputs(config: Config, workdir: Path) -> None:
  """A mistake in what a new run needs leaves no empty run behind."""
  if (workdir / FOLDER).exists():
    return
  for path in (config.model.weights, config.model.backbone_weights):
    if path:
      find_checkpoint(Path(path))
  if config.validation.sequences and config.validation.data:
    given_videos(config.validation)


def abstract_state(config: Config, step_fn: TrainStep,
                   mesh: jax.sharding.Mesh) -> TrainState:
  """Shapes, dtypes and placement of the state that a configuration needs."""
  return place_state(
      jax.eval_shape(_new_state(config, step_fn),
                     abstract_variables(step_fn.model)),
      mesh, shard_optimizer=config.train.shard_optimizer)


def fresh_state(config: Config, step_fn: TrainStep,
                mesh: jax.sharding.Mesh) -> TrainState:
  """The state that a new run starts from, with given weights if there are any.

  Raises:
    UserError: given weights that are missing or do not fit.
  """
  replicated = sharding.replicated(mesh)
  given = _given_weights(config.model, step_fn.model, replicated)
  if config.model.weights:
    variables = given
  else:
    # By way of the host, from which every process gives its devices the same.
    fresh = jax.device_get(init_variables(step_fn.model, config.seed))
    variables = {name: tree | given.get(name, {})
                 for name, tree in fresh.items()}
  placement = sharding.placement(abstract_state(config, step_fn, mesh))
  return jax.jit(
      _new_state(config, step_fn), out_shardings=placement)(variables)


def _new_state(config: Config, step_fn: TrainStep
               ) -> Callable[[dict[str, Any]], TrainState]:
  return functools.partial(
      init_state, optimizer=step_fn.optimizer, ema=config.train.ema_decay > 0)


def _start(config: Config, step_fn: TrainStep, mesh: jax.sharding.Mesh,
           checkpoints: Checkpoints, resume: bool,
           workdir: Path) -> TrainState:
  """The newest checkpoint's state, or that of a new run."""
  abstract = abstract_state(config, step_fn, mesh)
  items = checkpoints.restore(to_items(abstract))
  if items is None:
    if config.train.freeze_epochs and not (
        config.model.weights or config.model.backbone_weights):
      log_main('note: the backbone has random weights and is frozen for '
               f'{config.train.freeze_epochs} epochs; for pretrained ones, set '
               '--config.model.backbone_weights (docs/conversion.md)')
    return fresh_state(config, step_fn, mesh)
  restored = from_items(items)
  if not resume:
    raise UserError(
        f'{workdir}: holds a run of {int(restored.step)} steps: omit '
        '--noresume to resume it, or choose another --workdir')
  log_main(f'resuming {workdir} at step {int(restored.step)}')
  if config.model.weights or config.model.backbone_weights:
    log_main('note: a resumed run ignores config.model.weights and '
             'config.model.backbone_weights')
  return restored


def _given_weights(config: ModelConfig, model: SiamKPN,
                   placement: jax.sharding.Sharding) -> dict[str, Any]:
  """The variables that the configuration starts from; {} for none."""
  for part, path in (('network', config.weights),
                     ('backbone', config.backbone_weights)):
    if path:
      log_main(f'starting from the {part} of {path}')
      return load_variables(Path(path), model, placement, part=part)
  return {}


def _write_config(workdir: Path, config: Config) -> None:
  """And removes what a killed run has left of its files."""
  for name in (CONFIG_NAME, LOG_NAME, REPORT_NAME):
    remove_leftovers(workdir / name)
  write_file(workdir / CONFIG_NAME, json.dumps(
      to_plain(config) | {'git_revision': git_revision()}, indent=2) + '\n')


def _best_step(workdir: Path) -> int | None:
  """Of process 0's log; others do not remove checkpoints."""
  if not is_main_host():
    return None
  best = best_validation(read_log(workdir / LOG_NAME))
  return None if best is None else best[0]


def _is_unscored(workdir: Path, step: int) -> bool:
  """Whether a step's checkpoint has no validation in process 0's log."""
  mine = is_main_host() and step > 0 and not any(
      row['step'] == step and AUC in row
      for row in read_log(workdir / LOG_NAME))
  return gather_text('unscored' if mine else '')[0] != ''


def _write_page(workdir: Path) -> None:
  if is_main_host():
    # A page is not worth a run; nor is Matplotlib, on machines without it.
    with contextlib.suppress(ImportError):
      from siamkpn_jax.training.report import write_report
      try:
        write_report(workdir)
      except UserError as error:
        log_main(f'note: no new {REPORT_NAME}: {error}')
