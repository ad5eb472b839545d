"""Time of a training step, beside the same step in PyTorch.

  pip install torch
  python -m perf.train_step --config configs/demo.py

Three ways take turns in one run, --steps steps at a time: our step with
everything, from the patches that the host reads (augmentation and labels are
part of it); our step from ready crops and labels; PyTorch's (eager mode, see
perf/torch_step.py) from the same. A step is forward, losses, backward,
clipping, Adam and, with train.ema_decay, the moving average of all weights and
statistics, in PyTorch too. All start from the same weights; the losses of the
first step are printed and must agree, or nothing is timed. JAX and PyTorch get
the same number of threads.

Without PyTorch, on an accelerator, or where the PyTorch step does not have a
setting, only ours are timed, on one device. With --profile DIR nothing is
timed: a trace of --steps steps is written and its largest costs are printed.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from perf import costs, prepared, turns
from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training import throughput, trainer
from siamkpn_jax.training.step import TrainStep


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration file.', required=True)
  parser.add_argument(
      '--frozen', action=Switch, default=False,
      help='The step of the first epochs, whose backbone is frozen.')
  turns.add_flags(parser, rounds=10)
  parser.add_argument(
      '--steps', type=whole(1), default=3, help='Steps in a turn.')
  parser.add_argument(
      '--profile', default='', help='Folder for a trace.')
  parser.add_argument(
      '--top', type=whole(), default=20, help='Costs that are printed.')


_PATCHES, _CROPS = 'ours, from patches', 'ours, from crops'
_PYTORCH = 'PyTorch, from crops'
_LOSSES = ('loss', 'heatmap', 'offsets', 'size')
_TOLERANCE = 1e-3  # of the losses of the first step, relative

# A step: what it returns need not be computed yet.
Way = Callable[[], Any]


def run(args: argparse.Namespace) -> None:
  """Builds the ways and prints what was asked for."""
  threads = turns.use_threads(args.threads)
  config = config_flags.load(args)
  mesh = jax.make_mesh((1,), ('data',), devices=jax.devices()[:1],
                       axis_types=(jax.sharding.AxisType.Auto,))
  device = jax.devices()[0]
  print(f'{config.name}, {config.train.batch_size} pairs, backbone '
        f'{"frozen" if args.frozen else "trains"}; {device.device_kind}, '
        f'{threads} threads; JAX {jax.__version__}', flush=True)
  step = trainer.build_step(config)
  state = trainer.fresh_state(config, step, mesh)
  batch = sharding.put_batch(prepared.rendered_batch(config, step), mesh)
  if args.profile:
    _print_profile(prepared.Steps(step, state, batch, mesh,
                                  unfrozen=not args.frozen), args)
    return
  reason = _why_alone(config)
  ways: dict[str, Way] = {_PATCHES: prepared.Steps(
      step, state, batch, mesh, unfrozen=not args.frozen)}
  if config.train.accumulate == 1:
    crops = jax.jit(step.prepare)(batch)
    ways[_CROPS] = prepared.Steps(
        prepared.from_crops(step), state, crops, mesh,
        unfrozen=not args.frozen)
    if not reason:
      ways[_PYTORCH] = _pytorch(config, step, state, crops, threads, args)
  _first_steps(ways)
  if reason:
    print(f'not compared with PyTorch: {reason}')
  flops = throughput.step_flops(step, state, config.train.batch_size,
                                unfrozen=not args.frozen)
  _print_times(turns.take_turns(
      {name: lambda way=way: turns.timed(way, args.steps)
       for name, way in ways.items()}, args.rounds), flops,
               config.train.batch_size)


def _why_alone(config: Config) -> str:
  """Why PyTorch is left out; '' if it is not."""
  if jax.default_backend() != 'cpu':
    return 'that is done on CPUs'
  if not importlib.util.find_spec('torch'):
    return 'it is not installed (pip install torch)'
  from perf import torch_step
  unknown = torch_step.find_unknown(config)
  return unknown and f'its step has config.{unknown} in the default only'


def _pytorch(config: Config, step: TrainStep, state: Any, crops: Any,
             threads: int, args: argparse.Namespace) -> Way:
  """PyTorch's step on the same crops, from the same weights."""
  import torch

  from perf import torch_step
  torch.set_num_threads(threads)
  print(f'PyTorch {torch.__version__}, {torch.get_num_threads()} threads')
  peer = torch_step.build(config, step.model, state.variables)
  if not args.frozen:
    peer.unfreeze()
  inputs = torch_step.tensors(*crops)
  count = 1 + args.rounds * args.steps
  rates = iter([float(step.learning_rate(k)) for k in range(count)])
  return lambda: peer.step(*inputs, next(rates))


def _first_steps(ways: dict[str, Way]) -> None:
  """Runs every way once and prints the seconds, and the losses.

  Raises:
    UserError: they differ.
  """
  print(f'\n{"first step":20}    seconds', *(f'{n:>10}' for n in _LOSSES))
  losses = {}
  for name, way in ways.items():
    start = time.perf_counter()
    values = jax.block_until_ready(way())
    seconds = time.perf_counter() - start
    if isinstance(way, prepared.Steps):
      seconds += way.compile_seconds
    losses[name] = np.array([float(values[key]) for key in _LOSSES])
    print(f'{name:20} {seconds:10.2f}',
          *(f'{value:10.5g}' for value in losses[name]), flush=True)
  print('(seconds: of ours mainly compiling)')
  for name, values in losses.items():
    if not np.allclose(values, losses[_PATCHES], rtol=_TOLERANCE, atol=0):
      raise UserError(
          f'the losses of {name} are not those of {_PATCHES} up to '
          f'{_TOLERANCE:g}; expected the same step: nothing is timed')


def _print_times(seconds: dict[str, list[float]],
                 flops: float | None, batch_size: int) -> None:
  """Medians, what follows from them, and ratios."""
  peak = throughput.peak_flops(jax.devices()[0].device_kind)
  print(f'\n{"medians":20}    ms/step    pairs/s    GFLOP/s       MFU')
  for name, values in seconds.items():
    median = float(np.median(values))
    rate = flops / median if flops else None
    print(f'{name:20} {1e3 * median:10.1f} '
          f'{batch_size / median:10.2f} '
          f'{f"{rate / 1e9:10.1f}" if rate else "-":>10} '
          f'{f"{rate / peak:.3f}" if rate and peak else "-":>9}')
  for a, b in ((_PYTORCH, _CROPS), (_PYTORCH, _PATCHES), (_PATCHES, _CROPS)):
    if a in seconds and b in seconds:
      print(f'time, {a} / {b}: {turns.ratio(seconds[a], seconds[b])}')


def _print_profile(ours: prepared.Steps, args: argparse.Namespace) -> None:
  """Writes a trace of a few steps and prints where the time went."""
  ours()
  folder = Path(args.profile)
  found = costs.profile(folder, lambda: turns.timed(ours, args.steps))
  print(f'{folder}: {args.steps} steps')
  print('\n'.join(costs.table(found, ours.program, args.top)))


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.train_step'))
