"""Exports a checkpoint's weights and settings to one small file.

  python -m siamkpn_jax.export --weights runs/kpn3s --output kpn3s.safetensors

Every --weights flag accepts the file. It holds the moving average of the
weights if the checkpoint has one, in float16 where that loses little.
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


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--weights', required=True,
      help='Checkpoint, or the workdir of a run (its newest checkpoint).')
  parser.add_argument(
      '--output', required=True, help=f'File to write: NAME{SUFFIX}.')
  parser.add_argument(
      '--overwrite', action=Switch, default=False,
      help='Replace --output if it exists.')
  parser.add_argument(
      '--tracking', default='',
      help="Override the checkpoint's tracking hyperparameters: "
      'penalty_k=0.1,... (docs/tracking.md).')
  parser.add_argument(
      '--command', default='',
      help='Training command to record in the file.')


def run(args: argparse.Namespace) -> None:
  """Writes the file; see the flags."""
  if not args.weights:
    raise UserError('--weights: empty; expected a checkpoint')
  output = check_output(args.output, '--output', suffixes=(SUFFIX,))
  if output is None:
    raise UserError(f'--output: empty; expected NAME{SUFFIX}')
  if output.exists() and not args.overwrite:
    raise UserError(f'--output {output}: already exists; expected a new file: '
                    'choose another name, or add --overwrite')
  # Late: a mistake in the flags shows before the slow imports of the model.
  from siamkpn_jax.checkpoints.weights import load_model, read_origin
  from siamkpn_jax.checkpoints.weights_file import save_weights_file
  from siamkpn_jax.config.overrides import parse_tracking, with_tracking
  source = Path(args.weights)
  config, variables = load_model(source)
  config = with_tracking(config, parse_tracking(args.tracking))
  info = read_origin(source)
  if args.command:
    info['command'] = args.command
  print(text(save_weights_file(output, portable(config), variables, info)))
  print(f'wrote {output}\ntrack with: python -m siamkpn_jax.track --weights '
        f'{output} ...')


def portable(config: 'Config') -> 'Config':
  """A configuration without the paths of the machine that trained it."""
  return config.updated(
      model={'weights': '', 'backbone_weights': ''}, data={'root': ''},
      validation={'data': '', 'rendered': 0})  # which need a folder


def text(summary: 'Summary') -> str:
  """What was written, for the terminal."""
  return '\n'.join([
      f'size            {summary.size:,} bytes',
      f'parameters      {summary.parameters:,}, plus {summary.statistics:,} '
      'running means and variances',
      f'float16         {summary.halved} of {summary.arrays} arrays',
      f'rounding error  at most {summary.rounding_error:.2e} of the largest '
      'value of a channel'])
