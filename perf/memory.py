"""Memory of a training step: what the compiler reserves, without running it.

  python perf/memory.py --config configs/kpn3s.py --config.train.batch_size=8 \
    --change train.remat=blocks --change train.accumulate=4,train.remat=blocks

The first row is the configuration as it is, then comes a row for each --change:
settings, separated by commas. The numbers are MiB of one device: 'state' is
what the training keeps, 'temporary' what a step needs beside it and the batch.
Each row is compiled, which takes minutes for a large network.

Compilers differ, so a CPU's numbers are not those of an accelerator. To compile
for a TPU that need not be there: pip install libtpu, and --tpu=v5p:2x2x1 or
another topology, of which --devices chips share the batch.
"""

from collections.abc import Sequence

import jax
from absl import flags
from jax.experimental import topologies
from ml_collections import config_flags

from siamkpn_jax import cli
from siamkpn_jax.config.files import typed
from siamkpn_jax.config.overrides import with_changes
from siamkpn_jax.config.settings import Config
from siamkpn_jax.training import throughput, trainer

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file.', lock_config=True)
_CHANGE = flags.DEFINE_multi_string(
    'change', [], 'Settings of another row: section.name=value,...')
_DEVICES = flags.DEFINE_integer('devices', 1, 'How many share the batch.')
_TPU = flags.DEFINE_string('tpu', '', 'Topology of the TPU to compile for.')
_FROZEN = flags.DEFINE_bool(
    'frozen', False, 'The step of the first epochs, whose backbone is frozen.')


def main(unused_argv: Sequence[str]) -> None:
  """Prints the table."""
  mesh = _mesh()
  print(f'{"":44} {"state":>10} {"temporary":>10}  MiB on each of {mesh.size} '
        f'{mesh.devices[0].device_kind}')
  given = typed(_CONFIG.value)
  for settings in ['', *_CHANGE.value]:
    config = with_changes(given, settings)
    memory = _compile(config, mesh).memory_analysis()
    sizes = (memory.alias_size_in_bytes, memory.temp_size_in_bytes)
    print(f'{settings or given.name:44}',
          *(f'{size / 2**20:10.0f}' for size in sizes), flush=True)


def _mesh() -> jax.sharding.Mesh:
  if _TPU.value:
    devices = topologies.get_topology_desc(_TPU.value, platform='tpu').devices
  else:
    jax.config.update('jax_num_cpu_devices', _DEVICES.value)
    devices = jax.devices()
  return jax.make_mesh(
      (_DEVICES.value,), ('data',), devices=devices[:_DEVICES.value],
      axis_types=(jax.sharding.AxisType.Auto,))


def _compile(config: Config,
             mesh: jax.sharding.Mesh) -> jax.stages.Compiled:
  """The training step of a configuration."""
  step = trainer.build_step(config)
  state = trainer.abstract_state(config, step, mesh)
  batch = throughput.abstract_batch(step, config.train.batch_size)
  return trainer.jit_step(
      step, mesh, state, unfrozen=not _FROZEN.value).lower(
          state, batch).compile()


if __name__ == '__main__':
  flags.mark_flag_as_required('config')
  cli.run(main)
