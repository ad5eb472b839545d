"""Finds the configured training sets."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from siamkpn_jax.config.settings import DataConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.cutouts import CutoutSource, open_library
from siamkpn_jax.datasets.file_cache import FileCache
from siamkpn_jax.datasets.formats import LAYOUTS
from siamkpn_jax.datasets.image_source import ImageSource
from siamkpn_jax.datasets.index import load_index
from siamkpn_jax.datasets.packed_source import (
  PackedSource,
  is_packed,
  is_unfinished,
)
from siamkpn_jax.datasets.source import Source
from siamkpn_jax.datasets.synthetic import SyntheticSource, split_seed

ROOT_VARIABLE = 'SIAMKPN_DATA'
WITHOUT_DOWNLOAD = (
    'python -m siamkpn_jax.train --config configs/kpn3s.py:synthetic')


def open_sources(config: DataConfig, seed: int) -> list[Source]:
  """The sources that `config.data` names.

  Args:
    config: a `config.data`. 'synthetic' is rendered on the fly, and 'cutouts'
      from the folders `config.cutouts`; any other set is a folder of that name.
      Folders are below `config.root`, or, if that is empty, below $SIAMKPN_DATA
      or ./data: images as their owners ship them, crop511 crops (see
      datasets/formats), or packed. `config.root` may also be the address of
      packed sets in object storage, as gs://bucket/sets.
    seed: of the synthetic videos and of the scenes of cut-outs.

  Raises:
    UserError: names every set that is missing and where it was looked for; or
      a set has no usable frame.
  """
  root = data_root(config)
  if '://' in root:  # storage holds packed sets only
    if 'cutouts' in config.sets:
      raise UserError(f'config.data.root is {root}; expected a local folder, '
                      "as the set 'cutouts' needs")
    return [SyntheticSource(split_seed('train', seed))
            if name == 'synthetic' else
            PackedSource(name, f'{root.rstrip("/")}/{name}')
            for name in config.sets]
  return _open_local(config.sets, Path(root), config.cutouts, seed,
                     FileCache(config.cache_mb * 2**20))


def data_root(config: DataConfig) -> str:
  """The folder of a `config.data`'s sets, or their address."""
  return config.root or os.environ.get(ROOT_VARIABLE, 'data')


def _open_local(names: Sequence[str], root: Path, cutouts: Sequence[str],
                seed: int, cache: FileCache) -> list[Source]:
  kinds = {name: find_kind(name, root / name) for name in names
           if name not in ('synthetic', 'cutouts')}
  for name in kinds:
    if is_unfinished(root / name):
      raise UserError(f'{root / name}: packing is not finished: run python -m '
                      'siamkpn_jax.pack again to resume it')
  missing = [name for name, kind in kinds.items() if not kind]
  if missing:
    looked = ', '.join(f'{name} ({root / name})' for name in missing)
    raise UserError(
        f'data sets not found: {looked}; expected their original layout, or '
        'crop511 (docs/datasets.md): set the folder that holds them with '
        f'--config.data.root=DIR or {ROOT_VARIABLE}=DIR, or train without any '
        f'download: {WITHOUT_DOWNLOAD}')

  def open_one(name: str) -> Source:
    if name == 'synthetic':
      return SyntheticSource(split_seed('train', seed))
    if name == 'cutouts':
      return CutoutSource(split_seed('train', seed), open_library(
          [root / folder for folder in cutouts]))
    if kinds[name] == 'packed':
      return PackedSource(name, str(root / name))
    return open_images(name, root / name, cache, kinds[name])

  return [open_one(name) for name in names]


def find_kind(name: str, folder: Path) -> str:
  """How a set lies in its folder: 'packed', a layout's name, '' if it is none.

  Packed sets and crops are looked for first, then the layout that the set is
  named after, 'folder' last: a set named folder, or folder_..., is read as
  one's own data whatever it looks like.
  """
  if is_packed(folder):
    return 'packed'
  if not folder.is_dir():
    return ''
  for kind in sorted(LAYOUTS, key=lambda kind: (
      kind != 'crop511', not name.startswith(kind), kind == 'folder')):
    if LAYOUTS[kind].annotations(folder):
      return kind
  return ''


def open_images(name: str, folder: Path, cache: FileCache | None = None,
                kind: str | None = None) -> ImageSource:
  """The set of this name in a folder, in any layout of image files.

  Args:
    name: of the set.
    folder: of the set.
    cache: reads its files; None for one that keeps nothing.
    kind: what `find_kind` has found; None to look.

  Raises:
    UserError: there is none.
  """
  if kind is None:
    kind = find_kind(name, folder)
  if kind not in LAYOUTS:
    raise UserError(f'{folder}: {"already packed" if kind else "no data set"}; '
                    'expected images in their original layout, or crop511 '
                    '(docs/datasets.md)')
  index, dropped = load_index(name, folder, LAYOUTS[kind])
  return ImageSource(name, kind, folder, index, dropped, cache)


def describe(sources: Sequence[Source]) -> str:
  """A table of what was found and what was left out."""
  rows = [f'{"set":14}  {"layout":12}  {"tracks":>9}  {"frames":>11}  skipped']
  for source in sources:
    reasons = [f'{reason} {count:,} (first: {source.dropped.examples[reason]})'
               for reason, count in source.dropped.counts.items()]
    rows.append(f'{source.name:14}  {source.kind:12}  {source.num_tracks:9,}  '
                f'{source.total_frames:11,}  {(reasons or ["nothing"])[0]}')
    rows += [' ' * 54 + reason for reason in reasons[1:]]
  return '\n'.join(rows)


def fingerprint(sources: Sequence[Source]) -> list[str]:
  """A line 'name: ...' for each source, which differs if its tracks do.

  From the numbers of tracks and frames, and from a sample of the tracks: how
  many frames they have and, of a few, how large the target is. Reads a few
  images of each source.
  """
  return [f'{source.name}: {source.kind}, {source.num_tracks:,} tracks, '
          f'{source.total_frames:,} frames, sample {_sample(source)}'
          for source in sources]


def _sample(source: Source) -> str:
  """A digest of evenly spaced tracks."""
  digest = hashlib.sha256()
  spaced = lambda count: np.unique(np.linspace(
      0, source.num_tracks - 1, count, dtype=int)).tolist()
  for track in spaced(1000):
    digest.update(f'{source.num_frames(track)} '.encode())
  for track in spaced(8):
    try:
      _, wh = source.read(track, source.num_frames(track) // 2, 1)
    except UserError:  # training replaces it, on every host
      wh = np.zeros(2)
    digest.update(f'{wh[0]:.2f} {wh[1]:.2f} '.encode())
  return digest.hexdigest()[:8]
