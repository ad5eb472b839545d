"""Trains a small tracker on rendered videos and evaluates it on unseen ones.

  python -m siamkpn_jax.train_demo --config configs/demo.py --output runs/demo

Needs no data and no GPU. The same command resumes an interrupted run.
"""

import argparse
import time

from siamkpn_jax.cli import config_flags, extras
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.cli.paths import output_folder


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration to train; configs/demo.py:1 uses seed 1.',
      default='demo')
  parser.add_argument(
      '--output', default='runs/demo', help='Folder for the results.')
  parser.add_argument(
      '--sequences', type=whole(1), default=16,
      help='Number of unseen rendered videos to evaluate on.')


def run(args: argparse.Namespace) -> None:
  """Runs the demo and prints its results."""
  output = output_folder(args.output, '--output')
  config = config_flags.load(args)
  extras.require('train_demo')
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.experiments import train_demo

  start = time.monotonic()
  rows, files = train_demo.run(config, output, args.sequences)
  print(f'\nresults on {args.sequences} unseen rendered videos:')
  print('tracker                success AUC  precision at 20 px  frames/s')
  for name, auc, precision, speed in rows:
    print(f'{name:22s} {auc:11.3f} {precision:19.3f} {speed:9.0f}')
  print(f'\nfinished in {time.monotonic() - start:.0f} s; wrote')
  for path, what in files:
    print(f'  {path}  {what}')
  print('this tracker has seen rendered videos alone; for real ones, the '
        'weights in the package\nare far better (siamkpn weights)')
  print('to track a video with it all the same:\n'
        '  python -m siamkpn_jax.track VIDEO '
        f'--box X,Y,W,H --weights {output}/training --output out.mp4')
