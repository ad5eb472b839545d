"""The training loop: from a configuration to checkpoints."""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.checkpoints.weights import (
  FOLDER,
  find_checkpoint,
  load_variables,
)
from siamkpn_jax.config.settings import (
  check_config,
  steps_per_epoch,
  to_plain,
  unfreeze_step,
)
from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import (
  atomic_paths,
  file_errors,
  remove_leftovers,
)
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.provenance import git_revision
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.degrade import Degrade
from siamkpn_jax.datasets.loader import Loader
from siamkpn_jax.datasets.source import Source
from siamkpn_jax.distributed import preemption, sharding
from siamkpn_jax.distributed.multihost import (
  check_shared,
  is_main_host,
  log_main,
  run_on_all_hosts,
)
from siamkpn_jax.models.siamkpn import SiamKPN, build_model
from siamkpn_jax.training import optimizer as optim
from siamkpn_jax.training.augment import CropAugment
from siamkpn_jax.training.losses import LossConfig
from siamkpn_jax.training.metrics import (
  CONFIG_NAME,
  LOG_NAME,
  REPORT_NAME,
  best_validation,
  read_log,
)
from siamkpn_jax.training.photometric import Photometric
from siamkpn_jax.training.profiling import Profile
from siamkpn_jax.training.progress import open_progress
from siamkpn_jax.training.state import TrainState, init_state, start_from
from siamkpn_jax.training.step import TrainStep
from siamkpn_jax.training.targets import target_config
from siamkpn_jax.training.validation import Validation, given_videos


def train(config: Any, workdir: Path, sources: Sequence[Source], *,
          resume: bool = True, profile: int = 0) -> TrainState:
  """Trains until the configured number of epochs is done.

  Args:
    config: a configuration, see config.py.
    workdir: gets checkpoints, config.json, metrics.jsonl, tensorboard/.
    sources: of the training data, one for each of `config.data.sets`.
    resume: go on from the newest checkpoint in `workdir`.
    profile: number of steps to trace, see `Profile`.

  Returns:
    The last state.

  Raises:
    UserError: the configuration is inconsistent, `workdir` holds a run that
      cannot be continued, or too many steps were skipped.
    Preempted: after SIGINT or SIGTERM, when the state is saved.
  """
  check_config(config)
  plain = to_plain(config)
  mesh = sharding.data_mesh(
      config.train.batch_size, config.train.accumulate)
  step_fn = build_step(config)
  loader = build_loader(config, step_fn, sources)
  total = config.train.epochs * steps_per_epoch(config)
  run_on_all_hosts(lambda: _check_inputs(config, workdir))
  workdir.mkdir(parents=True, exist_ok=True)
  check_shared(workdir)
  with contextlib.ExitStack() as stack:
    checkpoints = stack.enter_context(Checkpoints(
        workdir, plain, keep=config.train.keep_checkpoints))
    state = _start(config, step_fn, mesh, checkpoints, resume, workdir)
    start = int(state.step)
    if is_main_host():
      _write_config(workdir, plain)
    validate = Validation(config, step_fn.model, workdir)
    batches = stack.enter_context(contextlib.closing(loader.batches(start)))
    jitted = [jit_step(step_fn, mesh, state, unfrozen=unfrozen)
              for unfrozen in (False, True)]
    progress = stack.enter_context(
        open_progress(config, workdir, step_fn, state))
    checkpoints.keep_best(_best_step(workdir))
    trace = stack.enter_context(
        Profile(workdir, start, profile, progress.pause))
    stop = stack.enter_context(preemption.guard())
    unfreeze = unfreeze_step(config)
    for step in range(start + 1, total + 1):
      with trace.step(step):
        with progress.waiting():
          batch = next(batches)
        state, metrics = jitted[step > unfreeze](
            state, sharding.put_batch(batch, mesh))
        progress.after(step, metrics, last=step == total)
      ends = stop.after(step)
      if step == total or ends or step % config.train.save_every == 0:
        with progress.pause('saving'):
          checkpoints.save(step, state)
        if not ends:  # the machine may soon be gone
          with progress.pause('validating'):
            scores = validate(
                state.tracking_variables, lambda: stop.signalled)
          progress.validated(step, scores)
          checkpoints.keep_best(_best_step(workdir))
        _write_page(workdir)
      if ends or (step == total and stop.signalled):
        checkpoints.wait()
        raise preemption.Preempted(
            f'{workdir}: stopped and saved at step {step} of {total}; the same '
            'command goes on from there', interrupted=stop.interrupted)
    checkpoints.wait()
  return state


def _check_inputs(config: Any, workdir: Path) -> None:
  """A mistake in what a new run needs leaves no empty run behind."""
  if (workdir / FOLDER).exists():
    return
  for path in (config.model.weights, config.model.backbone_weights):
    if path:
      find_checkpoint(Path(path))
  if config.validation.sequences and config.validation.data:
    given_videos(config.validation)


def _write_config(workdir: Path, plain: dict[str, Any]) -> None:
  """And removes what a killed run has left of its files."""
  for name in (CONFIG_NAME, LOG_NAME, REPORT_NAME):
    remove_leftovers(workdir / name)
  path = workdir / CONFIG_NAME
  with atomic_paths([path]) as partial, file_errors(path):
    partial[path].write_text(json.dumps(
        plain | {'git_revision': git_revision()}, indent=2) + '\n')


def _best_step(workdir: Path) -> int | None:
  """Of process 0's log; others do not remove checkpoints."""
  if not is_main_host():
    return None
  best = best_validation(read_log(workdir / LOG_NAME))
  return None if best is None else best[0]


def _write_page(workdir: Path) -> None:
  if is_main_host():
    # A page is not worth a run; nor is Matplotlib, on machines without it.
    with contextlib.suppress(UserError, ImportError):
      from siamkpn_jax.training.report import write_report
      write_report(workdir)


def build_step(config: Any) -> TrainStep:
  """The training step that a configuration describes."""
  train_config, augment = config.train, config.augment
  layers = tuple(train_config.backbone_layers)
  return TrainStep(
      model=build_model(config.model).clone(
          remat=train_config.remat == 'blocks'),
      optimizer=optim.make_optimizer(
          layers, train_config.backbone_lr_scale, train_config.clip_norm),
      learning_rate=optim.learning_rate(
          train_config.schedule, train_config.epochs, steps_per_epoch(config),
          train_config.peak_lr),
      template=CropAugment(
          geometry.TEMPLATE_SIZE, augment.template_shift,
          augment.template_scale),
      search=CropAugment(
          geometry.SEARCH_SIZE, augment.search_shift, augment.search_scale,
          augment.search_blur),
      targets=target_config(config.targets),
      loss=LossConfig(**config.loss),
      backbone_layers=layers,
      max_loss=train_config.max_loss,
      seed=config.seed,
      accumulate=train_config.accumulate,
      ema_decay=train_config.ema_decay,
      flip=augment.flip,
      light=Photometric(**_settings(Photometric, augment)))


def _settings(kind: type, section: Any) -> dict[str, Any]:
  """Those of a configuration's section that a dataclass has."""
  return {field.name: section[field.name]
          for field in dataclasses.fields(kind)}


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


def _init(config: Any, step_fn: TrainStep) -> TrainState:
  return init_state(
      step_fn.model, step_fn.optimizer, jax.random.key(config.seed),
      ema=config.train.ema_decay > 0)


def abstract_state(config: Any, step_fn: TrainStep,
                   mesh: jax.sharding.Mesh) -> TrainState:
  """Shapes, dtypes and placement of the state that a configuration needs."""
  return sharding.place_state(
      jax.eval_shape(lambda: _init(config, step_fn)), mesh,
      shard_optimizer=config.train.shard_optimizer)


def _start(config: Any, step_fn: TrainStep, mesh: jax.sharding.Mesh,
           checkpoints: Checkpoints, resume: bool,
           workdir: Path) -> TrainState:
  """The newest checkpoint's state, or that of a new run."""
  abstract = abstract_state(config, step_fn, mesh)
  restored = checkpoints.restore(abstract)
  if restored is None:
    given = _given_weights(
        config, step_fn.model, sharding.replicated(mesh))
    return jax.jit(
        lambda given: start_from(_init(config, step_fn), given),
        out_shardings=sharding.placement(abstract))(given)
  if not resume:
    raise UserError(
        f'{workdir}: holds a run of {int(restored.step)} steps; leave out '
        '--noresume to continue it, or choose another --workdir')
  log_main(f'resuming {workdir} at step {int(restored.step)}')
  if config.model.weights or config.model.backbone_weights:
    log_main('note: the weights that a run starts from are not read again')
  return restored


def _given_weights(config: Any, model: SiamKPN,
                   placement: jax.sharding.Sharding) -> dict[str, Any]:
  """The variables that the configuration starts from; {} for none."""
  for part, path in (('network', config.model.weights),
                     ('backbone', config.model.backbone_weights)):
    if path:
      log_main(f'starting from the {part} of {path}')
      return load_variables(Path(path), model, placement, part=part)
  if config.train.freeze_epochs:
    log_main('note: the backbone starts from random weights and is frozen for '
        f'{config.train.freeze_epochs} epochs; give it trained ones by '
        '--config.model.backbone_weights (docs/conversion.md)')
  return {}


def build_loader(config: Any, step_fn: TrainStep,
                 sources: Sequence[Source]) -> Loader:
  """The loader that a configuration describes, for this process.

  Raises:
    UserError: TensorFlow is asked for and missing.
  """
  kind = Loader
  if config.data.loader == 'tf':
    from siamkpn_jax.datasets.tf_loader import TfLoader
    kind = TfLoader
  return kind(
      sources, catalog.sampler_config(config.data), seed=config.seed,
      batch_size=config.train.batch_size,
      template_patch=step_fn.template.patch, search_patch=step_fn.search.patch,
      workers=config.data.workers, prefetch=config.data.prefetch,
      process_index=jax.process_index(), process_count=jax.process_count(),
      worse=Degrade(**_settings(Degrade, config.augment)))
