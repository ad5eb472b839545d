"""Trains SiamKPN.

  python -m siamkpn_jax.train --config configs/kpn3s.py --workdir runs/kpn3s

Override single settings on the command line, for example
--config.train.batch_size=16. The same command resumes an interrupted run.
For several hosts, see launch/README.md.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from siamkpn_jax.cli import config_flags, extras
from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.cli.paths import check_filled, output_folder
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import stays_inside

if TYPE_CHECKING:
  from siamkpn_jax.config.settings import Config


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Training configuration with an optional argument: '
      'configs/kpn3s.py or configs/kpn3s.py:otb.', required=True)
  parser.add_argument(
      '--workdir',
      help='Folder for checkpoints and logs, shared by all hosts; default: '
      'runs/<name>.')
  parser.add_argument(
      '--resume', action=Switch, default=True,
      help='Resume from the newest checkpoint in the workdir.')
  parser.add_argument(
      '--profile', type=whole(0), default=0,
      help='Number of steps to trace, after the first ten, to '
      '<workdir>/profile for TensorBoard and Perfetto.')
  parser.add_argument(
      '--distributed', choices=('auto', 'on', 'off'), default='auto',
      help='Train with several processes: auto, if SLURM, Open MPI, GKE or a '
      'Kubernetes Indexed Job started them; on, to let JAX detect the cluster, '
      'as on TPU VMs.')
  parser.add_argument(
      '--coordinator',
      help='host:port of process 0, the same for all processes, when they are '
      'started by hand.')
  parser.add_argument(
      '--num_processes', type=whole(),
      help='Number of processes, with --coordinator.')
  parser.add_argument(
      '--process_id', type=whole(),
      help='Index of this process, from 0, with --coordinator.')
  parser.add_argument(
      '--start_timeout', type=whole(1), default=300,
      help='Seconds to wait for all processes to join.')
  parser.add_argument(
      '--silence_timeout', type=whole(1), default=40,
      help='Seconds of silence after which a process counts as dead and all '
      'others stop.')
  parser.add_argument(
      '--stopped_exit_code', type=whole(0, 125), default=0,
      help='Exit status after SIGTERM, once the state is saved; a nonzero one '
      'tells a scheduler to restart the run.')


def run(args: argparse.Namespace) -> int:
  """Runs training as the flags say."""
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.distributed import initialize, multihost, preemption

  check_filled(args.workdir, '--workdir')
  config = config_flags.load(args)
  if not (args.workdir or stays_inside(config.name)):
    raise UserError(f'config.name {config.name!r}: leads out of the folder '
                    'runs/; expected the name of a folder in it: rename it, '
                    'or choose a --workdir')
  workdir = output_folder(
      args.workdir or str(Path('runs') / config.name), '--workdir')
  try:
    with initialize.joined(
        args.distributed, args.coordinator, args.num_processes,
        args.process_id, start_timeout=args.start_timeout,
        silence_timeout=args.silence_timeout):
      _train(config, workdir, args)
  except preemption.Preempted as stopped:
    if stopped.interrupted:
      raise
    multihost.log_main(str(stopped))
    return args.stopped_exit_code
  return 0


def _train(config: 'Config', workdir: Path,
           args: argparse.Namespace) -> None:
  """Opens the data, lists what it found, and trains."""
  extras.require('train')
  from siamkpn_jax.datasets import catalog
  from siamkpn_jax.distributed import multihost
  from siamkpn_jax.training import metrics, trainer
  from siamkpn_jax.training.consistency import check_hosts_agree

  sources = multihost.run_on_all_hosts(
      lambda: catalog.open_sources(config.data, config.seed))
  check_hosts_agree(config, sources)
  if multihost.is_main_host():
    print(catalog.describe(sources))
  trainer.train(config, workdir, sources, resume=args.resume,
                profile=args.profile)
  if multihost.is_main_host():
    print(f'{workdir}: training finished; track with --weights {workdir}')
    best = metrics.best_validation(metrics.read_log(workdir / metrics.LOG_NAME))
    if best is not None:
      print('best validation: success AUC {1:.3f}, --weights {2}/{0}'.format(
          *best, workdir / 'checkpoints'))
