"""What a training step sends between accelerators.

  python -m perf.communication --config configs/kpn3s.py

Counts the parameters that train, and compiles the step for two virtual CPU
devices to list the all-reduces that XLA puts into it; their sizes depend
neither on the batch nor on the number of devices. Nothing is run. About four
minutes and 5 GB of memory for the paper's model.
"""

import argparse
import collections
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import jax

from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.config.settings import Config
from siamkpn_jax.datasets import catalog
from siamkpn_jax.distributed import sharding
from siamkpn_jax.models.siamkpn import init_variables
from siamkpn_jax.training import trainer
from siamkpn_jax.training.optimizer import param_groups
from siamkpn_jax.training.state import init_state


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration file.', default='kpn3s')


_ACCELERATORS = (8, 64, 512)
_FLOAT = 4  # bytes
_ALL_REDUCE = re.compile(r' = (.*?) all-reduce(?:-start)?\(')
_OTHERS = re.compile(r' (all-gather|reduce-scatter|all-to-all|'
                     r'collective-permute)(-start)?\(')
_ARRAY = re.compile(r'f32\[([\d,]*)\]')


def run(args: argparse.Namespace) -> None:
  """Prints parameters, all-reduces, and bytes over each accelerator's link."""
  jax.config.update('jax_platforms', 'cpu')
  jax.config.update('jax_num_cpu_devices', 2)
  jax.config.update('jax_disable_most_optimizations', True)
  config = config_flags.load(args).updated(
      data={'sets': ('synthetic',), 'ratios': (1.0,), 'ranges': (30,)},
      train={'batch_size': 2})
  step_fn = trainer.build_step(config)
  state = jax.eval_shape(lambda: init_state(
      init_variables(step_fn.model, 0), step_fn.optimizer))
  groups = param_groups(state.params, step_fn.backbone_layers)
  sizes: collections.Counter[str] = collections.Counter()
  for leaf, group in zip(jax.tree.leaves(state.params),
                         jax.tree.leaves(groups), strict=True):
    sizes[group] += leaf.size
  print('parameters:', ', '.join(f'{group} {size:,}' for group, size in
                                 sorted(sizes.items())))
  for unfrozen in (False, True):
    trained = sizes['head'] + unfrozen * sizes['backbone']
    print('\nbackbone', 'trains:' if unfrozen else 'frozen:',
          f'{trained:,} parameters train, {_FLOAT * trained / 1e6:.1f} MB')
    for n in _ACCELERATORS:
      print(f'  {n:3} accelerators, ring: '
            f'{2 * (n - 1) / n * _FLOAT * trained / 1e6:.1f} MB sent by each')
    _report(_compiled(config, step_fn, state, unfrozen))


def _compiled(config: Config, step_fn: Any, state: Any, unfrozen: bool) -> str:
  """The step for two devices, as optimized HLO."""
  loader = trainer.build_loader(
      config, step_fn, catalog.open_sources(config.data, 0))
  batch = loader.pairs(0, 2)
  mesh = sharding.data_mesh(2)
  jitted = jax.jit(
      lambda state, batch: step_fn(state, batch, unfrozen=unfrozen),
      in_shardings=(sharding.replicated(mesh), sharding.by_batch(mesh)),
      out_shardings=sharding.replicated(mesh))
  return jitted.lower(state, batch).compile().as_text() or ''


def _report(hlo: str) -> None:
  """Prints what the all-reduces hold: matrices are gradients of weights.

  Vectors are means and variances of batch normalization, their gradients, and
  gradients of scales and biases.
  """
  lines = hlo.splitlines()
  if any(_OTHERS.search(line) for line in lines):
    raise ValueError('collectives of other kinds: count them too')
  reduced = [match[1] for match in map(_ALL_REDUCE.search, lines) if match]
  shapes = [shape for text in reduced for shape in _shapes(text)]
  weights = sum(math.prod(shape) for shape in shapes if len(shape) > 1)
  vectors = sum(math.prod(shape) for shape in shapes if len(shape) <= 1)
  print(f'  compiled for 2 CPU devices: {len(reduced)} all-reduces; '
        f'{_FLOAT * weights / 1e6:.1f} MB of gradients of weights, '
        f'{_FLOAT * vectors / 1e6:.2f} MB of vectors')


def _shapes(text: str) -> Iterator[tuple[int, ...]]:
  for match in _ARRAY.finditer(re.sub(r'/\*.*?\*/', '', text)):
    yield tuple(int(size) for size in match[1].split(',') if size)


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.communication'))
