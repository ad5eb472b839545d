"""The training loop, over the parts of a run."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.datasets.loader import Batch, Loader
from siamkpn_jax.distributed import preemption
from siamkpn_jax.training.profiling import Profile
from siamkpn_jax.training.progress import Progress
from siamkpn_jax.training.state import TrainState, to_items
from siamkpn_jax.training.step import Metrics

Step = Callable[[TrainState, Any], tuple[TrainState, Metrics]]


@dataclasses.dataclass(frozen=True)
class Run:
  """What a training consists of; `trainer.open_run` builds one.

  Attributes:
    workdir: of the run, for messages.
    state: to start from.
    step: unfrozen -> the compiled step, which may reuse the state's memory.
    loader: of raw batches.
    put: raw batch -> arrays on the devices.
    checkpoints: where states are saved.
    validate: scores a state that was saved, by name; {} where the second
      argument said that there is no time.
    saved: called when a state is saved, and scored if there was time.
    progress: what one sees of it.
    profile: traces some steps.
    total: steps in all.
    unfreeze: the last step whose backbone is frozen.
    save_every: steps.
    unscored: the state to start from was saved, but not scored: the run was
      cut off in between.
  """

  workdir: Path
  state: TrainState
  step: Callable[[bool], Step]
  loader: Loader
  put: Callable[[Batch], Any]
  checkpoints: Checkpoints
  validate: Callable[[Any, Callable[[], bool]], Mapping[str, float]]
  saved: Callable[[], None]
  progress: Progress
  profile: Profile
  total: int
  unfreeze: int
  save_every: int
  unscored: bool = False


def train(run: Run) -> TrainState:
  """Trains until all steps are done.

  Returns:
    The last state, saved.

  Raises:
    UserError: too many steps were skipped, or a state cannot be saved.
    Preempted: after SIGINT or SIGTERM, when the state is saved.
  """
  state, start = run.state, int(run.state.step)
  with (contextlib.closing(run.loader.batches(start)) as batches,
        preemption.guard() as stop):
    if run.unscored:
      _score(run, start, state, stop)
    for step in range(start + 1, run.total + 1):
      with run.profile.step(step), _guard(step, start, run.unfreeze):
        with run.progress.waiting():
          batch = next(batches)
        state, metrics = run.step(step > run.unfreeze)(state, run.put(batch))
        run.progress.after(step, metrics, last=step == run.total)
      ends = stop.after(step)
      if step == run.total or ends or step % run.save_every == 0:
        _save(run, step, state, stop, ends=ends)
      if ends or (step == run.total and stop.signaled):
        run.checkpoints.wait()
        raise preemption.Preempted(
            f'{run.workdir}: stopped and saved at step {step} of {run.total}; '
            'run the same command to resume',
            interrupted=stop.interrupted)
    run.checkpoints.wait()
  return state


def _guard(step: int, start: int,
           unfreeze: int) -> contextlib.AbstractContextManager[None]:
  """Nothing but batches and metrics may travel, once the step is compiled."""
  compiles = step in (start + 1, unfreeze + 1)
  return jax.transfer_guard('allow' if compiles else 'disallow')


def _save(run: Run, step: int, state: TrainState,
          stop: preemption.PreemptionGuard, *, ends: bool) -> None:
  """Saves a state, and scores it unless the machine may soon be gone."""
  with run.progress.pause('saving'):
    run.checkpoints.save(step, to_items(state))
  if ends:
    _saved(run)
  else:
    _score(run, step, state, stop)


def _score(run: Run, step: int, state: TrainState,
           stop: preemption.PreemptionGuard) -> None:
  """Scores a state that is saved, by which it may become the best one."""
  with run.progress.pause('validating'):
    scores = run.validate(state.tracking_variables, lambda: stop.signaled)
  run.progress.validated(step, scores)
  _saved(run)


def _saved(run: Run) -> None:
  with run.progress.pause('writing the report'):
    run.saved()
