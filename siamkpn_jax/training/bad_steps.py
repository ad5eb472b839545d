"""Skipped steps: which loss was at fault, on which pairs, and when to stop."""

import math
from collections.abc import Mapping
from typing import Any

import jax

from siamkpn_jax.core.errors import UserError


class BadSteps:
  """Watches a run's steps; reads their metrics only if some were skipped."""

  def __init__(self, step: int, skipped: int, *, batch_size: int,
               max_loss: float, max_skipped: int):
    """Starts at a step.

    Args:
      step: the last one done.
      skipped: how many were skipped until then.
      batch_size: pairs of a step.
      max_loss: steps with a larger loss are skipped.
      max_skipped: the most that may be skipped between two reports; 0 for any
        number.
    """
    self._last = step
    self._skipped = skipped
    self._batch_size = batch_size
    self._max_loss = max_loss
    self._max_skipped = max_skipped
    self._unread: list[tuple[int, Mapping[str, Any]]] = []

  def add(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
    """Keeps what a step returned, without waiting for it."""
    self._unread.append((step, metrics))

  def report(self) -> str:
    """One line on the steps since the last report; '' if none was skipped.

    Raises:
      UserError: too many were.
    """
    unread, self._unread = self._unread, []
    step = unread[-1][0]
    total = int(jax.device_get(unread[-1][1]['skipped']))
    skipped, steps = total - self._skipped, step - self._last
    self._last, self._skipped = step, total
    if not skipped:
      return ''
    # The last skipped step is the one at which the count became what it is.
    step, metrics = next(
        (step, metrics) for step, metrics in unread
        if int(jax.device_get(metrics['skipped'])) == total)
    values = {name: float(value) for name, value in
              jax.device_get(dict(metrics)).items()}
    end = step * self._batch_size
    line = (f'{skipped} of the last {steps} steps skipped, step {step} because '
            f'{reason(values, self._max_loss)} (learning rate '
            f'{values["learning_rate"]:.3g}, pairs {end - self._batch_size} to '
            f'{end - 1})')
    if self._max_skipped and skipped > self._max_skipped:
      raise UserError(
          f'{line}; expected at most config.train.max_skipped = '
          f'{self._max_skipped}: train in another --workdir with a lower '
          'learning rate or config.train.clip_norm, from scratch or from '
          '--config.model.weights=<this workdir>')
    return line


def reason(metrics: Mapping[str, float], max_loss: float) -> str:
  """Why a step with these metrics was skipped."""
  parts = {name: value for name, value in metrics.items()
           if name.startswith('stage')}
  bad = [f'{name} is {value}' for name, value in parts.items()
         if not math.isfinite(value)]
  if bad:
    return ', '.join(bad)
  loss = metrics['loss']
  if not loss <= max_loss:
    largest = max(parts, key=parts.__getitem__)
    return (f'its loss {loss:.4g} exceeds config.train.max_loss {max_loss:g}, '
            f'mostly due to {largest}, {parts[largest]:.4g}')
  return f'its gradient is {metrics["grad_norm"]}, with finite losses'
