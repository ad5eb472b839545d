"""Own data: a folder of sequences, each one target in one video.

1. Make one folder per sequence; its name is free.
2. Put the images there, or into its img/, imgs/, frames/ or color/; their
   natural order (2.jpg before 10.jpg, 1.25.jpg before 1.5.jpg) is their order
   in time; a thumbnail.jpg among numbered ones is left out.
3. Write groundtruth_rect.txt, groundtruth.txt or gt.txt there: one "x,y,w,h"
   per image in pixels; comma, tab or space between; NaN for an unknown box.
4. Optional, for training: absence.label, one 0 or 1 per line of boxes; 1 where
   it is out of sight.
5. Evaluation expects one box for each image. Training leaves out sequences
   without a file of boxes. Where there are more or fewer boxes than images it
   goes by the last number in the images' names, and leaves out the sequence if
   that does not tell which box belongs to which image.

A sequence may also be laid out as in the MOT Challenge (see `mot`): each of its
targets is a track, and is evaluated on as <sequence>-<id>.

To score result files, <name>.txt for each sequence is enough; lists that lie
beside them, as attr_list.txt, are not read. Pixels are counted from 0.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.datasets.formats import mot, scan
from siamkpn_jax.datasets.formats.annotations import Found
from siamkpn_jax.datasets.formats.otb_ranges import FRAME_RANGES
from siamkpn_jax.datasets.formats.video import (
  NO_ANNOTATION,
  VideoFiles,
  read_annotations,
  read_tracks,
)
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('<sequence>/groundtruth_rect.txt, groundtruth.txt or gt.txt, and '
            'images in <sequence>/ or its img/, imgs/, frames/ or color/')

_ANNOTATIONS = ('groundtruth_rect.txt', 'groundtruth.txt', 'gt.txt')
_IMAGES = ('img', 'imgs', 'frames', 'color', 'img1')
_LABELS = 'absence.label'
# What lies beside annotation files: names, attributes, words.
_LISTS = frozenset({
    'attr_list', 'attr_desc', 'list', 'testing_set', 'training_set', 'tb_50',
    'tb_100', 'cvpr13', 'readme', 'license'})


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  return [path for home in map(folder.joinpath, scan.folders(folder))
          for path in mot.files(home) or
          [home / name for name in _annotation(scan.names(home))]]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  several, videos = [], []
  for name in scan.folders(folder):
    video = _find_video(folder / name)
    if mot.files(folder / name):
      several.append(name)
    elif video is None:
      dropped.add(NO_ANNOTATION, name)
    else:
      videos.append(video)
  yield from read_tracks(folder, videos, dropped)
  for name in several:
    yield from mot.tracks(folder, name, dropped)


def load(folder: Path) -> list[Found]:
  """All sequences, sorted by name.

  Raises:
    UserError: nothing to read, or a damaged file.
  """
  homes = scan.sequences(folder)
  found = [annotation for home in homes if mot.files(home)
           for annotation in mot.load(folder, home.name)]
  videos = [dataclasses.replace(video, absent={})
            for home in homes if not mot.files(home)
            for video in [_find_video(home)] if video is not None]
  if videos or not found:
    found += read_annotations(videos or annotation_files(folder), folder,
                              f'{EXPECTED}; or <sequence>.txt')
  return sorted(found, key=lambda annotation: annotation.name)


def annotation_files(folder: Path) -> list[VideoFiles]:
  """The sequences of a folder of files <sequence>.txt, sorted by name."""
  return [VideoFiles(path.stem, path, None)
          for path in scan.files(folder, '.txt')
          if path.stem.casefold() not in _LISTS]


def _find_video(home: Path) -> VideoFiles | None:
  """The sequence in a folder; None if it has no file of boxes."""
  names = scan.names(home)
  boxes, *labels = _annotation(names) or ['']
  if not boxes:
    return None
  images = next((sub for sub in _IMAGES
                 if sub in names and scan.images(home, sub)), '')
  return VideoFiles(home.name, home / boxes, home / images,
                    absent={home / name: 1 for name in labels},
                    frame_range=FRAME_RANGES.get(home.name.lower()))


def _annotation(names: frozenset[str]) -> list[str]:
  """Of the files in a folder that of boxes and, if there is one, of labels."""
  boxes = [name for name in _ANNOTATIONS if name in names][:1]
  return [*boxes, _LABELS] if boxes and _LABELS in names else boxes
