"""LaSOT: 1400 long videos of one target each, of which 280 are for testing.

  <class>/<class>-<n>/img/00000001.jpg ...    also without the folder <class>
  <class>/<class>-<n>/groundtruth.txt         "x,y,w,h" per line
  <class>/<class>-<n>/full_occlusion.txt      1: the target is hidden
  <class>/<class>-<n>/out_of_view.txt         1: it is out of view
  testing_set.txt                             names of the test videos, optional

Source: Fan et al., "LaSOT", CVPR 2019 (protocol II: training on the 1120).
"""

from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.datasets.formats import scan, text
from siamkpn_jax.datasets.formats.lasot_split import TEST_VIDEOS
from siamkpn_jax.datasets.formats.video import read_track
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('<class>/<class>-<n>/groundtruth.txt and '
            '<class>/<class>-<n>/img/00000001.jpg ...')

_CLASSES = frozenset(name.rpartition('-')[0] for name in TEST_VIDEOS)


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  files = [folder / video / 'groundtruth.txt' for video in _videos(folder)]
  files = [f for f in files if f.is_file()]
  split = folder / 'testing_set.txt'
  return [*files, split] if files and split.is_file() else files


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`; videos of the test split are noted and left out."""
  held_out = _test_videos(folder)
  for video in _videos(folder):
    home, name = folder / video, video.rpartition('/')[2]
    if name in held_out:
      dropped.add('tracks: of the test split', name)
      continue
    track = read_track(
        name, scan.images(folder, f'{video}/img'), home / 'groundtruth.txt',
        dropped, first=1,
        labels={home / 'full_occlusion.txt': 1, home / 'out_of_view.txt': 1})
    if track is not None:
      yield track


def _videos(folder: Path) -> list[str]:
  """Folders of videos, relative to `folder`."""
  found = []
  for name in scan.folders(folder):
    if _is_video(name):
      found.append(name)
    elif name in _CLASSES:
      found += [f'{name}/{video}' for video in scan.folders(folder / name)
                if _is_video(video)]
  return found


def _is_video(name: str) -> bool:
  """Of one of LaSOT's classes; other data may number their videos too."""
  stem, _, number = name.rpartition('-')
  return stem in _CLASSES and number.isdecimal()


def _test_videos(folder: Path) -> frozenset[str]:
  try:
    names = text.read_names(folder / 'testing_set.txt')
  except (OSError, ValueError):
    names = []
  # An empty file must not let test videos into the training.
  return frozenset(names) or TEST_VIDEOS
