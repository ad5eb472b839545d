"""GOT-10k: 9335 training videos of one target each.

  train/list.txt                     names of the sequences; train/ is left
                                     out where list.txt is in the folder itself
  train/<sequence>/00000001.jpg ...
  train/<sequence>/groundtruth.txt   "x,y,w,h" per line
  train/<sequence>/absence.label     1: the target is absent
  train/<sequence>/cover.label       visible part in eighths; 0: nothing of it

Source: Huang, Zhao, Huang, "GOT-10k", TPAMI 2019.
"""

from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.datasets.formats import scan, text
from siamkpn_jax.datasets.formats.video import read_track
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('train/list.txt, train/<sequence>/groundtruth.txt and '
            'train/<sequence>/00000001.jpg ...')


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  split = _split(folder)
  if split is None:
    return []
  files = [folder / split / s / 'groundtruth.txt'
           for s in _sequences(folder / split)]
  return [folder / split / 'list.txt', *(f for f in files if f.is_file())]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  split = _split(folder)
  if split is None:
    return
  for sequence in _sequences(folder / split, dropped):
    home = folder / split / sequence
    track = read_track(
        sequence, scan.images(folder, f'{split}{sequence}'),
        home / 'groundtruth.txt', dropped, first=1,
        labels={home / 'absence.label': 1, home / 'cover.label': 0})
    if track is not None:
      yield track


def _split(folder: Path) -> str | None:
  return next((split for split in ('', 'train/')
               if (folder / split / 'list.txt').is_file()), None)


def _sequences(split: Path, dropped: Dropped | None = None) -> list[str]:
  try:
    return text.read_names(split / 'list.txt')
  except (OSError, ValueError):
    if dropped is not None:
      dropped.add('files: annotation cannot be read', str(split / 'list.txt'))
    return []
