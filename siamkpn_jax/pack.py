"""Packs a training set: its crops as records, for clusters and slow disks.

  python -m siamkpn_jax.pack --set data/got10k --output packed
  python -m siamkpn_jax.train --config CONFIG --config.data.root=packed

The output is a TFDS data set in parts. The same command goes on after an
interruption and makes damaged parts anew. --beam_pipeline_options makes the
crops in a Beam pipeline, for example runner=FlinkRunner,flink_master=host:8081.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from siamkpn_jax import cli
from siamkpn_jax.core.errors import UserError

_SET = flags.DEFINE_string(
    'set', None, 'Folder of the set, as for training (docs/datasets.md).',
    required=True)
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Folder that gets a folder of the same name; may be '
    'storage that TensorFlow writes to, as gs://...', required=True)
_PART_FRAMES = flags.DEFINE_integer(
    'part_frames', 50_000, 'Frames in a part; an interruption loses one part '
    'at most.', lower_bound=1)
_QUALITY = flags.DEFINE_integer(
    'quality', 95, 'Of the JPEGs; crop511 files are kept as they are.',
    lower_bound=1, upper_bound=100)
_VERIFY = flags.DEFINE_bool(
    'verify', False, 'Check every record of the parts that are there; not '
    'whether the images have changed since.')
_BEAM = flags.DEFINE_string(
    'beam_pipeline_options', '', 'name=value,... of a Beam pipeline; empty: '
    'threads of this machine.')


def main(argv: Sequence[str]) -> None:
  """Packs one set."""
  del argv
  # TensorFlow tells of its processor features otherwise.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  from siamkpn_jax.datasets import catalog
  from siamkpn_jax.datasets.packed_source import PackedSource
  folder = Path(os.path.abspath(_SET.value))
  catalog.open_images(folder.name, folder)  # before the slow imports
  try:
    from etils import epath

    from siamkpn_jax.datasets.packing.pack import pack
  except ImportError as error:
    raise UserError(f'packing needs a package that cannot be imported ({error})'
                    "; expected: pip install '.[train]'") from error
  try:
    output = epath.Path(_OUTPUT.value)
  except KeyError as error:
    raise UserError(f'--output {_OUTPUT.value}: unknown kind of storage; '
                    'expected a folder, gs://... or s3://...') from error
  pack(folder, output, part_frames=_PART_FRAMES.value, quality=_QUALITY.value,
       verify=_VERIFY.value, beam_options=_BEAM.value)
  print(catalog.describe([
      PackedSource(folder.name, str(output / folder.name))]))
  print(f'train with --config.data.root={output}')


if __name__ == '__main__':
  cli.run(main)
