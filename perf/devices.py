"""A training step on 1, 2, 4, 8 virtual devices of one CPU.

  python -m perf.devices --config configs/demo.py

The batch stays the same and is divided. The devices share the cores, so this
shows what dividing costs, not what more devices gain. Each number of devices
has a process of its own; they take turns, --steps steps at a time, and the
others wait meanwhile. Memory is what the compiler reserves on each device, as
in perf/memory.py: the state, and what a step needs beside it and the batch.
"""

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import jax
import numpy as np

from perf import prepared, turns
from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch, names, whole
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training import trainer


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration file.', required=True)
  parser.add_argument(
      '--frozen', action=Switch, default=False,
      help='The step of the first epochs, whose backbone is frozen.')
  parser.add_argument(
      '--devices', type=names, default=('1', '2', '4', '8'),
      help='Numbers of devices, one per row.')
  turns.add_flags(parser, rounds=10)
  parser.add_argument(
      '--steps', type=whole(1), default=3, help='Steps in a turn.')


def run(args: argparse.Namespace) -> None:
  """Starts the processes, lets them take turns and prints the table."""
  threads = turns.use_threads(args.threads)  # the processes inherit it
  config = config_flags.load(args)
  counts = _counts(config, args)
  pools = {str(count): ProcessPoolExecutor(
      1, multiprocessing.get_context('spawn')) for count in counts}
  memory = {name: pool.submit(_start, config, int(name), not args.frozen
                              ).result() for name, pool in pools.items()}
  seconds = turns.take_turns(
      {name: lambda pool=pool: pool.submit(_turn, args.steps).result()
       for name, pool in pools.items()}, args.rounds)
  for pool in pools.values():
    pool.shutdown()
  first = str(counts[0])
  print(f'{config.name}, {config.train.batch_size} pairs, backbone '
        f'{"frozen" if args.frozen else "trains"}; {threads} threads; '
        f'medians of {args.rounds} turns of {args.steps} steps')
  print(f'devices  pairs on each  state MiB  temporary MiB     ms/step  '
        f'time / that of {first}')
  for name, values in seconds.items():
    print(f'{name:>7} {config.train.batch_size // int(name):14d} '
          f'{memory[name].state:10.0f} {memory[name].temporary:14.0f} '
          f'{1e3 * np.median(values):11.1f}  '
          f'{turns.ratio(values, seconds[first])}')


def _counts(config: Config, args: argparse.Namespace) -> list[int]:
  """--devices as numbers; they must divide the batch."""
  try:
    counts = [int(text) for text in args.devices]
  except ValueError:
    counts = [0]
  parts = config.train.accumulate
  if min(counts) < 1 or any(
      config.train.batch_size % (count * parts) for count in counts):
    raise UserError(
        f'--devices {",".join(args.devices)}: expected numbers by which '
        f'config.train.batch_size {config.train.batch_size} can be divided'
        f'{f", {parts} times each (config.train.accumulate)" * (parts > 1)}')
  return counts


class _Memory(NamedTuple):
  """MiB on each device."""

  state: float
  temporary: float


_steps: list[prepared.Steps] = []  # of a process, that of its devices


def _start(config: Config, count: int, unfrozen: bool) -> _Memory:
  """Compiles the step for so many devices, and runs it once."""
  jax.config.update('jax_platforms', 'cpu')
  jax.config.update('jax_num_cpu_devices', count)
  mesh = sharding.data_mesh(config.train.batch_size, config.train.accumulate)
  step = trainer.build_step(config)
  batch = sharding.put_batch(prepared.rendered_batch(config, step), mesh)
  _steps.append(prepared.Steps(
      step, trainer.fresh_state(config, step, mesh), batch, mesh,
      unfrozen=unfrozen))
  _turn(1)
  sizes = _steps[0].program.memory_analysis()
  return _Memory(sizes.alias_size_in_bytes / 2**20,
                 sizes.temp_size_in_bytes / 2**20)


def _turn(steps: int) -> float:
  """Seconds per step."""
  return turns.timed(_steps[0], steps)


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.devices'))
