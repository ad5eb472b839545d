"""How many targets share a batch, and how a batch is divided over devices."""

import functools
import heapq
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P


def shardings(devices: Sequence[Any]) -> tuple[NamedSharding, NamedSharding]:
  """For what every device has, and for what is divided along its first axis."""
  mesh = jax.sharding.Mesh(
      np.array(devices), ('slot',), axis_types=(AxisType.Auto,))
  return NamedSharding(mesh, P()), NamedSharding(mesh, P('slot'))


def crops_each() -> int:
  """Crops that suit a device in one batch."""
  return 4 if jax.local_devices()[0].platform == 'cpu' else 16


def put(templates: Any, template: Any, slot: int, slots: int,
        sharding: NamedSharding) -> Any:
  """The templates of all slots with that of one.

  Args:
    templates: [slots, ...] on the devices; None: there are none yet.
    template: [1, ...].
    slot: of the template.
    slots: how many there are.
    sharding: of all of them.
  """
  if slots == 1:  # nothing to compile
    return jax.device_put(template, sharding)
  if templates is None:
    templates = jax.tree.map(
        lambda leaf: jnp.zeros((slots, *leaf.shape[1:]), leaf.dtype,
                               device=sharding), template)
  return _put(templates, template, np.int32(slot))


@functools.partial(jax.jit, donate_argnames='templates')
def _put(templates: Any, template: Any, slot: np.integer) -> Any:
  return jax.tree.map(
      lambda every, one: jax.lax.dynamic_update_slice_in_dim(
          every, one, slot, axis=0), templates, template)


def good_slots(lengths: Sequence[int], devices: int,
               batch: int | None = None) -> int:
  """How many targets at once take the least time.

  Many share what a batch costs whatever its size; but when a few sequences are
  left at the end, the other slots compute nothing useful.

  Args:
    lengths: of the sequences, in frames.
    devices: that share the slots.
    batch: targets at most; None: what suits the devices.

  Raises:
    ValueError: fewer than one target.
  """
  if batch is not None and batch < 1:
    raise ValueError(f'batch={batch}: expected 1 or more')
  # What a batch costs beside its targets, in targets.
  fixed = devices * crops_each() / 4
  useful = -(-len(lengths) // devices) * devices
  batch = min(crops_each() * devices if batch is None else batch,
              max(useful, devices))
  devices = min(devices, batch)
  return min(range(devices, batch + 1, devices),
             key=lambda slots: _steps(lengths, slots) * (slots + fixed))


def _steps(lengths: Sequence[int], slots: int) -> int:
  """How many batches it takes, where the longest sequences begin first."""
  busy_until = [0] * slots  # a heap
  for length in sorted(lengths, reverse=True):
    heapq.heapreplace(busy_until, busy_until[0] + length)
  return max(busy_until)
