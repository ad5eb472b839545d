"""TrackingNet: 30132 training videos of one target each.

  TRAIN_<k>/frames/<video>/0.jpg, 1.jpg ...    k = 0 .. 11, any of them
  TRAIN_<k>/anno/<video>.txt                   "x,y,w,h" per line

Source: Müller et al., "TrackingNet", ECCV 2018.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.core.images import natural_key
from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.formats.video import read_track
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('TRAIN_<0..11>/anno/<video>.txt and '
            'TRAIN_<0..11>/frames/<video>/0.jpg ...')


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  return [folder / part / 'anno' / f'{video}.txt'
          for part in _parts(folder) for video in _annotated(folder / part)]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  for part in _parts(folder):
    videos = {*_annotated(folder / part),
              *scan.folders(folder / part / 'frames')}
    for video in sorted(videos, key=natural_key):
      track = read_track(
          f'{part}/{video}', scan.images(folder, f'{part}/frames/{video}'),
          folder / part / 'anno' / f'{video}.txt', dropped, first=0)
      if track is not None:
        yield track


def _parts(folder: Path) -> list[str]:
  return [name for name in scan.folders(folder)
          if re.fullmatch('TRAIN_[0-9]+', name)]


def _annotated(part: Path) -> list[str]:
  """Videos with a file of boxes, in natural order."""
  names = scan.names(part / 'anno')
  return sorted((n.removesuffix('.txt') for n in names if n.endswith('.txt')),
                key=natural_key)
