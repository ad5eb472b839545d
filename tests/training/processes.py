"""Starts training in processes of its own, as a user does."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
from orbax.checkpoint import v1 as ocp

from siamkpn_jax.checkpoints.weights import find_checkpoint
from siamkpn_jax.training.metrics import LOG_NAME, read_log

ROOT = Path(__file__).parents[2]

CONFIG = '''
from siamkpn_jax.config.files import config_dict
from tests.training.tiny import tiny_config

def get_config(arg=''):
  """Twenty steps; the backbone is frozen in the first ten.

  With the argument 'validated', two short videos are tracked at the end.
  """
  config = config_dict(tiny_config())
  config.seed = 1  # with 0, rounding grows to a percent within these steps
  config.data.update(sets=('synthetic',), workers=1)
  config.train.update(pairs_per_epoch=40)
  if arg == 'validated':
    config.validation.update(sequences=3, frames=6)
  return config
'''
STEPS = 20


def environment(cache, **variables):
  """Of a process; programs that it compiles are kept in `cache`."""
  kept = {name: value for name, value in os.environ.items()
          if name not in ('SIAMKPN_DATA', 'XLA_FLAGS')}
  return kept | {
      'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu',
      'JAX_DISABLE_MOST_OPTIMIZATIONS': 'true',  # they are slow to compile
      'JAX_COMPILATION_CACHE_DIR': str(cache),
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.5'} | variables


def write_config(folder):
  """The path of a configuration file."""
  path = folder / 'tiny20.py'
  path.write_text(CONFIG)
  return path


def start(*arguments, env, script=('-m', 'siamkpn_jax.train'), inside=()):
  """A process whose output goes to a pipe, stderr with stdout.

  `inside` is a command that starts the one that follows it.
  """
  return subprocess.Popen(
      [*inside, sys.executable, *script, *map(str, arguments)], cwd=ROOT,
      env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def launch(*arguments, env, devices=2):
  """Two processes, by launch/local.py."""
  return start('--processes=2', f'--devices={devices}', *arguments, env=env,
               script=('launch/local.py',))


@contextlib.contextmanager
def pair(arguments, env, each=((), ())):
  """Two processes with two devices each, without a launcher."""
  with socket.create_server(('127.0.0.1', 0)) as server:
    port = server.getsockname()[1]
  env = env | {'JAX_NUM_CPU_DEVICES': '2'}
  processes = [start(
      *arguments, *each[k], f'--coordinator=127.0.0.1:{port}',
      '--num_processes=2', f'--process_id={k}', env=env) for k in range(2)]
  try:
    yield processes
  finally:
    for process in processes:
      process.kill()
      process.communicate()


def children(process):
  """The process ids of what a process has started, the oldest first."""
  path = f'/proc/{process.pid}/task/{process.pid}/children'
  return [int(number) for number in Path(path).read_text().split()]


def wait_for(condition, seconds=120):
  """Until `condition()` is true; an AssertionError when time is over."""
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end, f'not within {seconds} s'
    time.sleep(0.05)


def finish(process, seconds=300):
  """Exit status and output; kills it and fails when time is over."""
  try:
    output, _ = process.communicate(timeout=seconds)
  except subprocess.TimeoutExpired:
    process.kill()
    output, _ = process.communicate()
    raise AssertionError(f'not ended within {seconds} s: {output}') from None
  return process.returncode, output


def log(workdir):
  """Of every step, without what depends on the machine's speed."""
  return [{name: value for name, value in row.items()
           if name not in ('pairs_per_second', 'data_wait')}
          for row in read_log(workdir / LOG_NAME) if 'loss' in row]


def last_state(workdir, step=STEPS):
  """The arrays of the last checkpoint by name, here on one device."""
  path = find_checkpoint(workdir)
  assert path.name == str(step)
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  stored = ocp.checkpointables_metadata(path).metadata
  return by_name(ocp.load_checkpointables(path, jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place),
      {name: stored[name] for name in ('model', 'training')})))


def by_name(tree):
  """Name -> array; tuples and classes have the names that they get on disk."""
  return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
