"""Packs a training set: its crops as records, for clusters and slow disks.

  python -m siamkpn_jax.prepare --set data/got10k --output packed
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
from siamkpn_jax.errors import UserError

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
    'verify', False, 'Check every record of the parts that are there.')
_BEAM = flags.DEFINE_string(
    'beam_pipeline_options', '', 'name=value,... of a Beam pipeline; empty: '
    'threads of this machine.')


def main(argv: Sequence[str]) -> None:
  """Packs one set."""
  del argv
  # TensorFlow tells of its processor features otherwise.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  try:
    from etils import epath

    from siamkpn_jax.data.packing.pack import pack
  except ImportError as error:
    raise UserError(f'packing needs {error.name}, which is not installed; '
                    "expected: pip install '.[train]'") from error
  output = epath.Path(_OUTPUT.value)
  index = pack(Path(_SET.value), output, part_frames=_PART_FRAMES.value,
               quality=_QUALITY.value, verify=_VERIFY.value,
               beam_options=_BEAM.value)
  print(f'{output / Path(_SET.value).absolute().name}: {len(index.wh):,} crops '
        f'of {len(index.starts) - 1:,} tracks in {len(index.files):,} files; '
        f'train with --config.data.root={output}')


if __name__ == '__main__':
  cli.run(main)
