"""Any folder of sequences, each with an annotation and images.

  <root>/<name>/groundtruth_rect.txt or groundtruth.txt, one "x,y,w,h" per frame
  <root>/<name>/img/*.jpg, <root>/<name>/color/*.jpg or <root>/<name>/*.jpg

  <root>/<name>.txt ...      annotations alone, one file per sequence; lists
                             that lie beside them, as attr_list.txt, are not
                             read

Pixels are counted from 0.
"""

from pathlib import Path

from siamkpn_jax.evaluation.formats.annotations import (
    Annotation,
    read_truth,
    some,
    subfolders,
)

_LAYOUT = '<name>/groundtruth.txt and <name>/*.jpg, or <name>.txt'
_ANNOTATIONS = ('groundtruth_rect.txt', 'groundtruth.txt')
# What lies beside annotation files: names, attributes, words.
_LISTS = frozenset({
    'attr_list', 'attr_desc', 'list', 'testing_set', 'training_set', 'tb_50',
    'tb_100', 'cvpr13', 'readme', 'license'})


def load(folder: Path, origin: int = 0) -> list[Annotation]:
  """All sequences, sorted by name.

  Args:
    folder: holds a folder, or a file, for each sequence.
    origin: number that the files give to the first pixel.

  Raises:
    UserError: nothing to read, or a damaged file.
  """
  found = []
  for home in subfolders(folder):
    path = next((home / name for name in _ANNOTATIONS
                 if (home / name).is_file()), None)
    if path is not None:
      images = next((home / name for name in ('img', 'color')
                     if (home / name).is_dir()), home)
      found.append(Annotation(home.name, read_truth(path), origin,
                              images=images))
  return some(found or load_files(folder, origin), folder, _LAYOUT)


def load_files(folder: Path, origin: int) -> list[Annotation]:
  """The sequences of a folder of annotation files; none is no error.

  Raises:
    UserError: a damaged file.
  """
  return [Annotation(path.stem, read_truth(path), origin)
          for path in sorted(folder.glob('*.txt'))
          if path.stem.casefold() not in _LISTS]
