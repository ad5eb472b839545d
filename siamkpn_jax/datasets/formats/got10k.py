"""GOT-10k: videos of one target each, 9335 for training and 180 for each test.

  train/list.txt                     names of the sequences, one per line
  train/<sequence>/00000001.jpg ...
  train/<sequence>/groundtruth.txt   "x,y,w,h" per line; in test/ that of the
                                     first frame alone
  train/<sequence>/absence.label     1: the target is absent
  train/<sequence>/cover.label       visible part in eighths; 0: nothing of it
  train/<sequence>/meta_info.ini     resolution: (1920, 1080)
  val/, test/                        the same, for evaluation

The folder may also be train/, val/ or test/ itself. Pixels are counted from 0.
The classes of the objects are not used: each frame counts the same.

Source: Huang, Zhao, Huang, "GOT-10k", TPAMI 2019.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.datasets.formats import text
from siamkpn_jax.datasets.formats.annotations import Found, missing
from siamkpn_jax.datasets.formats.video import (
  VideoFiles,
  box_files,
  read_annotations,
  read_tracks,
)
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('train/list.txt, train/<sequence>/groundtruth.txt and '
            'train/<sequence>/00000001.jpg ...')
_DIGITS, _LARGEST = 9, 2**17  # of the side of a frame, pixels
_EXPECTED_TEST = 'val/list.txt and val/<sequence>/groundtruth.txt'


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  split = _find_split(folder, 'train')
  if split is None:
    return []
  return [split / 'list.txt', *box_files(_videos(split, Dropped()))]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  split = _find_split(folder, 'train')
  if split is not None:
    yield from read_tracks(folder, _videos(split, dropped), dropped)


def load(folder: Path) -> list[Found]:
  """The sequences that list.txt of val/ or test/ names, in its order.

  Raises:
    UserError: no list, none of the listed sequences, or a damaged list.
  """
  split = _find_split(folder, 'val', 'test')
  if split is None:
    raise UserError(f'{folder}: no list.txt; expected {_EXPECTED_TEST}: '
                    'check the path')
  videos = [_video(split, name) for name in text.read_names(split / 'list.txt')]
  there = [video for video in videos if video.boxes.is_file()]
  absent = missing(split, [video.name for video in videos],
                   {video.name for video in there}, _EXPECTED_TEST)
  return absent + read_annotations(there, split, _EXPECTED_TEST, _as_scored)


def _find_split(folder: Path, *names: str) -> Path | None:
  return next((split for split in (folder, *(folder / name for name in names))
               if (split / 'list.txt').is_file()), None)


def _videos(split: Path, dropped: Dropped) -> list[VideoFiles]:
  refused: list[str] = []
  try:
    names = text.read_names(split / 'list.txt', refused)
  except UnreachableError:
    raise
  except UserError:
    dropped.add('files: annotation cannot be read', str(split / 'list.txt'))
    names = []
  for name in refused:
    dropped.add('tracks: not a name', name)
  return [_video(split, name) for name in names]


def _video(split: Path, name: str) -> VideoFiles:
  home = split / name
  return VideoFiles(
      name, home / 'groundtruth.txt', home,
      absent={home / 'cover.label': 0, home / 'absence.label': 1}, first=1)


def _as_scored(video: VideoFiles) -> VideoFiles:
  """With the size of its frames, and the only labels that the toolkit reads.

  Those are cover.label or, where it is missing, absence.label.
  """
  labels = [item for item in video.absent.items() if item[0].is_file()]
  return dataclasses.replace(
      video, absent=dict(labels[:1]),
      frame_size=_resolution(video.boxes.with_name('meta_info.ini')))


def _resolution(path: Path) -> tuple[int, int] | None:
  """Width and height of the images, None where no file tells them."""
  if not path.is_file():
    return None
  found = re.search(r'^resolution\s*[:=]\s*\(\s*([0-9]+)\s*,\s*([0-9]+)\s*\)',
                    text.read_text(path), re.MULTILINE)
  size = tuple(int(side[:_DIGITS]) for side in found.groups()) if found else ()
  if len(size) != 2 or not all(1 <= side <= _LARGEST for side in size):
    what = found[0] if found else 'no resolution'
    raise UserError(f'{path}: {what[:60]}; expected a line "resolution: '
                    f'(width, height)", each 1 to {_LARGEST} pixels: restore '
                    'the file')
  return size
