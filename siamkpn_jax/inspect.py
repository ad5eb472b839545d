"""Shows what training would see: a table of the sets, a picture of pairs.

  python -m siamkpn_jax.inspect --config configs/kpn3s.py --output pairs.png

The table tells what was found and what was left out, and why. The picture shows
augmented pairs: template, search crop with its box, label heatmaps.
"""

from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from siamkpn_jax import cli
from siamkpn_jax.core.atomic_io import check_output

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file, as for training.', lock_config=True)
_OUTPUT = flags.DEFINE_string(
    'output', 'pairs.png', 'Picture of sampled pairs to write, .png or .jpg; '
    "'' for none.")
_PAIRS = flags.DEFINE_integer(
    'pairs', 16, 'How many pairs it shows.', lower_bound=1)
_FIRST = flags.DEFINE_integer(
    'first', 0, 'Number of the first of them: training names the pairs of a '
    'step that it skips.', lower_bound=0)


def main(argv: Sequence[str]) -> None:
  """Reads the sets as training would."""
  del argv
  output = check_output(_OUTPUT.value, '--output', suffixes=('.png', '.jpg'))
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.config.files import typed
  from siamkpn_jax.datasets import catalog
  config = typed(_CONFIG.value)
  sources = catalog.open_sources(config.data, config.seed)
  print(catalog.describe(sources))
  if output is not None:
    from siamkpn_jax.training import preview, trainer
    step = trainer.build_step(config)
    loader = trainer.build_loader(config, step, sources)
    preview.save_preview(
        output, step, loader.pairs(_FIRST.value, _PAIRS.value))
    print(f'wrote {output}: {_PAIRS.value} pairs')


if __name__ == '__main__':
  flags.mark_flag_as_required('config')
  cli.run(main)
