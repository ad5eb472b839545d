"""Trains a compact tracker on rendered videos and shows that it tracks.

  python -m siamkpn_jax.demo --config configs/demo.py --output runs/demo

Needs no data and no GPU. Started again, it goes on where it was.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from siamkpn_jax import cli

_CONFIG = config_flags.DEFINE_config_file(
    'config', str(Path(__file__).parents[1] / 'configs' / 'demo.py'),
    'Configuration file; configs/demo.py:1 trains with seed 1.',
    lock_config=True)
_OUTPUT = flags.DEFINE_string('output', 'runs/demo', 'Folder for the results.')
_SEQUENCES = flags.DEFINE_integer(
    'sequences', 16, 'Number of unseen videos to evaluate on.', lower_bound=1)


def main(unused_argv: Sequence[str]) -> None:
  """Runs the demonstration and prints what came out."""
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.config.files import typed
  from siamkpn_jax.experiments import demo

  start = time.monotonic()
  output = Path(_OUTPUT.value)
  rows, files = demo.run(typed(_CONFIG.value), output, _SEQUENCES.value)
  print(f'\non {_SEQUENCES.value} unseen rendered videos:')
  print('tracker                success AUC  precision at 20 px  frames/s')
  for name, auc, precision, speed in rows:
    print(f'{name:22s} {auc:11.3f} {precision:19.3f} {speed:9.0f}')
  print(f'\n{time.monotonic() - start:.0f} s in all; look at')
  for path, what in files:
    print(f'  {path}  {what}')
  print('track a video of yours:\n  python -m siamkpn_jax.track --input VIDEO '
        f'--box X,Y,W,H --weights {output}/training --output out.mp4')


if __name__ == '__main__':
  cli.run(main)
