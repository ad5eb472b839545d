r"""Converts PyTorch weights to a checkpoint, and back.

  python -m siamkpn_jax.convert --input siamkpn.pth --output weights/kpn3s
  python -m siamkpn_jax.convert --input resnet50.pth --part backbone \
    --output weights/resnet50
  python -m siamkpn_jax.convert --to torch --input runs/kpn3s --output kpn3s.pth

The file may be of any tool: .pth, .safetensors or .npz.
"""

import argparse
from pathlib import Path

from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--input', required=True,
      help='Weights: .pth, .safetensors or .npz; with --to torch a checkpoint.')
  parser.add_argument(
      '--output', required=True,
      help='Folder to make for the checkpoint; with --to torch a file to '
      'write: .pth, .safetensors or .npz.')
  parser.add_argument(
      '--to', choices=('jax', 'torch'), default='jax', help='Direction.')
  parser.add_argument(
      '--part', choices=('network', 'backbone'), default='network',
      help='What to convert: a whole SiamKPN, or the backbone of any tracker '
      'of the SiamRPN++ family or of torchvision (ResNet-18, 34, 50).')
  config_flags.add_config_argument(
      parser, 'Configuration whose tracking settings go with the weights, as '
      'configs/kpn3s.py:otb; default: the published VOT2018 settings for as '
      'many stages.')


def run(args: argparse.Namespace) -> None:
  """Converts as the flags say."""
  if not (args.input and args.output):
    raise UserError('--input and --output must not be empty')
  source, output = Path(args.input), Path(args.output)
  # Late: a mistake in the flags shows before the slow imports of the model.
  from siamkpn_jax.conversion import run as conversion
  if args.to == 'torch':
    if args.config:
      raise UserError('--config: a checkpoint has its own; expected only with '
                      '--to jax: leave it out')
    print(conversion.to_torch(source, output, args.part).text())
    print(f'wrote {output}')
    return
  config = config_flags.load(args) if args.config else None
  print(conversion.to_jax(source, output, args.part, config).text())
  print(f'wrote {output}: checkpoint, {conversion.CONFIG_NAME}, '
        f'{conversion.REPORT_NAME}')
  if args.part == 'network':
    print(f'track: python -m siamkpn_jax.track --weights {output} ...')
  print('train: python -m siamkpn_jax.train --config '
        f'{output / conversion.CONFIG_NAME}')
