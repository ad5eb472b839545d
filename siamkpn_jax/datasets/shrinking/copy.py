"""Writes a small copy, whole or not at all."""

import dataclasses
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2

from siamkpn_jax.config.settings import DataConfig
from siamkpn_jax.core.atomic_io import atomic_folder
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.formats import crop511
from siamkpn_jax.datasets.shrinking import fitting
from siamkpn_jax.datasets.shrinking.crops import crops
from siamkpn_jax.datasets.shrinking.material import Material
from siamkpn_jax.datasets.shrinking.pictures import pictures

MEGABYTE = 10**6
_MADE_AHEAD = 64  # frames for each core


@dataclasses.dataclass(frozen=True)
class Row:
  """What became of a folder: numbers before, and after.

  Attributes:
    name: of the folder.
    kind: of its layout, before.
    tracks: with a frame.
    frames: of all tracks.
    size: bytes.
  """

  name: str
  kind: str
  tracks: tuple[int, int]
  frames: tuple[int, int]
  size: tuple[int, int]


def open_material(config: DataConfig, *, reach: int, quality: int,
                  share: float = 1.0) -> list[Material]:
  """Every folder that a `config.data` reads, each once.

  Training reads a central patch of side `reach`. Of the pictures that serve the
  cut-outs alone, at most a share is kept.

  Raises:
    UserError: a folder is missing, or holds nothing that can be copied.
  """
  address = catalog.data_root(config)
  if '://' in address:
    raise UserError(f'config.data.root is {address}; expected a local folder: '
                    'copy the images from where they were packed')
  root = Path(address)
  made = []
  for name in dict.fromkeys((*config.sets, *config.cutouts)):
    if name in ('synthetic', 'cutouts') and name in config.sets:
      continue
    folder = root / name  # below root, or its copy would lie on the original
    if name in config.sets or crop511.annotations(folder):
      made.append(crops(name, folder, reach=reach, quality=quality))
    else:
      made.append(pictures(name, folder, quality=quality, share=share))
  return made


def make_copy(material: Sequence[Material], output: Path, *, limit: int,
              extras: Mapping[str, Path]) -> list[Row]:
  """Writes a new root of folders, with as many frames as fit.

  Args:
    material: the folders.
    output: the new root of them.
    limit: bytes of all files.
    extras: other files and folders that are copied as they are, by the name
      that they get.

  Returns:
    A row for each folder, and for each of the others.

  Raises:
    UserError: it does not fit, or cannot be written.
  """
  cv2.setNumThreads(1)  # the pool's threads are as many as the cores
  with atomic_folder(output) as home:
    for name, path in extras.items():
      copy = shutil.copytree if path.is_dir() else shutil.copy
      copy(path, home / name)
    sizes = {name: _size(home / name) for name in extras}
    room = limit - sum(sizes.values())
    with ThreadPoolExecutor(cores()) as pool:
      copies = [_Copy(one, home / one.name, pool) for one in material]
      found = fitting.largest(
          lambda most: _fits(copies, most, room),
          max((max(one.lengths) for one in material), default=1))
    if found is None:
      raise UserError(
          f'the copy does not fit into {limit / MEGABYTE:g} MB; expected space '
          'for a few frames of each set: raise --megabytes or lower --quality')
    return [copy.finish(found) for copy in copies] + [
        Row(name, 'unchanged', (0, 0), (0, 0), (size, size))
        for name, size in sizes.items()]


def _size(path: Path) -> int:
  """Bytes of a file, or of all files below a folder."""
  return sum(file.stat().st_size for file in (path, *path.rglob('*'))
             if file.is_file())


def _fits(copies: Iterable['_Copy'], most: float, room: int) -> bool:
  for copy in copies:
    room -= copy.size(most, room)
    if room < 0:
      return False
  return True


class _Copy:
  """The copy of one folder, which has frames too many until it is finished.

  A frame is written when it is needed first, so that sizes are true ones and
  nothing is encoded twice.
  """

  def __init__(self, material: Material, home: Path, pool: ThreadPoolExecutor):
    self._material, self._home, self._pool = material, home, pool
    # By (track, frame): bytes, files and entry of those that are written.
    self._made: dict[tuple[int, int], tuple[int, list[str], Any]] = {}

  def size(self, most: float, room: int) -> int:
    """Bytes of the folder; some number above `room` if it is more."""
    wanted = self._wanted(most)
    size, step = 0, _MADE_AHEAD * cores()
    for start in range(0, len(wanted), step):
      part = wanted[start:start + step]
      new = [key for key in part if key not in self._made]
      self._made |= dict(zip(new, self._pool.map(self._make, new),
                             strict=True))
      size += sum(self._made[key][0] for key in part)
      if size > room:
        return size
    return size + sum(map(len, self._listing(wanted).values()))

  def finish(self, most: float) -> Row:
    """Removes what is too many, and writes the list of the rest."""
    chosen = [key for key in self._wanted(most) if self._made[key][1]]
    keep = {name for key in chosen for name in self._made[key][1]}
    for _, names, _ in self._made.values():
      for name in set(names) - keep:
        (self._home / name).unlink()
    for folder in sorted(self._home.rglob('*'), reverse=True):
      if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    listing = self._listing(chosen)
    for name, content in listing.items():
      (self._home / name).write_bytes(content)
    lengths = self._material.lengths
    return Row(
        self._material.name, self._material.kind,
        (len(lengths), len({track for track, _ in chosen})),
        (sum(lengths), len(chosen)),
        (self._material.size(), sum(self._made[key][0] for key in chosen) +
         sum(map(len, listing.values()))))

  def _wanted(self, most: float) -> list[tuple[int, int]]:
    share = self._material.share
    chosen = fitting.kept(
        self._material.lengths, most if share == 1 else min(most, 1) * share)
    return [(track, frame) for track, frames in enumerate(chosen)
            for frame in frames]

  def _make(self, key: tuple[int, int]) -> tuple[int, list[str], Any]:
    frame = self._material.make(*key)
    if frame is None:
      return 0, [], None
    for name, content in frame.files.items():
      path = self._home / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(content)
    return (sum(map(len, frame.files.values())), list(frame.files),
            frame.entry)

  def _listing(self, chosen: Iterable[tuple[int, int]]) -> Mapping[str, bytes]:
    return self._material.listing({
        key: self._made[key][2] for key in chosen if self._made[key][1]})


def table(rows: Sequence[Row], ratios: Mapping[str, float]) -> str:
  """The rows as text, with a sum, and how often each set is drawn.

  Folders without a ratio serve the cut-outs alone.
  """
  total = lambda name, k: sum(getattr(row, name)[k] for row in rows)
  sums = {name: (total(name, 0), total(name, 1))
          for name in ('tracks', 'frames', 'size')}
  lines: list[tuple[str, ...]] = [(
      'set', 'layout', 'drawn', 'tracks', 'kept', 'frames', 'kept', 'MB',
      'kept')]
  for row in (*rows, Row('together', '', **sums)):
    lines.append((
        row.name, row.kind,
        f'{ratios[row.name]:g}' if row.name in ratios else '',
        *(f'{number:,}' for number in (*row.tracks, *row.frames)),
        *(f'{size / MEGABYTE:.1f}' for size in row.size)))
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  return '\n'.join('  '.join(
      text.ljust(width) if k < 2 else text.rjust(width)
      for k, (text, width) in enumerate(zip(line, widths, strict=True))
  ).rstrip() for line in lines)
