"""Packs a training set: its crops as records, for clusters and slow disks.

  python -m siamkpn_jax.pack --set data/got10k --output packed
  python -m siamkpn_jax.train --config CONFIG --config.data.root=packed

The output is a TFDS data set in parts. The same command goes on after an
interruption and makes damaged parts anew. --beam_pipeline_options makes the
crops in a Beam pipeline, for example runner=FlinkRunner,flink_master=host:8081.
"""

import argparse
import os
from pathlib import Path

from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--set', required=True,
      help='Folder of the set, as for training (docs/datasets.md).')
  parser.add_argument(
      '--output', required=True,
      help='Folder that gets a folder of the same name; may be storage that '
      'TensorFlow writes to, as gs://...')
  parser.add_argument(
      '--part_frames', type=whole(1), default=50000,
      help='Frames in a part; an interruption loses one part at most.')
  parser.add_argument(
      '--quality', type=whole(1, 100), default=95,
      help='Of the JPEGs; crop511 files are kept as they are.')
  parser.add_argument(
      '--verify', action=Switch, default=False,
      help='Check every record of the parts that are there; not whether the '
      'images have changed since.')
  parser.add_argument(
      '--beam_pipeline_options', default='',
      help='name=value,... of a Beam pipeline; empty: threads of this machine.')


def run(args: argparse.Namespace) -> None:
  """Packs one set."""
  # TensorFlow tells of its processor features otherwise.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  from siamkpn_jax.datasets import catalog
  from siamkpn_jax.datasets.packed_source import PackedSource
  folder = Path(os.path.abspath(args.set))
  catalog.open_images(folder.name, folder)  # before the slow imports
  try:
    from etils import epath

    from siamkpn_jax.datasets.packing.pack import pack
  except ImportError as error:
    raise UserError(f'packing needs a package that cannot be imported ({error})'
                    "; expected: pip install 'siamkpn_jax[tf]'") from error
  try:
    output = epath.Path(args.output)
  except KeyError as error:
    raise UserError(f'--output {args.output}: unknown kind of storage; '
                    'expected a folder, gs://... or s3://...') from error
  pack(folder, output, part_frames=args.part_frames, quality=args.quality,
       verify=args.verify, beam_options=args.beam_pipeline_options)
  print(catalog.describe([
      PackedSource(folder.name, str(output / folder.name))]))
  print(f'train with --config.data.root={output}')
