"""LaSOT: 1400 long videos of one target each, of which 280 are for testing.

  <class>/<class>-<n>/img/00000001.jpg ...    also without the folder <class>
  <class>/<class>-<n>/groundtruth.txt         "x,y,w,h" per line
  <class>/<class>-<n>/full_occlusion.txt      1: the target is hidden
  <class>/<class>-<n>/out_of_view.txt         1: it is outside the image
  testing_set.txt                             names of the test videos, optional

  annos/<class>-<n>.txt      test videos as the toolkit keeps them, no images
  absent/<class>-<n>.txt     1: hidden or outside; also annos/absent/

Pixels are counted from 1. The owners ship test and training videos together:
without testing_set.txt those of `lasot_split` are the test videos; in a folder
that has none of them, all are evaluated on.

Source: Fan et al., "LaSOT", CVPR 2019 (protocol II: training on the 1120).
"""

from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import scan, text
from siamkpn_jax.datasets.formats.annotations import (
  Found,
  Unreadable,
  check_unique,
  missing,
)
from siamkpn_jax.datasets.formats.lasot_split import TEST_VIDEOS
from siamkpn_jax.datasets.formats.video import (
  VideoFiles,
  box_files,
  read_annotations,
  read_tracks,
)
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('<class>/<class>-<n>/groundtruth.txt and '
            '<class>/<class>-<n>/img/00000001.jpg ...')
_EXPECTED_TEST = ('<class>/<class>-<n>/groundtruth.txt, or '
                  'annos/<class>-<n>.txt and absent/<class>-<n>.txt')
_LIST = 'testing_set.txt'

_CLASSES = frozenset(name.rpartition('-')[0] for name in TEST_VIDEOS)


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  files = box_files(_videos(folder))
  split = folder / _LIST
  return [*files, split] if files and split.is_file() else files


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`; videos of the test split are noted and left out."""
  held_out, videos = _held_out(folder), _videos(folder)
  for video in videos:
    if video.name in held_out:
      dropped.add('tracks: of the test split', video.name)
  yield from read_tracks(
      folder, (v for v in videos if v.name not in held_out), dropped)


def load(folder: Path) -> list[Found]:
  """The test sequences, sorted by name.

  Raises:
    UserError: nothing to read, none of the listed sequences, two of one name,
      or a damaged list.
  """
  videos = _find_annotated(folder)
  check_unique((video.name for video in videos), folder)
  found = {video.name: video for video in videos}
  names = TEST_VIDEOS.intersection(found) or set(found)
  absent: list[Unreadable] = []
  if (folder / _LIST).is_file():
    names = set(text.read_names(folder / _LIST))
    absent = missing(folder, sorted(names), found, _EXPECTED_TEST)
  return absent + read_annotations(
      [found[name] for name in sorted(names.intersection(found))], folder,
      _EXPECTED_TEST)


def _videos(folder: Path) -> list[VideoFiles]:
  """The videos of LaSOT's classes, in natural order."""
  found = []
  for name in scan.folders(folder):
    if _is_video(name):
      found.append(folder / name)
    elif name in _CLASSES:
      found += [folder / name / video for video in scan.folders(folder / name)
                if _is_video(video)]
  return [_video(home) for home in found]


def _is_video(name: str) -> bool:
  """Of one of LaSOT's classes; other data may number their videos too."""
  stem, _, number = name.rpartition('-')
  return stem in _CLASSES and number.isdecimal()


def _held_out(folder: Path) -> frozenset[str]:
  """The test videos, which are not trained on."""
  try:
    return frozenset(text.read_names(folder / _LIST, []))
  except UserError:
    # An empty file must not let test videos into the training.
    return TEST_VIDEOS


def _find_annotated(folder: Path) -> list[VideoFiles]:
  """All videos with boxes, whatever they are called."""
  if (folder / 'annos').is_dir():
    return [_video_of_toolkit(path)
            for path in scan.files(folder / 'annos', '.txt')]
  if (folder / 'groundtruth.txt').is_file():  # one sequence
    return [_video(folder.absolute())]
  homes = scan.sequences(folder)
  homes += [video for home in homes for video in scan.sequences(home)]
  return [_video(home) for home in homes
          if (home / 'groundtruth.txt').is_file()]


def _video(home: Path) -> VideoFiles:
  return VideoFiles(
      home.name, home / 'groundtruth.txt', home / 'img',
      absent={home / 'full_occlusion.txt': 1, home / 'out_of_view.txt': 1},
      origin=1, first=1)


def _video_of_toolkit(path: Path) -> VideoFiles:
  flags = path.parent.parent / 'absent' / path.name
  if not flags.is_file():
    flags = path.parent / 'absent' / path.name
  return VideoFiles(path.stem, path, None, absent={flags: 1}, origin=1)
