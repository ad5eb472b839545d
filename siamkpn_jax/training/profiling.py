"""A trace of a few steps, for TensorBoard and Perfetto."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import jax

from siamkpn_jax.distributed.multihost import is_main_host, log_main

FOLDER = 'profile'  # below the workdir
_SKIPPED = 10  # steps before the trace: the first ones compile


class Profile:
  """Traces some steps of a run; a context manager that ends the trace."""

  def __init__(self, workdir: Path, start: int, count: int,
               pause: Callable[[str], contextlib.AbstractContextManager[None]]):
    """Traces nothing yet.

    Args:
      workdir: of the run.
      start: steps done before.
      count: steps to trace, on process 0; 0 for none.
      pause: see `Progress.pause`; waits until the steps are done.
    """
    self._pause = pause
    self._folder = workdir / FOLDER
    if not is_main_host():
      count = 0
    self._steps = range(start + _SKIPPED + 1, start + _SKIPPED + 1 + count)
    self._tracing = False
    self._missing = count > 0

  def __enter__(self) -> 'Profile':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    self._stop()
    if self._missing:
      log_main(f'note: no profile, since it begins after {_SKIPPED} steps')

  @contextlib.contextmanager
  def step(self, number: int) -> Iterator[None]:
    """Its block is a step; begins or ends the trace before it, if due."""
    if number in self._steps and not self._tracing:
      jax.profiler.start_trace(self._folder, create_perfetto_trace=True)
      self._tracing, self._missing = True, False
    elif self._tracing and number not in self._steps:
      self._stop()
    with jax.profiler.StepTraceAnnotation('train', step_num=number):
      yield

  def _stop(self) -> None:
    if self._tracing:
      self._tracing = False
      with self._pause('writing the profile'):
        jax.profiler.stop_trace()
