r"""Makes a small copy of the training data, to move to another machine.

  python -m siamkpn_jax.shrink --config CONFIG --config.data.root=DIR \
    --megabytes 60 --output small
  python -m siamkpn_jax.train --config CONFIG --config.data.root=small

Stores every data set as 511-pixel crops of lower JPEG quality, and thins long
tracks evenly until everything fits. Cut-out folders and the weights that
training starts from are copied as well.
"""

import argparse
from pathlib import Path

from siamkpn_jax.cli import config_flags, extras
from siamkpn_jax.cli.parser import Parser, real, whole
from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import check_new_folder
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import target_lock

_WEIGHTS = ('weights', 'backbone_weights')  # of config.model


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Training configuration.', required=True)
  parser.add_argument(
      '--output', required=True,
      help='New folder for the copy, to be used as config.data.root.')
  parser.add_argument(
      '--megabytes', type=real(0.0), default=60.0,
      help='Size limit of the whole copy, in millions of bytes.')
  parser.add_argument(
      '--quality', type=whole(1, 100), default=60,
      help='JPEG quality; with a lower one more frames fit.')
  parser.add_argument(
      '--reach', type=whole(0, geometry.CONTEXT_SIZE), default=0,
      help='Side of the central square of each crop to keep, pixels; the rest '
      'is filled with a flat color. 0: everything that augmentation can reach.'
      )
  parser.add_argument(
      '--cutouts', type=real(0.001, 1.0), default=1.0,
      help='Largest share of images to keep in folders used only for '
      'cut-outs.')


def run(args: argparse.Namespace) -> None:
  """Copies what the configuration names."""
  if not args.output:
    raise UserError('--output: empty; expected a new folder')
  output = Path(args.output)
  check_new_folder(output, '--output')
  config = config_flags.load(args)
  extras.require('shrink')
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.checkpoints.weights import find_checkpoint
  from siamkpn_jax.datasets.shrinking import copy
  from siamkpn_jax.training import trainer
  config = config.updated(data={'loader': 'threads'})  # all read the same
  copied = {}
  for key in _WEIGHTS:
    if getattr(config.model, key):
      path = find_checkpoint(Path(getattr(config.model, key)))
      copied[key + (path.suffix if path.is_file() else '')] = path
  reach = trainer.build_loader(config, trainer.build_step(config), []).reach
  if 0 < args.reach < reach:
    reach = args.reach
  material = copy.open_material(
      config.data, reach=reach, quality=args.quality, share=args.cutouts)
  with target_lock(output, '--output'):
    rows = copy.make_copy(
        material, output, limit=int(args.megabytes * copy.MEGABYTE),
        extras=copied)
  print(copy.table(rows, dict(
      zip(config.data.sets, config.data.ratios, strict=True))))
  print(f'JPEG quality {args.quality}; kept the central {reach} pixels of each '
        'crop\n'
        f'train with --config.data.root={output}' + ''.join(
            f' --config.model.{name.split(".")[0]}={output / name}'
            for name in copied))
