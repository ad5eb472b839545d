"""Packs the crops of a data set into records, for clusters and slow disks.

  python -m siamkpn_jax.pack --set data/got10k --output packed
  python -m siamkpn_jax.train --config CONFIG --config.data.root=packed

Writes a TFDS data set in several parts. The same command resumes after an
interruption and rebuilds damaged parts. --beam_pipeline_options runs the job
in Apache Beam, for example runner=FlinkRunner,flink_master=host:8081.
"""

import argparse
import os
from pathlib import Path

from siamkpn_jax.cli import extras
from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.cli.paths import existing_folder, output_folder
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--set', required=True,
      help='Data set folder, laid out as for training (docs/datasets.md).')
  parser.add_argument(
      '--output', required=True,
      help='Folder to create the packed set in, under the same name; may be '
      'any storage that TensorFlow writes to, such as gs://...')
  parser.add_argument(
      '--part_frames', type=whole(1), default=50000,
      help='Frames per part; an interruption loses at most one part.')
  parser.add_argument(
      '--quality', type=whole(1, 100), default=95,
      help='JPEG quality; crop511 files are copied unchanged.')
  parser.add_argument(
      '--verify', action=Switch, default=False,
      help='Check every record of existing parts, but not whether the source '
      'images have changed.')
  parser.add_argument(
      '--beam_pipeline_options', default='',
      help='Options of a Beam pipeline: name=value,...; default: threads on '
      'this machine.')


def run(args: argparse.Namespace) -> None:
  """Packs one set."""
  # TensorFlow tells of its processor features otherwise.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  folder = Path(os.path.abspath(
      existing_folder(args.set, '--set', 'a data set (docs/datasets.md)')))
  if '://' not in args.output:
    output_folder(args.output, '--output')
  extras.require('pack')
  from siamkpn_jax.datasets import catalog
  from siamkpn_jax.datasets.packed_source import PackedSource
  catalog.open_images(folder.name, folder)  # before the slow imports
  try:
    from etils import epath

    from siamkpn_jax.datasets.packing.pack import pack
  except ImportError as error:
    raise UserError(f'packing needs a package that cannot be imported ({error})'
                    ": pip install 'siamkpn_jax[tf]'") from error
  try:
    output = epath.Path(args.output)
  except KeyError as error:
    raise UserError(f'--output {args.output}: unknown storage scheme; expected '
                    'a folder, gs://... or s3://...') from error
  pack(folder, output, part_frames=args.part_frames, quality=args.quality,
       verify=args.verify, beam_options=args.beam_pipeline_options)
  print(catalog.describe([
      PackedSource(folder.name, str(output / folder.name))]))
  print(f'train with --config.data.root={output}')
