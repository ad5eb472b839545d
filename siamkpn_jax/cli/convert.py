r"""Converts PyTorch weights to a checkpoint, or a checkpoint to PyTorch.

  python -m siamkpn_jax.convert --input siamkpn.pth --output weights/kpn3s
  python -m siamkpn_jax.convert --input resnet50.pth --part backbone \
    --output weights/resnet50
  python -m siamkpn_jax.convert --to torch --input runs/kpn3s --output kpn3s.pth

The suffix of a file of weights tells its format.
"""

import argparse
from pathlib import Path

from siamkpn_jax.cli import config_flags, extras
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.cli.paths import existing_weights
from siamkpn_jax.core.atomic_io import check_new_file, check_new_folder
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  from siamkpn_jax.conversion.files import SUFFIXES
  formats = ', '.join(SUFFIXES)
  parser.add_argument(
      '--input', required=True,
      help=f'File of weights ({formats}); with --to torch, a checkpoint.')
  parser.add_argument(
      '--output', required=True,
      help='New folder for the checkpoint; with --to torch, a new file '
      f'({formats}).')
  parser.add_argument(
      '--to', choices=('jax', 'torch'), default='jax',
      help='Format to convert to.')
  parser.add_argument(
      '--part', choices=('network', 'backbone'), default='network',
      help='Part to convert: a whole SiamKPN network, or the backbone of any '
      'SiamRPN++-style tracker or torchvision ResNet-18, 34 or 50.')
  config_flags.add_config_argument(
      parser, 'Configuration whose tracking settings are stored with the '
      'weights, such as configs/kpn3s.py:otb; default: the published VOT2018 '
      'settings for the same number of stages.')


def run(args: argparse.Namespace) -> None:
  """Converts as the flags say."""
  if not (args.input and args.output):
    raise UserError('--input or --output: empty; expected a path for each')
  source, output = Path(args.input), Path(args.output)
  _check(args, source, output)
  # Late: a mistake in the flags shows before the slow imports of the model.
  from siamkpn_jax.conversion import run as conversion
  if args.to == 'torch':
    print(conversion.to_torch(source, output, args.part).text())
    print(f'wrote {output}')
    return
  config = config_flags.load(args) if args.config else None
  print(conversion.to_jax(source, output, args.part, config).text())
  print(f'wrote {output}: checkpoint, {conversion.CONFIG_NAME}, '
        f'{conversion.REPORT_NAME}')
  if args.part == 'network':
    print(f'track with: python -m siamkpn_jax.track --weights {output} ...')
  print('train with: python -m siamkpn_jax.train --config '
        f'{output / conversion.CONFIG_NAME}')


def _check(args: argparse.Namespace, source: Path, output: Path) -> None:
  """What is cheap to know: paths, then packages."""
  from siamkpn_jax.conversion.files import SUFFIXES, TORCH_SUFFIXES
  if args.to == 'torch':
    if args.config:
      raise UserError('--config: not used with --to torch, which takes the '
                      "checkpoint's own; expected only with --to jax: omit it")
    check_new_file(output, '--output', suffixes=SUFFIXES)
    file, checkpoint = output, existing_weights(args.input).is_dir()
  else:
    check_new_folder(output, '--output')
    file, checkpoint = source, source.is_file()
  needed = ['orbax'] * checkpoint
  if file.suffix.lower() in TORCH_SUFFIXES and (file is output or checkpoint):
    needed.append('torch')
  if needed:
    extras.require('convert', *needed)
