"""A run goes on with more devices than it began with, or fewer."""

import jax
import numpy as np
import pytest

from tests.training.processes import finish, last_state, log, start
from tests.training.survival.runs import (
    MIDDLE,
    assert_equal,
    command,
    restored,
    saved_arrays,
    stopped_at,
    whole_run,
)

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

SHARDED = '--config.train.shard_optimizer=True'


def divided(state):
  """How many arrays lie in parts on the devices."""
  return sum(not x.sharding.is_fully_replicated for x in jax.tree.leaves(state))


def test_restored_on_more_devices(uninterrupted, tmp_path):
  """Bit for bit, in parts or whole."""
  run = stopped_at(MIDDLE, uninterrupted, tmp_path / 'run')
  expected = last_state(run, MIDDLE)
  whole = restored(run, devices=4, shard_optimizer=False)
  parts = restored(run, devices=4, shard_optimizer=True)
  assert divided(whole) == 0 < divided(parts)
  for state in (whole, parts):
    assert int(state.step) == MIDDLE
    assert_equal(jax.device_get(saved_arrays(state)), expected)


def test_goes_on_with_other_devices(uninterrupted, tmp_path, env):
  """One device, then four; four that divide the optimizer's state, then one.

  The losses differ by rounding only: sums over the batch are made in another
  order, from one float32 step to the next. `test_two_processes_equal_one`
  allows as much for whole runs.
  """
  four, parts = env | {'JAX_NUM_CPU_DEVICES': '4'}, SHARDED
  divided_run = whole_run(tmp_path / 'divided', four, parts)
  state = restored(stopped_at(MIDDLE, divided_run, tmp_path / 'cut'),
                   devices=1, shard_optimizer=False)
  assert_equal(jax.device_get(saved_arrays(state)),
               last_state(tmp_path / 'cut', MIDDLE))
  for run, other, changes in ((uninterrupted, four, (parts,)),
                              (divided_run, env, ())):
    copy = stopped_at(MIDDLE, run, tmp_path / f'{run.name}_goes_on')
    code, output = finish(start(*command(copy, *changes), env=other))
    assert code == 0, output
    assert f'resuming {copy} at step {MIDDLE}\n' in output
    a, b = log(copy), log(run)
    assert a[:MIDDLE] == b[:MIDDLE]
    assert a[MIDDLE:] != b[MIDDLE:], 'the devices were the same'
    np.testing.assert_allclose([row['loss'] for row in a],
                               [row['loss'] for row in b], rtol=5e-6)
