"""Trains a compact tracker on rendered videos and shows that it tracks.

  python -m siamkpn_jax.demo --config configs/demo.py --output runs/demo

Needs no data and no GPU. Started again, it goes on where it was.
"""

import argparse
import time
from pathlib import Path

from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.parser import Parser, whole


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration file; configs/demo.py:1 trains with seed 1.',
      default='demo')
  parser.add_argument(
      '--output', default='runs/demo', help='Folder for the results.')
  parser.add_argument(
      '--sequences', type=whole(1), default=16,
      help='Number of unseen videos to evaluate on.')


def run(args: argparse.Namespace) -> None:
  """Runs the demonstration and prints what came out."""
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.experiments import demo

  start = time.monotonic()
  output = Path(args.output)
  rows, files = demo.run(config_flags.load(args), output, args.sequences)
  print(f'\non {args.sequences} unseen rendered videos:')
  print('tracker                success AUC  precision at 20 px  frames/s')
  for name, auc, precision, speed in rows:
    print(f'{name:22s} {auc:11.3f} {precision:19.3f} {speed:9.0f}')
  print(f'\n{time.monotonic() - start:.0f} s in all; look at')
  for path, what in files:
    print(f'  {path}  {what}')
  print('track a video of yours:\n  python -m siamkpn_jax.track --input VIDEO '
        f'--box X,Y,W,H --weights {output}/training --output out.mp4')
