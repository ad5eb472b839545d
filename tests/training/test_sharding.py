"""An optimizer whose moments are divided over the devices."""

import math
import re
import types

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training import trainer
from siamkpn_jax.training.metrics import LOG_NAME, read_log
from tests.training.tiny import BlobSource, tiny_batch, tiny_config


def some_devices(count):
  """A `sharding.data_mesh` over fewer devices than there are."""
  return lambda *unused: jax.make_mesh(
      (count,), ('data',), devices=jax.devices()[:count],
      axis_types=(jax.sharding.AxisType.Auto,))


def bytes_per_device(tree):
  """The most that any device holds, and that of an undivided copy."""
  leaves = jax.tree.leaves(tree)
  held = [sum(leaf.addressable_shards[k].data.nbytes for leaf in leaves)
          for k in range(4)]
  return max(held), sum(leaf.nbytes for leaf in leaves)


@pytest.mark.parametrize(('shape', 'expected'), [
    ((), ()), ((3,), ()), ((8,), ('data',)), ((4, 12, 8), (None, 'data')),
    ((8, 9), ('data',)), ((3, 3, 4, 4), (None, None, 'data'))])
def test_largest_axis(shape, expected):
  """Of those that four devices can share; the first of equals."""
  found = sharding.over_largest_axis(sharding.data_mesh(4), shape)
  assert found.spec == PartitionSpec(*expected)


def test_processes_of_different_sizes_are_refused(monkeypatch):
  """With the number of each, in their order."""
  devices = [types.SimpleNamespace(process_index=k) for k in (1, 0, 0, 2, 0, 2)]
  monkeypatch.setattr(jax, 'devices', lambda: devices)
  monkeypatch.setattr(jax, 'device_count', lambda: len(devices))
  monkeypatch.setattr(jax, 'process_count', lambda: 3)
  with pytest.raises(UserError, match=r'processes have \[3, 1, 2\] devices'):
    sharding.data_mesh(6)


@pytest.mark.slow
def test_divided_optimizer(tmp_path, monkeypatch):
  """The same run with a quarter of the moments on each of four devices.

  Its checkpoints are read on any number of devices, divided or not.
  """
  states = {}
  for divided in (False, True):
    config = tiny_config(train={'shard_optimizer': divided})
    states[divided] = trainer.train(
        config, tmp_path / str(divided), [BlobSource()])
  logs = [[row['loss'] for row in read_log(tmp_path / str(divided) / LOG_NAME)]
          for divided in states]
  assert len(logs[0]) == 6
  np.testing.assert_allclose(logs[1], logs[0], rtol=1e-6)
  held, whole = bytes_per_device(states[True].opt_state)
  assert whole / 4 <= held < 0.3 * whole
  assert bytes_per_device(states[False].opt_state) == (whole, whole)
  held, whole = bytes_per_device(states[True].params)
  assert held == whole

  monkeypatch.setattr(sharding, 'data_mesh', some_devices(2))
  for divided in (False, True):
    config = config.updated(train={'shard_optimizer': divided})
    again = trainer.train(config, tmp_path / 'True', [BlobSource()])
    jax.tree.map(np.testing.assert_array_equal, *jax.device_get(
        (again, states[True])))
    used = {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(again)}
    assert used == {2}
    specs = {leaf.sharding.spec for leaf in jax.tree.leaves(again.opt_state)}
    assert (specs != {PartitionSpec()}) == divided


def test_only_updates_are_gathered():
  """No activation and no gradient travels because moments are divided."""
  config = tiny_config(train={'shard_optimizer': True})
  step, mesh = trainer.build_step(config), sharding.data_mesh(4)
  state = trainer.abstract_state(config, step, mesh)
  compiled = trainer.jit_step(step, mesh, state, unfrozen=False).lower(
      state, tiny_batch(config)).compile()
  found = re.findall(r' = .*?\[([\d,]*)\].* (all-gather|all-to-all|'
                     r'collective-\w+)(?:-start)?\(', compiled.as_text())
  assert {name for _, name in found} == {'all-gather'}
  shapes = [tuple(map(int, shape.split(','))) for shape, _ in found]
  params = [leaf.shape for leaf in jax.tree.leaves(state.params)]
  assert set(shapes) <= set(params)
  assert sum(map(math.prod, shapes)) <= sum(map(math.prod, params))
