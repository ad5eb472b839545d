"""Memory of a training step: what the compiler reserves, without running it.

  python -m perf.memory --config configs/kpn3s.py --config.train.batch_size=8 \
    --change train.remat=blocks --change train.accumulate=4,train.remat=blocks

The first row is the configuration as it is, then comes a row for each --change:
settings, separated by commas. The numbers are MiB of one device: 'state' is
what the training keeps, 'temporary' what a step needs beside it and the batch.
Each row is compiled, which takes minutes for a large network.

Compilers differ, so a CPU's numbers are not those of an accelerator. To compile
for a TPU that need not be there: pip install libtpu, and --tpu=v5p:2x2x1 or
another topology, of which --devices chips share the batch.
"""

import argparse
import sys

import jax
from jax.experimental import topologies

from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.config.overrides import with_changes
from siamkpn_jax.config.settings import Config
from siamkpn_jax.training import throughput, trainer


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration file.', required=True)
  parser.add_argument(
      '--change', action='append', default=[],
      help='Settings of another row: section.name=value,...')
  parser.add_argument(
      '--devices', type=whole(1), default=1, help='How many share the batch.')
  parser.add_argument(
      '--tpu', default='', help='Topology of the TPU to compile for.')
  parser.add_argument(
      '--frozen', action=Switch, default=False,
      help='The step of the first epochs, whose backbone is frozen.')


def run(args: argparse.Namespace) -> None:
  """Prints the table."""
  mesh = _mesh(args)
  print(f'{"":44} {"state":>10} {"temporary":>10}  MiB on each of {mesh.size} '
        f'{mesh.devices[0].device_kind}')
  baseline = config_flags.load(args)
  for settings in ['', *args.change]:
    config = with_changes(baseline, settings)
    memory = _compile(config, mesh, args).memory_analysis()
    sizes = (memory.alias_size_in_bytes, memory.temp_size_in_bytes)
    print(f'{settings or baseline.name:44}',
          *(f'{size / 2**20:10.0f}' for size in sizes), flush=True)


def _mesh(args: argparse.Namespace) -> jax.sharding.Mesh:
  if args.tpu:
    devices = topologies.get_topology_desc(args.tpu, platform='tpu').devices
  else:
    jax.config.update('jax_num_cpu_devices', args.devices)
    devices = jax.devices()
  return jax.make_mesh(
      (args.devices,), ('data',), devices=devices[:args.devices],
      axis_types=(jax.sharding.AxisType.Auto,))


def _compile(config: Config, mesh: jax.sharding.Mesh,
             args: argparse.Namespace) -> jax.stages.Compiled:
  """The training step of a configuration."""
  step = trainer.build_step(config)
  state = trainer.abstract_state(config, step, mesh)
  batch = throughput.abstract_batch(step, config.train.batch_size)
  return trainer.jit_step(
      step, mesh, state, unfrozen=not args.frozen).lower(
          state, batch).compile()


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.memory'))
