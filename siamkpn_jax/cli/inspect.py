"""Shows what training would see: a table of the data sets and sample pairs.

  python -m siamkpn_jax.inspect --config configs/kpn3s.py --output pairs.png

The table lists what was found, and what was skipped and why. The image shows
augmented pairs: template, search crop with its box, and label heatmaps.
"""

import argparse

from siamkpn_jax.cli import config_flags, extras
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.atomic_io import check_output


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Training configuration.', required=True)
  parser.add_argument(
      '--output', default='pairs.png',
      help="Image of sample pairs to write, .png or .jpg; '' for none.")
  parser.add_argument(
      '--pairs', type=whole(1), default=16,
      help='Number of pairs in the image.')
  parser.add_argument(
      '--first', type=whole(0), default=0,
      help='Index of the first pair, such as one that training reports for a '
      'skipped step.')


def run(args: argparse.Namespace) -> None:
  """Reads the sets as training would."""
  output = check_output(args.output, '--output', suffixes=('.png', '.jpg'))
  config = config_flags.load(args)
  extras.require('inspect')
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.datasets import catalog
  sources = catalog.open_sources(config.data, config.seed)
  print(catalog.describe(sources))
  if output is not None:
    from siamkpn_jax.training import preview, trainer
    step = trainer.build_step(config)
    loader = trainer.build_loader(config, step, sources)
    preview.save_preview(
        output, step, loader.pairs(args.first, args.pairs))
    print(f'wrote {output}: {args.pairs} pairs')
