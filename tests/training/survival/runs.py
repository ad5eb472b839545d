"""Runs that keep all their checkpoints, and what they are compared by.

Kills and full disks are those of the operating system, on processes that are
started as a user starts them.
"""

import shutil

import jax
import numpy as np

from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.config.files import typed
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training import trainer
from siamkpn_jax.training.state import from_items, to_items
from tests.training.processes import (
  CONFIG,
  by_name,
  finish,
  last_state,
  log,
  start,
  write_config,
)

EVERY = 2  # steps between two saves
MIDDLE = 12  # of the STEPS, where some runs go on; the backbone trains since 10


def command(workdir, *changes):
  """Arguments of a run that keeps all its checkpoints."""
  workdir.mkdir(exist_ok=True)
  return (f'--config={write_config(workdir)}', f'--workdir={workdir}',
          f'--config.train.save_every={EVERY}',
          '--config.train.keep_checkpoints=100', *changes)


def whole_run(folder, env, *changes):
  """The workdir of a run that nothing has stopped."""
  code, output = finish(start(*command(folder, *changes), env=env))
  assert code == 0, output
  return folder


def steps(workdir):
  """The whole checkpoints."""
  return sorted(int(p.name) for p in (workdir / 'checkpoints').glob('*')
                if p.name.isdigit())


def log_steps(workdir):
  return [row['step'] for row in log(workdir)]


def half_written(workdir):
  """Orbax's folders of unfinished saves."""
  return list((workdir / 'checkpoints').glob('*.orbax-checkpoint-tmp*'))


def stopped_at(step, run, copy):
  """A copy of a run as it was right after a step."""
  shutil.copytree(run, copy)
  for later in steps(copy):
    if later > step:
      shutil.rmtree(copy / 'checkpoints' / str(later))
  return copy


def goes_on(workdir, env, step, expected, *changes):
  """Runs to the end from a step; the result is the expected run's."""
  code, output = finish(start(*command(workdir, *changes), env=env))
  assert code == 0, output
  assert (f'resuming {workdir} at step {step}\n' in output) == (step > 0), (
      output)
  assert_quiet(output)
  assert log(workdir) == log(expected)
  assert_equal(last_state(workdir), last_state(expected))
  return output


def restored(workdir, *, devices, shard_optimizer):
  """What a run on so many devices starts with."""
  config = tiny_run()
  config = config.updated(train={'shard_optimizer': shard_optimizer})
  mesh = jax.make_mesh(
      (devices,), ('data',), devices=jax.devices()[:devices],
      axis_types=(jax.sharding.AxisType.Auto,))
  abstract = trainer.abstract_state(config, trainer.build_step(config), mesh)
  with Checkpoints(workdir, config, keep=100) as checkpoints:
    state = from_items(checkpoints.restore(to_items(abstract)))
  assert sharding.placement(state) == sharding.placement(abstract)
  return state


def tiny_run():
  """The configuration of these runs."""
  scope = {}
  exec(CONFIG, scope)
  return typed(scope['get_config']())


def saved_arrays(state):
  """As `last_state` has them."""
  return by_name({
      'model': state.variables,
      'training': {'step': state.step, 'skipped': state.skipped,
                   'opt_state': state.opt_state}})


def assert_equal(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_quiet(output):
  """Nothing but what the program itself says."""
  for word in ('Traceback', 'Exception', 'exception', 'absl', 'asyncio'):
    assert word not in output, output
