"""Data parallelism: one mesh axis over all devices; the state is replicated."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from siamkpn_jax.errors import UserError


def data_mesh(batch_size: int, accumulate: int = 1) -> Mesh:
  """A mesh over every device of every process.

  Args:
    batch_size: of all devices together.
    accumulate: parts that every device works through one after the other.

  Raises:
    UserError: the batch cannot be divided over the devices.
  """
  devices = jax.device_count()
  if batch_size % (devices * accumulate):
    parts = f' times {accumulate} parts (config.train.accumulate)'
    raise UserError(
        f'config.train.batch_size {batch_size} cannot be divided over '
        f'{devices} devices{parts if accumulate > 1 else ""}; expected a '
        f'multiple of {devices * accumulate}')
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
