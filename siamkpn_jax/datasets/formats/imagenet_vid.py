"""ImageNet-VID: 3862 training videos with one or more targets each.

  Annotations/VID/train/ILSVRC2015_VID_train_000<k>/<video>/000000.xml ...
  Data/VID/train/ILSVRC2015_VID_train_000<k>/<video>/000000.JPEG ...

The folder may be ILSVRC2015 or its parent. A track is a `trackid` of a video;
`occluded` means partly hidden, so such frames are kept.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamkpn_jax.datasets.formats import ilsvrc, scan
from siamkpn_jax.datasets.formats.video import NO_ANNOTATION
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('[ILSVRC2015/]Annotations/VID/train/<part>/<video>/000000.xml and '
            '[ILSVRC2015/]Data/VID/train/<part>/<video>/000000.JPEG')


def annotations(folder: Path) -> list[Path]:
  """See `Layout`; the folders of the XML files, which are over a million."""
  return ilsvrc.annotation_folders(folder, 'VID')


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  annotated = set()
  for video, frames in ilsvrc.walk(folder, 'VID', dropped):
    annotated.add(video)
    yield from _of_video(video, frames, dropped)
  for video in _videos(folder):
    if video not in annotated:
      dropped.add(NO_ANNOTATION, video)


def _of_video(video: str, frames: list[ilsvrc.Frame],
              dropped: Dropped) -> Iterator[RawTrack]:
  found: dict[str, tuple[list[str], list[list[float]]]] = {}
  for image, targets in frames:
    for track, box_xywh in targets:
      if track is None:
        dropped.add('boxes: no trackid', image)
        continue
      images, boxes = found.setdefault(track, ([], []))
      images.append(image)
      boxes.append(box_xywh)
  for name, (images, boxes) in found.items():
    yield RawTrack(f'{video}/{name}', images, np.array(boxes, np.float64),
                   np.zeros(len(images), bool))


def _videos(folder: Path) -> Iterator[str]:
  """Folders of images, relative to Data/VID/train."""
  top = folder / (ilsvrc.find(folder, 'VID') or '') / 'Data/VID/train'
  for part in scan.folders(top):
    for video in scan.folders(top / part):
      yield f'{part}/{video}'
