"""Finds the configured training sets."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from siamkpn_jax.data.sampler import SamplerConfig
from siamkpn_jax.data.source import Source
from siamkpn_jax.data.sources.crop511 import ANNOTATIONS, Crop511Source
from siamkpn_jax.data.sources.synthetic import SyntheticSource, split_seed
from siamkpn_jax.errors import UserError

ROOT_VARIABLE = 'SIAMKPN_DATA'
WITHOUT_DOWNLOAD = (
    'python -m siamkpn_jax.train --config configs/kpn3s.py:synthetic')


def open_sources(config: Any, seed: int) -> list[Source]:
  """The sources that `config.data` names.

  Args:
    config: a `config.data`. 'synthetic' is rendered on the fly; any other set
      is a crop511 folder of that name below `config.root`, or, if that is
      empty, below $SIAMKPN_DATA or ./data.
    seed: of the synthetic videos.

  Raises:
    UserError: names every set that is missing and where it was looked for.
  """
  root = Path(config.root or os.environ.get(ROOT_VARIABLE, 'data'))
  folders = {name: root / name for name in config.sets if name != 'synthetic'}
  _require(folders)
  return [Crop511Source(name, folders[name]) if name in folders
          else SyntheticSource(split_seed('train', seed))
          for name in config.sets]


def _require(folders: dict[str, Path]) -> None:
  missing = {name: folder / ANNOTATIONS for name, folder in folders.items()
             if not (folder / ANNOTATIONS).is_file()}
  if missing:
    looked = ', '.join(f'{name} ({path})' for name, path in missing.items())
    raise UserError(
        f'training sets not found: {looked}; expected there the annotations '
        'of crop511 folders. Point at the folder that holds the sets with '
        f'--config.data.root=DIR or {ROOT_VARIABLE}=DIR, or train without any '
        f'download: {WITHOUT_DOWNLOAD}')


def sampler_config(config: Any) -> SamplerConfig:
  """The `SamplerConfig` of a `config.data`."""
  ratios: Sequence[float] = config.ratios
  return SamplerConfig(tuple(ratios), tuple(config.ranges),
                       config.negative_fraction, config.grey_fraction)
