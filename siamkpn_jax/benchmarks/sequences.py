"""Annotated sequences in the folder layout of OTB.

  <root>/<name>/img/0001.jpg ...      .jpg .jpeg .png .bmp
  <root>/<name>/groundtruth_rect.txt  one "x,y,w,h" per frame; or, for several
                                      targets, groundtruth_rect.1.txt, .2.txt

OTB counts pixels from 1, which is the default here; sequences that count from
0 are named by the caller. The files of all OTB sets, and of many others that
were brought into the same layout, can be read.
"""

import dataclasses
import fnmatch
import os
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from siamkpn_jax.benchmarks import results
from siamkpn_jax.errors import UserError
from siamkpn_jax.images import SUFFIXES as IMAGE_SUFFIXES
from siamkpn_jax.images import list_images

_LAYOUT = '<name>/img/*.jpg and <name>/groundtruth_rect.txt'

# First and last annotated frame, by the number in the file name, where OTB
# annotates a part of the images it ships. Source: the benchmark's home page
# (Wu, Lim, Yang, "Object Tracking Benchmark", TPAMI 2015).
OTB_FRAME_RANGES = {
    'blurcar1': (247, 988),
    'blurcar3': (3, 359),
    'blurcar4': (18, 397),
    'david': (300, 770),
    'diving': (1, 215),
    'football1': (1, 74),
    'freeman3': (1, 460),
    'freeman4': (1, 283),
    'tiger1': (6, 354),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Sequence:
  """One target in one video.

  Attributes:
    name: unique in its benchmark.
    frames: t image files, in order.
    boxes_xywh: [t, 4] float64, 0-based pixels. A box that is not finite or has
      a side <= 0 means "no target visible"; the first box is always valid.
    origin: number that the annotation file gives to the first pixel (OTB: 1);
      result files of the sequence use the same.
  """
  name: str
  frames: tuple[Path, ...]
  boxes_xywh: np.ndarray
  origin: int = 0

  def __len__(self) -> int:
    return len(self.frames)


def load_otb(folder: str | Path, *, names: Collection[str] = (),
             one_based: bool = True,
             zero_based: Collection[str] = ()) -> list[Sequence]:
  """Reads the sequences of a folder in OTB layout, sorted by name.

  Args:
    folder: the folder that holds the sequences, or one sequence.
    names: read only these names or patterns (`Human*`); empty for all.
    one_based: whether the annotations count pixels from 1, as OTB does.
    zero_based: names or patterns of sequences that count from 0.

  Returns:
    At least one sequence. Folders without annotation are left out, see
    `skipped_folders`.

  Raises:
    UserError: nothing to read, an unknown name, a damaged annotation, or
      frames and boxes that do not belong together.
  """
  annotations = _find_annotations(Path(folder))
  _check_known(names, annotations, 'sequences')
  _check_known(zero_based, annotations, 'zero_based')
  chosen = [n for n in sorted(annotations) if not names or _matches(n, names)]
  return [
      _load(name, annotations[name],
            origin=int(one_based and not _matches(name, zero_based)))
      for name in chosen
  ]


def skipped_folders(folder: str | Path) -> list[str]:
  """Names of the folders that `load_otb` leaves out, sorted."""
  folder = Path(folder)
  if not folder.is_dir() or _annotations_of(folder):
    return []
  return [f.name for f in _subfolders(folder)
          if _hidden(f) or not _annotations_of(f)]


def _find_annotations(folder: Path) -> dict[str, Path]:
  """Sequence name -> annotation file, for everything under `folder`."""
  if not folder.is_dir():
    raise UserError(f'{folder} is not a folder; expected a folder that holds '
                    f'{_LAYOUT}; check the path')
  found = _annotations_of(folder)
  if not found:
    for sub in (f for f in _subfolders(folder) if not _hidden(f)):
      for name, path in _annotations_of(sub).items():
        if name in found:
          raise UserError(f'two sequences are called {name}: {found[name]} and '
                          f'{path}; rename one folder')
        found[name] = path
  if not found:
    raise UserError(f'no sequences in {folder}; expected {_LAYOUT}; '
                    'check the path')
  return found


def _subfolders(folder: Path) -> list[Path]:
  return sorted(f for f in folder.iterdir() if f.is_dir())


def _hidden(folder: Path) -> bool:
  return folder.name.startswith(('_', '.'))


def _annotations_of(folder: Path) -> dict[str, Path]:
  """Sequence name -> annotation file, one for each target of a folder."""
  name = folder.absolute().name
  plain = folder / 'groundtruth_rect.txt'
  if plain.is_file():
    return {name: plain}
  numbered = {}
  for path in folder.glob('groundtruth_rect.*.txt'):
    target = path.name.split('.')[1]
    # Human4 ships an empty file for its first target; OTB uses the second.
    if target.isdecimal() and results.read_text(path).strip():
      numbered[int(target)] = path
  return {f'{name}-{i}': numbered[i] for i in sorted(numbered)}


def _check_known(patterns: Collection[str], known: Collection[str],
                 what: str) -> None:
  for pattern in patterns:
    if not any(_matches(name, [pattern]) for name in known):
      raise UserError(f'{what}: no sequence is called {pattern}; there are '
                      f'{", ".join(sorted(known))}')


def _matches(name: str, patterns: Collection[str]) -> bool:
  return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _load(name: str, annotation: Path, *, origin: int) -> Sequence:
  boxes_xywh = results.read_boxes(annotation, origin=origin, allow_nan=True)
  if not (np.isfinite(boxes_xywh[0]).all() and (boxes_xywh[0, 2:] > 0).all()):
    raise UserError(
        f'{annotation} line 1: the first box has no area; a tracker starts '
        'from it; expected width and height > 0; correct it')
  frames = _matching_frames(name, _image_files(annotation.parent),
                            len(boxes_xywh))
  boxes_xywh.flags.writeable = False
  return Sequence(name, tuple(frames), boxes_xywh, origin)


def _image_files(folder: Path) -> list[Path]:
  """The images of a sequence, sorted by the numbers in their names."""
  images = folder / 'img'
  if images.is_file():  # a symbolic link, checked out as a text file
    images = folder / results.read_text(images).strip()
  if not os.path.isdir(images):  # False, not an error, for a senseless path
    raise UserError(f'{images} is not a folder; expected the images of the '
                    f'sequence {folder.name} there ({_LAYOUT})')
  files = list_images(images)
  if not files:
    raise UserError(f'no images in {images}; expected '
                    f'{" ".join(IMAGE_SUFFIXES)} files; check the download')
  return files


def _matching_frames(name: str, frames: list[Path], boxes: int) -> list[Path]:
  if len(frames) == boxes:
    return frames
  # Both tests are needed: the same name is shipped cut and uncut.
  if len(frames) > boxes and name.lower() in OTB_FRAME_RANGES:
    first, last = OTB_FRAME_RANGES[name.lower()]
    inside = [f for f in frames if first <= _number(f) <= last]
    if len(inside) == boxes:
      return inside
  raise UserError(
      f'sequence {name}: {len(frames)} images in {frames[0].parent} but '
      f'{boxes} boxes; expected one box per image; check the download')


def _number(frame: Path) -> int:
  numbers = re.findall(r'\d+', frame.stem)
  return int(numbers[-1]) if numbers else -1
