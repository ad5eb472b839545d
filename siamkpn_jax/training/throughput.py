"""How much of a device's arithmetic training uses (model FLOP utilization)."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from siamkpn_jax.training.state import TrainState
from siamkpn_jax.training.step import TrainStep

# Start of JAX's name of a device -> most bfloat16 operations per second, dense,
# by the makers' data sheets. The first that fits counts.
_PEAKS = {
    'NVIDIA H200 NVL': 835e12,
    'NVIDIA H200': 989e12,
    'NVIDIA H100 NVL': 835e12,
    'NVIDIA H100 PCIe': 756e12,
    'NVIDIA H100': 989e12,
    'NVIDIA A100': 312e12,
    'Tesla V100-PCIE': 112e12,  # float16: it has no bfloat16
    'Tesla V100': 125e12,
    'TPU v6': 918e12,  # v6e
    'TPU v5 lite': 197e12,  # v5e
    'TPU v5e': 197e12,
    'TPU v5': 459e12,  # v5p
    'TPU v4': 275e12,
}


def peak_flops(device_kind: str) -> float | None:
  """Most operations per second of a device; None if it is not known."""
  return next((peak for name, peak in _PEAKS.items()
               if device_kind.startswith(name)), None)


def count_flops(function: Callable[..., Any], *args: Any) -> float | None:
  """Floating-point operations of a function, counted without running it.

  Counted for a CPU, because not every device counts; the bodies of loops are
  counted once.

  Args:
    function: to be traced.
    *args: trees of arrays or of their shapes.

  Returns:
    None if this JAX has no CPU.
  """
  try:
    cpu = jax.local_devices(backend='cpu')[0]
  except RuntimeError:  # JAX_PLATFORMS leaves it out
    return None
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), args)
  with jax.default_device(cpu):
    cost: Any = jax.jit(function).lower(*shapes).cost_analysis()
  return cost['flops']


def step_flops(step: TrainStep, state: TrainState, batch_size: int, *,
               unfrozen: bool) -> float | None:
  """Operations that a step asks for on all devices together.

  Those that `train.remat` does twice count once, and convolutions as such, not
  as a CPU may compute them (`models.wide`, in float32 alone).

  Args:
    step: the step.
    state: of the training, or its shapes.
    batch_size: of all devices together.
    unfrozen: whether the backbone trains.
  """
  plain = dataclasses.replace(
      step, accumulate=1,
      model=step.model.clone(remat=False, dtype='bfloat16'))
  return count_flops(functools.partial(plain, unfrozen=unfrozen), state,
                     abstract_batch(step, batch_size))


def abstract_batch(step: TrainStep,
                   batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
  """The shapes of what `Loader` makes for a step."""
  z, x = step.template.patch, step.search.patch
  shapes = {
      'template': ((z, z, 3), jnp.uint8), 'template_wh': ((2,), jnp.float32),
      'search': ((x, x, 3), jnp.uint8), 'search_wh': ((2,), jnp.float32),
      'negative': ((), jnp.bool_), 'gray': ((), jnp.bool_),
      'index': ((), jnp.uint32)}
  return {name: jax.ShapeDtypeStruct((batch_size, *shape), dtype)
          for name, (shape, dtype) in shapes.items()}


class Utilization:
  """The share of the devices' peak that a run's steps use."""

  def __init__(self, step: TrainStep, state: TrainState, batch_size: int,
               unfreeze: int):
    """Counts nothing yet.

    Args:
      step: the step.
      state: of the training.
      batch_size: of all devices together.
      unfreeze: the last step whose backbone is frozen.
    """
    peak = peak_flops(jax.devices()[0].device_kind)
    self._peak = None if peak is None else peak * jax.device_count()
    self._unfreeze = unfreeze
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)
    self._flops = functools.cache(
        lambda unfrozen: step_flops(step, shapes, batch_size,
                                    unfrozen=unfrozen))

  def __call__(self, step: int, seconds: float) -> dict[str, float]:
    """The metric 'mfu' of a step that took so long; {} on unknown devices."""
    if self._peak is None:
      return {}
    flops = self._flops(step > self._unfreeze)
    return {} if flops is None else {'mfu': flops / seconds / self._peak}
