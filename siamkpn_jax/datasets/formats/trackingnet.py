"""TrackingNet: 30132 training videos of one target each, and 511 for testing.

  TRAIN_<k>/frames/<video>/0.jpg, 1.jpg ...    k = 0 .. 11, any of them
  TRAIN_<k>/anno/<video>.txt                   "x,y,w,h" per line
  TEST/                                        the same, the first box alone

For evaluation the folder may also be TEST itself. The other boxes of a test
video are not public, so results can be submitted and not scored.

Source: Müller et al., "TrackingNet", ECCV 2018.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.core.images import natural_key
from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.formats.annotations import Found
from siamkpn_jax.datasets.formats.video import (
  VideoFiles,
  read_annotations,
  read_tracks,
)
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('TRAIN_<0..11>/anno/<video>.txt and '
            'TRAIN_<0..11>/frames/<video>/0.jpg ...')
_EXPECTED_TEST = 'TEST/anno/<sequence>.txt and TEST/frames/<sequence>/*.jpg'


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  return [_video(part, name).boxes
          for part in _parts(folder) for name in _annotated(part)]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  for part in _parts(folder):
    names = {*_annotated(part), *scan.folders(part / 'frames')}
    videos = [_video(part, name, f'{part.name}/')
              for name in sorted(names, key=natural_key)]
    yield from read_tracks(folder, videos, dropped)


def load(folder: Path) -> list[Found]:
  """All test sequences, sorted by name.

  Raises:
    UserError: nothing to read, or a damaged file.
  """
  part = folder / 'TEST' if (folder / 'TEST').is_dir() else folder
  videos = [_video(part, name) for name in sorted(_annotated(part))]
  return read_annotations(videos, folder, _EXPECTED_TEST)


def _parts(folder: Path) -> list[Path]:
  return [folder / name for name in scan.folders(folder)
          if re.fullmatch('TRAIN_[0-9]+', name)]


def _annotated(part: Path) -> list[str]:
  """Videos with a file of boxes, in natural order."""
  names = scan.names(part / 'anno')
  return sorted((n.removesuffix('.txt') for n in names if n.endswith('.txt')),
                key=natural_key)


def _video(part: Path, name: str, prefix: str = '') -> VideoFiles:
  return VideoFiles(prefix + name, part / 'anno' / f'{name}.txt',
                    part / 'frames' / name, first=0)
