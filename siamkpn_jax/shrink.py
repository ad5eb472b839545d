"""Makes a small copy of a training's data, to carry to another machine.

  python -m siamkpn_jax.shrink --config CONFIG --config.data.root=DIR \
    --megabytes 60 --output small
  python -m siamkpn_jax.train --config CONFIG --config.data.root=small

Every set becomes 511-pixel crops of less quality, and long tracks keep fewer
frames, chosen evenly, until all of it fits. The folders of the cut-outs and
the weights that training starts from are copied, too.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from siamkpn_jax import cli
from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import check_new_folder
from siamkpn_jax.core.errors import UserError

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file, as for training.', lock_config=True)
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Folder to make: the new config.data.root.')
_MEGABYTES = flags.DEFINE_float(
    'megabytes', 60.0, 'Million bytes of all files at most.', lower_bound=0.0)
_QUALITY = flags.DEFINE_integer(
    'quality', 60, 'Of the JPEGs: lower, and more frames fit.', lower_bound=1,
    upper_bound=100)
_REACH = flags.DEFINE_integer(
    'reach', 0, 'Side of the middle of the crops that is kept, pixels; around '
    'it they become flat. 0: all that the augmentation can reach.',
    lower_bound=0, upper_bound=geometry.CONTEXT_SIZE)
_SHARE = flags.DEFINE_float(
    'cutouts', 1.0, 'Share of the pictures that is kept at most, of folders '
    'of images that serve the cut-outs alone.', lower_bound=0.001,
    upper_bound=1.0)

_WEIGHTS = ('weights', 'backbone_weights')  # of config.model


def main(argv: Sequence[str]) -> None:
  """Copies what the configuration names."""
  del argv
  if not _OUTPUT.value:
    raise UserError('--output must not be empty')
  output = Path(_OUTPUT.value)
  check_new_folder(output, '--output')
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.checkpoints.weights import find_checkpoint
  from siamkpn_jax.config.files import typed
  from siamkpn_jax.datasets.shrinking import copy
  from siamkpn_jax.training import trainer
  config = typed(_CONFIG.value)
  config = config.updated(data={'loader': 'threads'})  # all read the same
  extras = {}
  for key in _WEIGHTS:
    if getattr(config.model, key):
      path = find_checkpoint(Path(getattr(config.model, key)))
      extras[key + (path.suffix if path.is_file() else '')] = path
  reach = trainer.build_loader(config, trainer.build_step(config), []).reach
  if 0 < _REACH.value < reach:
    reach = _REACH.value
  material = copy.open_material(
      config.data, reach=reach, quality=_QUALITY.value, share=_SHARE.value)
  rows = copy.make_copy(
      material, output, limit=int(_MEGABYTES.value * copy.MEGABYTE),
      extras=extras)
  print(copy.table(rows, dict(
      zip(config.data.sets, config.data.ratios, strict=True))))
  print(f'quality {_QUALITY.value}; of the crops, the middle {reach} pixels\n'
        f'train with --config.data.root={output}' + ''.join(
            f' --config.model.{name.split(".")[0]}={output / name}'
            for name in extras))


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'output'])
  cli.run(main)
