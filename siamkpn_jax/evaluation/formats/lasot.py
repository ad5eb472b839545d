"""LaSOT's test sequences, as the data set or as its toolkit keeps them.

  <root>/testing_set.txt                          names; may be missing
  <root>/<class>/<class>-<n>/img/00000001.jpg ... or without the <class> folder
  <root>/<class>/<class>-<n>/groundtruth.txt      one "x,y,w,h" per frame
  <root>/<class>/<class>-<n>/full_occlusion.txt   1: the target is hidden
  <root>/<class>/<class>-<n>/out_of_view.txt      1: it is outside the image

  <root>/annos/<class>-<n>.txt                    the same without images
  <root>/absent/<class>-<n>.txt                   1: hidden or outside; also
                                                  <root>/annos/absent/

LaSOT counts pixels from 1. Its owners ship the 280 sequences of the test set
with the 1120 to train on: without testing_set.txt the former are read, or, in a
folder that has none of them, all.
"""

from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats.lasot_split import TEST_VIDEOS
from siamkpn_jax.evaluation.formats.annotations import (
  Annotation,
  missing,
  read_flags,
  read_names,
  read_truth,
  some,
)

_LAYOUT = ('<class>/<class>-<n>/groundtruth.txt, or annos/<class>-<n>.txt and '
           'absent/<class>-<n>.txt')


def load(folder: Path) -> list[Annotation]:
  """The test sequences, sorted by name.

  Raises:
    UserError: nothing to read, a listed sequence that is missing, or a damaged
      file.
  """
  if not folder.is_dir():
    raise UserError(f'{folder} is not a folder; expected {_LAYOUT}; check the '
                    'path')
  found = _find(folder)
  listed = folder / 'testing_set.txt'
  if listed.is_file():
    names = read_names(listed)
    absent = [name for name in names if name not in found]
    if absent:
      raise missing(folder, absent, _LAYOUT)
  else:
    names = list(TEST_VIDEOS.intersection(found) or found)
  found = {name: found[name] for name in names}
  return some([_read(name, found[name]) for name in sorted(found)], folder,
              _LAYOUT)


def _find(folder: Path) -> dict[str, Path]:
  """Sequence name -> annotation file."""
  annos = folder / 'annos'
  if annos.is_dir():
    return {path.stem: path for path in annos.glob('*.txt')}
  if (folder / 'groundtruth.txt').is_file():  # one sequence
    return {folder.absolute().name: folder / 'groundtruth.txt'}
  return {path.parent.name: path
          for pattern in ('*/groundtruth.txt', '*/*/groundtruth.txt')
          for path in folder.glob(pattern)}


def _read(name: str, path: Path) -> Annotation:
  boxes_xywh, home = read_truth(path), path.parent
  images = None
  if path.name == 'groundtruth.txt':
    images = home / 'img'
    flags = [home / 'full_occlusion.txt', home / 'out_of_view.txt']
  else:
    beside = home.parent / 'absent' / path.name
    flags = [beside if beside.is_file() else home / 'absent' / path.name]
  return Annotation(name, boxes_xywh, 1, _visible(flags, boxes_xywh),
                    images=images)


def _visible(flags: list[Path], boxes_xywh: np.ndarray) -> np.ndarray:
  """[t] True where no flag is set."""
  absent = np.zeros(len(boxes_xywh), bool)
  for path in flags:
    absent |= read_flags(path, len(boxes_xywh)) == 1
  return ~absent
