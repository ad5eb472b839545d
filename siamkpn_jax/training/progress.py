"""What one sees of a run while it trains: a bar, lines, log and event files."""

import contextlib
import datetime
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import jax
from tqdm import tqdm

from siamkpn_jax.config.settings import Config, TrainConfig
from siamkpn_jax.core.progress import announce, progress_bar
from siamkpn_jax.distributed.multihost import is_main_host
from siamkpn_jax.training.bad_steps import BadSteps
from siamkpn_jax.training.metrics import MetricWriter
from siamkpn_jax.training.state import TrainState
from siamkpn_jax.training.step import TrainStep
from siamkpn_jax.training.throughput import Utilization

_AHEAD = 2  # steps that may be under way at once


class Progress:
  """Reports on steps; reads their metrics only now and then."""

  def __init__(self, config: TrainConfig, writer: MetricWriter | None,
               bar: tqdm, bad_steps: BadSteps, utilization: Utilization,
               start: int):
    """See `open_progress`.

    Args:
      config: of the training.
      writer: of the log; None on all processes but one, which say nothing.
      bar: of the steps of the whole run.
      bad_steps: which steps were.
      utilization: of the devices.
      start: steps done before.
    """
    self._config = config
    self._writer = writer
    self._bar = bar
    self._bad_steps = bad_steps
    self._utilization = utilization
    self._unfreeze = config.unfreeze_step
    # Steps that compile, and those whose line begins or ends with them.
    self._compiling = {start + 1, self._unfreeze + 1}
    self._reported = self._compiling | {self._unfreeze}
    self._step, self._since = start, time.monotonic()
    self._waited = self._paused = 0.0
    self._speed: float | None = None  # seconds per step, without pauses
    self._running: list[Mapping[str, jax.Array]] = []
    if start < config.total_steps:
      announce(bar, 'compiling, may take a minute or two')

  @contextlib.contextmanager
  def waiting(self) -> Iterator[None]:
    """Its block waits for data.

    The steps before it are under way; one that is too far ahead would only
    fill the device's memory with batches, so it is waited for first.
    """
    while len(self._running) >= _AHEAD:
      jax.block_until_ready(self._running.pop(0)['loss'])
    start = time.monotonic()
    yield
    self._waited += time.monotonic() - start

  @contextlib.contextmanager
  def pause(self, what: str) -> Iterator[None]:
    """Its block does something else than training."""
    if self._running:
      jax.block_until_ready(self._running[-1]['loss'])
    start = time.monotonic()
    self._bar.set_postfix_str(what)
    yield
    self._paused += time.monotonic() - start

  def after(self, step: int, metrics: Mapping[str, jax.Array], *,
            last: bool) -> None:
    """Takes note of a step that was started.

    Raises:
      UserError: too many steps were skipped.
    """
    self._bar.update()
    self._bad_steps.add(step, metrics)
    self._running.append(metrics)
    if (step % self._config.log_every and not last and
        step not in self._reported):
      return
    scalars = {name: float(value) for name, value in
               jax.device_get(dict(metrics)).items()}
    scalars['backbone_learning_rate'] = scalars['learning_rate'] * (
        self._config.backbone_lr_scale if step > self._unfreeze else 0.0)
    scalars |= self._rates(step)
    self._write(step, scalars)
    self._bar.set_postfix_str(
        f'loss {scalars["loss"]:.3f}, '
        f'{scalars["pairs_per_second"]:.1f} pairs/s')
    self._say(describe(step, scalars, self._left(step)))
    line = self._bad_steps.report()
    if line:
      self._say(line)

  def validated(self, step: int, scores: Mapping[str, float]) -> None:
    """Takes note of a validation; nothing if there are no scores."""
    if scores:
      self._write(step, scores)
      self._say(f'step {step:,} | ' + ' | '.join(
          f'{name} {score:.3f}' for name, score in scores.items()))

  def _write(self, step: int, scalars: Mapping[str, float]) -> None:
    if self._writer is not None:
      self._writer.write(step, scalars)

  def _say(self, line: str) -> None:
    """Writes above the bar."""
    if self._writer is not None:
      self._bar.write(line, file=sys.stderr)

  def _rates(self, step: int) -> dict[str, float]:
    """What the time since the last call tells, pauses left out."""
    now = time.monotonic()
    seconds = max(now - self._since - self._paused, 1e-9)
    per_step = seconds / (step - self._step)
    if step not in self._compiling:
      self._speed = per_step
    rates = {'pairs_per_second': self._config.batch_size / per_step,
             'data_wait': self._waited / seconds,
             **self._utilization(step, per_step)}  # counting takes a while
    self._step, self._since = step, time.monotonic()
    self._waited = self._paused = 0.0
    return rates

  def _left(self, step: int) -> float | None:
    """Seconds to the end, if steps stay as fast; None before that is known."""
    if self._speed is None:
      return None
    return self._speed * (self._config.total_steps - step)


@contextlib.contextmanager
def open_progress(config: Config, workdir: Path, step_fn: TrainStep,
                  state: TrainState) -> Iterator[Progress]:
  """The progress of a run, which logs on process 0 alone.

  Args:
    config: a configuration.
    workdir: gets metrics.jsonl and tensorboard/.
    step_fn: the step.
    state: that the run starts or goes on from.
  """
  start, train = int(state.step), config.train
  bad_steps = BadSteps(
      start, int(state.skipped), batch_size=train.batch_size,
      max_loss=train.max_loss, max_skipped=train.max_skipped)
  utilization = Utilization(
      step_fn, state, train.batch_size, train.unfreeze_step)
  with contextlib.ExitStack() as stack:
    writer = None
    if is_main_host():
      writer = stack.enter_context(MetricWriter(workdir, start))
    bar = stack.enter_context(progress_bar(
        total=train.total_steps, initial=start, desc=config.name, unit='step',
        mininterval=1.0, disable=writer is None))
    yield Progress(train, writer, bar, bad_steps, utilization, start)


def describe(step: int, scalars: Mapping[str, float],
             seconds_left: float | None) -> str:
  """One line on a step.

  Args:
    step: its number.
    scalars: metrics by name, as they are logged.
    seconds_left: to the end of the run.
  """
  parts = [f'step {step:,}', f'loss {scalars["loss"]:.4g}']
  parts += [f'{task} {values}' for task, values in _by_task(scalars).items()]
  parts += [f'lr {scalars["learning_rate"]:.2g} (backbone '
            f'{scalars["backbone_learning_rate"]:.2g})',
            f'gradient {scalars["grad_norm"]:.3g}',
            f'{scalars["pairs_per_second"]:.1f} pairs/s',
            f'waited for data {scalars["data_wait"]:.0%}']
  if 'mfu' in scalars:
    parts.append(f'mfu {scalars["mfu"]:.0%}')
  if seconds_left is not None:
    left = datetime.timedelta(seconds=round(seconds_left))
    parts.append(f'{left} left')
  return ' | '.join(parts)


def _by_task(scalars: Mapping[str, float]) -> dict[str, str]:
  """'heatmap' -> the losses of its stages, first to last."""
  found: dict[str, str] = {}
  for name, value in scalars.items():
    if match := re.fullmatch(r'stage\d+/(.+)', name):
      found[match[1]] = f'{found.get(match[1], "")} {value:.3g}'.strip()
  return found
