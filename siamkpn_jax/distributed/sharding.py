"""Data parallelism: one mesh axis over all devices, and what lies where."""

import collections
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from siamkpn_jax.core.errors import UserError


def data_mesh(batch_size: int, accumulate: int = 1) -> Mesh:
  """A mesh over every device of every process.

  Args:
    batch_size: of all devices together.
    accumulate: parts that every device works through one after the other.

  Raises:
    UserError: the batch cannot be divided over the devices, or the processes
      have not equally many.
  """
  devices, processes = jax.device_count(), jax.process_count()
  counts = collections.Counter(d.process_index for d in jax.devices())
  if len(set(counts.values())) > 1:
    raise UserError(
        f'the processes have {[counts[k] for k in range(processes)]} devices; '
        'expected the same number in each')
  if batch_size % (devices * accumulate):
    where = f' of {processes} processes' if processes > 1 else ''
    parts = (f' times {accumulate} parts (config.train.accumulate)'
             if accumulate > 1 else '')
    raise UserError(
        f'config.train.batch_size is {batch_size}; expected a multiple of '
        f'{devices * accumulate}, for {devices} devices{where}{parts}')
  return jax.make_mesh((devices,), ('data',), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
  """Every device holds the whole array."""
  return NamedSharding(mesh, PartitionSpec())


def by_batch(mesh: Mesh) -> NamedSharding:
  """The first axis is divided over the devices."""
  return NamedSharding(mesh, PartitionSpec('data'))


def over_largest_axis(mesh: Mesh, shape: tuple[int, ...]) -> NamedSharding:
  """The largest axis that can be is divided over the devices, if any can be."""
  divisible = [size if size % mesh.size == 0 else 0 for size in shape]
  if not any(divisible):
    return replicated(mesh)
  axis = divisible.index(max(divisible))
  return NamedSharding(mesh, PartitionSpec(*[None] * axis, 'data'))


def place(abstract: Any,
          choose: Callable[[tuple[int, ...]], NamedSharding]) -> Any:
  """A tree of shapes and dtypes with shardings.

  Args:
    abstract: the tree.
    choose: shape -> sharding.
  """
  return jax.tree.map(lambda x: x.update(sharding=choose(x.shape)), abstract)


def placement(tree: Any) -> Any:
  """The sharding of every array."""
  return jax.tree.map(lambda x: x.sharding, tree)


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, Any]:
  """This process's part of a batch -> global arrays."""
  with jax.transfer_guard('allow'):  # this one is meant
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(by_batch(mesh), x),
        batch)
