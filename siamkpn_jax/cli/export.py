"""Writes a checkpoint's weights and settings as one small file, to track with.

  python -m siamkpn_jax.export --weights runs/kpn3s --output kpn3s.safetensors

The moving averages, where a checkpoint has them. Floats become float16 where
that loses little. What takes --weights takes the file, too.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from siamkpn_jax.checkpoints.packaged import SUFFIX
from siamkpn_jax.cli.parser import Parser, Switch
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError

if TYPE_CHECKING:
  from siamkpn_jax.checkpoints.weights_file import Summary
  from siamkpn_jax.config.settings import Config

# Settings that name places of the machine that trained.


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--weights', required=True,
      help="Checkpoint, or a run's workdir, whose newest is taken.")
  parser.add_argument(
      '--output', required=True, help=f'File to write, NAME{SUFFIX}.')
  parser.add_argument(
      '--overwrite', action=Switch, default=False,
      help='Replace --output if it is there.')
  parser.add_argument(
      '--tracking', default='',
      help="Other settings than the checkpoint's: penalty_k=0.1,... "
      '(docs/tracking.md).')
  parser.add_argument(
      '--command', default='',
      help='The command of the training, to be kept in the file.')


def run(args: argparse.Namespace) -> None:
  """Writes the file; see the flags."""
  if not args.weights:
    raise UserError('--weights must not be empty')
  output = check_output(args.output, '--output', suffixes=(SUFFIX,))
  if output is None:
    raise UserError('--output must not be empty')
  if output.exists() and not args.overwrite:
    raise UserError(f'--output {output}: exists already; expected the name of '
                    'a new file: give another, or --overwrite')
  # Late: a mistake in the flags shows before the slow imports of the model.
  from siamkpn_jax.checkpoints.weights import load_model, read_origin
  from siamkpn_jax.checkpoints.weights_file import save_weights_file
  from siamkpn_jax.config.overrides import with_tracking
  source = Path(args.weights)
  config, variables = load_model(source)
  config = with_tracking(config, args.tracking)
  info = read_origin(source)
  if args.command:
    info['command'] = args.command
  print(text(save_weights_file(output, portable(config), variables, info)))
  print(f'wrote {output}\ntrack: python -m siamkpn_jax.track --weights {output}'
        ' ...')


def portable(config: 'Config') -> 'Config':
  """A configuration without the places of the machine that trained."""
  return config.updated(
      model={'weights': '', 'backbone_weights': ''}, data={'root': ''},
      validation={'data': '', 'rendered': 0})  # which need a folder


def text(summary: 'Summary') -> str:
  """What was written, for the terminal."""
  return '\n'.join([
      f'size            {summary.size:,} bytes',
      f'parameters      {summary.parameters:,}, and {summary.statistics:,} '
      'running means and variances',
      f'float16         {summary.halved} of {summary.arrays} arrays',
      f'rounding error  {summary.rounding_error:.2e} at most, relative to the '
      'largest value of a channel'])
