"""Trains SiamKPN.

  python -m siamkpn_jax.train --config configs/kpn3s.py --workdir runs/kpn3s

Single settings can be changed on the command line, for example
--config.train.batch_size=16. A run that was interrupted goes on where it was.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from siamkpn_jax import cli

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file, with an optional argument: '
    'configs/kpn3s.py or configs/kpn3s.py:otb.', lock_config=True)
_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'Folder for checkpoints and logs; default runs/<name>.')
_RESUME = flags.DEFINE_bool(
    'resume', True, 'Go on from the newest checkpoint in the workdir.')


def main(unused_argv: Sequence[str]) -> None:
  """Runs training as the flags say."""
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.config import check_config
  from siamkpn_jax.data import catalog
  from siamkpn_jax.training import trainer

  config = _CONFIG.value
  check_config(config)
  sources = catalog.open_sources(config.data, config.seed)
  print(catalog.describe(sources))
  workdir = Path(_WORKDIR.value or Path('runs') / config.name)
  trainer.train(config, workdir, sources, resume=_RESUME.value)
  print(f'{workdir}: trained; track with --weights {workdir}')


if __name__ == '__main__':
  flags.mark_flag_as_required('config')
  cli.run(main)
