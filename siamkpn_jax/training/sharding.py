"""Data parallelism: one mesh axis over all devices; the state is replicated."""

import collections
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from siamkpn_jax.errors import UserError


def data_mesh(batch_size: int) -> Mesh:
  """A mesh over every device of every process.

  Args:
    batch_size: of all devices together.

  Raises:
    UserError: the batch cannot be divided over the devices, or the processes
      have not equally many.
  """
  devices, processes = jax.device_count(), jax.process_count()
  counts = collections.Counter(d.process_index for d in jax.devices())
  if len(set(counts.values())) > 1:
    raise UserError(
        f'the processes have {[counts[k] for k in range(processes)]} devices; '
        'expected equally many in each')
  if batch_size % devices:
    where = f' of {processes} processes' if processes > 1 else ''
    raise UserError(
        f'config.train.batch_size {batch_size} cannot be divided over '
        f'{devices} devices{where}; expected a multiple of {devices}')
  return jax.make_mesh((devices,), ('data',), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
  """Every device holds the whole array."""
  return NamedSharding(mesh, PartitionSpec())


def by_batch(mesh: Mesh) -> NamedSharding:
  """The first axis is divided over the devices."""
  return NamedSharding(mesh, PartitionSpec('data'))


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, Any]:
  """This process's part of a batch -> global arrays."""
  return jax.tree.map(
      lambda x: jax.make_array_from_process_local_data(by_batch(mesh), x),
      batch)
