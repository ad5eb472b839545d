"""Own data: a folder of sequences, each one target in one video.

1. Make one folder per sequence; its name is free.
2. Put the images there, or into its img/, imgs/, frames/ or color/; their
   natural order (2.jpg before 10.jpg) is their order in time.
3. Write groundtruth_rect.txt, groundtruth.txt or gt.txt there: one "x,y,w,h"
   per image in pixels; comma, tab or space between; NaN for an unknown box.
4. Optional: absence.label, one 0 or 1 per image; 1 where it is out of sight.
5. Sequences without such a file, and images after the last box, are left out.
"""

from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.formats.video import NO_ANNOTATION, read_track
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('<sequence>/groundtruth_rect.txt, groundtruth.txt or gt.txt, and '
            'images in <sequence>/ or its img/, imgs/, frames/ or color/')

_ANNOTATIONS = ('groundtruth_rect.txt', 'groundtruth.txt', 'gt.txt')
_IMAGES = ('img', 'imgs', 'frames', 'color')
_LABELS = 'absence.label'


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  found = []
  for sequence in scan.folders(folder):
    names, home = scan.names(folder / sequence), folder / sequence
    annotation = _annotation(names)
    if annotation:
      found.append(home / annotation)
      found += [home / _LABELS] if _LABELS in names else []
  return found


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  for sequence in scan.folders(folder):
    names, home = scan.names(folder / sequence), folder / sequence
    annotation = _annotation(names)
    if not annotation:
      dropped.add(NO_ANNOTATION, sequence)
      continue
    track = read_track(sequence, _images(folder, sequence, names),
                       home / annotation, dropped, labels={home / _LABELS: 1})
    if track is not None:
      yield track


def _annotation(names: frozenset[str]) -> str | None:
  return next((name for name in _ANNOTATIONS if name in names), None)


def _images(folder: Path, sequence: str, names: frozenset[str]) -> list[str]:
  for sub in _IMAGES:
    if sub in names and (found := scan.images(folder, f'{sequence}/{sub}')):
      return found
  return scan.images(folder, sequence)
