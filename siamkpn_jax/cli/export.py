"""Exports a checkpoint's weights and settings for this or another program.

  python -m siamkpn_jax.export --weights runs/kpn3s --output kpn3s.safetensors
  python -m siamkpn_jax.export --weights kpn3s_nano --format onnx --output nano

It takes the moving average of the weights if the checkpoint has one. Every
--weights flag accepts a .safetensors file, in float16 where that loses little.
The other formats are a folder of two programs that need no siamkpn_jax, of a
template and of an update (docs/export.md).
"""

import argparse

from siamkpn_jax.checkpoints.packaged import SUFFIX
from siamkpn_jax.cli.parser import Parser, Switch
from siamkpn_jax.cli.tracker_flags import add_tracking_argument
from siamkpn_jax.core.announce import announced
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import target_lock
from siamkpn_jax.tracking.export.formats import (
  BATCHES,
  FORMATS,
  PRECISIONS,
  check_target,
)


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--weights', required=True,
      help='Checkpoint, the workdir of a run (its newest checkpoint), or the '
      'name of a packaged model.')
  parser.add_argument(
      '--format', choices=FORMATS, default=FORMATS[0],
      help='safetensors: one file for this program; onnx: for ONNX Runtime; '
      'stablehlo: for JAX without this package.')
  parser.add_argument(
      '--precision', choices=PRECISIONS, default=PRECISIONS[0],
      help='With --format onnx. float16: weights of half the size; int8: a '
      'smaller and faster update, with other boxes (docs/deploy.md).')
  parser.add_argument(
      '--batch', choices=BATCHES, default=BATCHES[0],
      help='With --format onnx: targets that the programs take at once. 1: '
      'fixed sizes, and a faster update.')
  parser.add_argument(
      '--output', required=True,
      help=f'File to write, NAME{SUFFIX}; for other formats a new folder.')
  parser.add_argument(
      '--overwrite', action=Switch, default=False,
      help='Replace --output if it exists; a file alone.')
  add_tracking_argument(parser)
  parser.add_argument(
      '--command', default='',
      help='Training command to record in the export.')


def run(args: argparse.Namespace) -> None:
  """Exports as the flags say; the cheap checks come before the weights."""
  if not args.weights:
    raise UserError('--weights: empty; expected a checkpoint')
  output = check_target(args.output, args.format, overwrite=args.overwrite,
                        precision=args.precision, batch=args.batch)
  # Late: a mistake in the flags shows before the slow imports of the model.
  from siamkpn_jax.config.overrides import parse_tracking
  from siamkpn_jax.tracking.export.run import export
  with target_lock(output, '--output'), announced('exporting'):
    done = export(args.weights, output, args.format, overwrite=args.overwrite,
                  tracking=parse_tracking(args.tracking), command=args.command,
                  precision=args.precision, batch=args.batch)
  print(done)
  print(f'wrote {output}')
  if args.format == 'safetensors':
    print(f'track with: python -m siamkpn_jax.track --weights {output} ...')
