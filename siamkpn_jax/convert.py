"""Converts PyTorch weights to a checkpoint, and back.

python -m siamkpn_jax.convert --input siamkpn.pth --output weights/kpn3s
python -m siamkpn_jax.convert --input resnet50.pth --part backbone
--output weights/resnet50
python -m siamkpn_jax.convert --to torch --input runs/kpn3s --output kpn3s.pth
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from siamkpn_jax import cli
from siamkpn_jax.core.errors import UserError

_INPUT = flags.DEFINE_string(
    'input', None, 'Weights: .pth, .safetensors or .npz; with --to torch a '
    'checkpoint.')
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Folder to make for the checkpoint; with --to torch a file '
    'to write: .pth, .safetensors or .npz.')
_TO = flags.DEFINE_enum('to', 'jax', ['jax', 'torch'], 'Direction.')
_PART = flags.DEFINE_enum(
    'part', 'network', ['network', 'backbone'],
    'What to convert: a whole SiamKPN, or the backbone of any tracker of the '
    'SiamRPN++ family or of torchvision (ResNet-18, 34, 50).')
_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration whose tracking settings go with the '
    'weights, as configs/kpn3s.py:otb; default: the published VOT2018 settings '
    'for as many stages.', lock_config=True)


def main(argv: Sequence[str]) -> None:
  """Converts as the flags say."""
  del argv
  if not (_INPUT.value and _OUTPUT.value):
    raise UserError('--input and --output must not be empty')
  source, output = Path(_INPUT.value), Path(_OUTPUT.value)
  # Late: a mistake in the flags shows before the slow imports of the model.
  from siamkpn_jax.config.files import typed
  from siamkpn_jax.conversion import run
  if _TO.value == 'torch':
    if _CONFIG.value is not None:
      raise UserError('--config: a checkpoint has its own; expected only with '
                      '--to jax: leave it out')
    print(run.to_torch(source, output, _PART.value).text())
    print(f'wrote {output}')
    return
  config = None if _CONFIG.value is None else typed(_CONFIG.value)
  print(run.to_jax(source, output, _PART.value, config).text())
  print(f'wrote {output}: checkpoint, {run.CONFIG_NAME}, {run.REPORT_NAME}')
  if _PART.value == 'network':
    print(f'track: python -m siamkpn_jax.track --weights {output} ...')
  print('train: python -m siamkpn_jax.train --config '
        f'{output / run.CONFIG_NAME}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['input', 'output'])
  cli.run(main)
