"""Trains SiamKPN.

  python -m siamkpn_jax.train --config configs/kpn3s.py --workdir runs/kpn3s

Single settings can be changed on the command line, for example
--config.train.batch_size=16. A run that was interrupted goes on where it was.
On several hosts: launch/README.md.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from siamkpn_jax import cli

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file, with an optional argument: '
    'configs/kpn3s.py or configs/kpn3s.py:otb.', lock_config=True)
_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'Folder for checkpoints and logs; default runs/<name>. '
    'All hosts share it.')
_RESUME = flags.DEFINE_bool(
    'resume', True, 'Go on from the newest checkpoint in the workdir.')
_PROFILE = flags.DEFINE_integer(
    'profile', 0, 'Trace so many steps, after the first ten, for TensorBoard '
    'and Perfetto: <workdir>/profile.', lower_bound=0)
_DISTRIBUTED = flags.DEFINE_enum(
    'distributed', 'auto', ['auto', 'on', 'off'], 'Train together with other '
    'processes: auto if SLURM, Open MPI, GKE or an Indexed Job of Kubernetes '
    'has started several; on: JAX finds out, as on TPU VMs.')
_COORDINATOR = flags.DEFINE_string(
    'coordinator', None, 'host:port of process 0, the same for all processes, '
    'where they are started by hand.')
_NUM_PROCESSES = flags.DEFINE_integer(
    'num_processes', None, 'How many, with --coordinator.')
_PROCESS_ID = flags.DEFINE_integer(
    'process_id', None, 'Which one this is, from 0, with --coordinator.')
_START_TIMEOUT = flags.DEFINE_integer(
    'start_timeout', 300, 'Seconds until all processes must have come.',
    lower_bound=1)
_SILENCE_TIMEOUT = flags.DEFINE_integer(
    'silence_timeout', 100, 'Seconds after which a process that is not heard '
    'of counts as dead, and all others end.', lower_bound=1)
_STOPPED_EXIT_CODE = flags.DEFINE_integer(
    'stopped_exit_code', 0, 'Exit status after SIGTERM, when the state is '
    'saved; something else than 0 tells a scheduler to start the run again.',
    lower_bound=0, upper_bound=125)


def main(unused_argv: Sequence[str]) -> None:
  """Runs training as the flags say."""
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.config.settings import check_config
  from siamkpn_jax.distributed import initialize, multihost, preemption

  check_config(_CONFIG.value)
  try:
    with initialize.joined(
        _DISTRIBUTED.value, _COORDINATOR.value, _NUM_PROCESSES.value,
        _PROCESS_ID.value, start_timeout=_START_TIMEOUT.value,
        silence_timeout=_SILENCE_TIMEOUT.value):
      _train(_CONFIG.value)
  except preemption.Preempted as stopped:
    multihost.log_main(str(stopped))
    if stopped.interrupted:
      raise
    sys.exit(_STOPPED_EXIT_CODE.value)


def _train(config: Any) -> None:
  """Opens the data, tells what it found, trains."""
  from siamkpn_jax.datasets import catalog
  from siamkpn_jax.distributed import multihost
  from siamkpn_jax.training import metrics, trainer

  sources = multihost.run_on_all_hosts(
      lambda: catalog.open_sources(config.data, config.seed))
  multihost.check_same_run(config, sources)
  if multihost.is_main_host():
    print(catalog.describe(sources))
  workdir = Path(_WORKDIR.value or Path('runs') / config.name)
  trainer.train(config, workdir, sources, resume=_RESUME.value,
                profile=_PROFILE.value)
  if multihost.is_main_host():
    print(f'{workdir}: trained; track with --weights {workdir}')
    best = metrics.best_validation(metrics.read_log(workdir / metrics.LOG_NAME))
    if best is not None:
      print('best in validation: success AUC {1:.3f}, --weights {2}/{0}'.format(
          *best, workdir / 'checkpoints'))


if __name__ == '__main__':
  flags.mark_flag_as_required('config')
  cli.run(main)
