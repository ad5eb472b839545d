"""ImageNet-DET: every object of a still image is a track of one frame.

  Annotations/DET/train/<part>/[<class>/]<image>.xml
  Data/DET/train/<part>/[<class>/]<image>.JPEG

The folder may be ILSVRC2015 (or another year) or its parent.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamkpn_jax.datasets.formats import ilsvrc, scan
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('[ILSVRC*/]Annotations/DET/train/**/<image>.xml and '
            '[ILSVRC*/]Data/DET/train/**/<image>.JPEG')


def annotations(folder: Path) -> list[Path]:
  """See `Layout`; the folders of the XML files, which are 400 thousand."""
  return ilsvrc.annotation_folders(folder, 'DET')


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  for sub, frames in ilsvrc.walk(folder, 'DET', dropped):
    for image, targets in frames:
      for number, (_, box_xywh) in enumerate(targets):
        yield RawTrack(f'{sub}/{scan.stem(image)}/{number}', [image],
                       np.array([box_xywh], np.float64),
                       np.zeros(1, bool))
