"""The sequences of the benchmarks: annotations, and images where needed.

`load_annotations` reads what is needed to score result files, `load_benchmark`
what is needed to run a tracker. The layouts are described in datasets/formats.
"""

import dataclasses
import fnmatch
import os
from collections.abc import Collection
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import SUFFIXES as IMAGE_SUFFIXES
from siamkpn_jax.core.images import list_images
from siamkpn_jax.datasets.formats import (
  BENCHMARKS,
  otb,
  pairing,
  pysot_json,
  text,
)
from siamkpn_jax.datasets.formats.annotations import (
  Annotation,
  Found,
  check_any,
  check_kind,
  check_unique,
  from_zero,
  noted,
  usable,
)
from siamkpn_jax.datasets.formats.video import read_annotation

_Named = TypeVar('_Named', bound='_HasName')


class _HasName(Protocol):
  """What `select` chooses from."""

  @property
  def name(self) -> str:
    """Unique in the benchmark."""


@dataclasses.dataclass(frozen=True, eq=False)
class Video:
  """One target in one video, ready to be tracked.

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

  def first(self, count: int) -> 'Video':
    """Its first frames, so many at most."""
    return dataclasses.replace(self, frames=self.frames[:count],
                               boxes_xywh=self.boxes_xywh[:count])


def load_benchmark(name: str, root: str | Path, *,
                   sequences: Collection[str] = (),
                   failed: dict[str, str] | None = None) -> list[Video]:
  """The sequences of a one-pass benchmark, ready to be tracked.

  Args:
    name: a key of `BENCHMARKS`: otb, lasot, got10k, trackingnet, uav123, nfs,
      nfs240, or folder for your own videos. For VOT, see
      `vot_sequences.load_vot`.
    root: the folder of the benchmark in its original layout, or an annotation
      file in pysot's JSON format with the images next to it.
    sequences: names or patterns (`Human*`) of sequences; empty for all.
    failed: takes the names of sequences that cannot be used, and why; None:
      the first of them is an error.

  Returns:
    The sequences, at least one if none has failed, sorted by name (GOT-10k: in
    the order of its list). Images are located but not read. Boxes are always
    0-based.

  Raises:
    UserError: an unknown benchmark or name, no sequences, a damaged
      annotation, or images that do not match the boxes.

  Examples:
    >>> import pathlib, tempfile
    >>> from siamkpn_jax import load_benchmark
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> (root / 'Ball' / 'img').mkdir(parents=True)
    >>> (root / 'Ball' / 'img' / '0001.jpg').touch()
    >>> _ = (root / 'Ball' / 'groundtruth_rect.txt').write_text('3,4,50,60')
    >>> [ball] = load_benchmark('otb', root)
    >>> ball.name, ball.frames[0].name, ball.boxes_xywh.tolist()
    ('Ball', '0001.jpg', [[2.0, 3.0, 50.0, 60.0]])
  """
  return _videos(load_annotations(name, root, names=sequences, failed=failed),
                 failed)


def _videos(annotations: Collection[Annotation],
            failed: dict[str, str] | None) -> list[Video]:
  videos = []
  for annotation in annotations:
    with noted(annotation.name, failed):
      videos.append(with_frames(annotation))
  return videos


def load_annotations(benchmark: str, path: str | Path, *,
                     names: Collection[str] = (),
                     failed: dict[str, str] | None = None) -> list[Annotation]:
  """As `load_benchmark` without its images; the names are its sequences."""
  return usable(select(find_annotations(benchmark, path), names), failed)


def find_annotations(benchmark: str, path: str | Path) -> list[Found]:
  """All annotations of a benchmark, with those that cannot be used.

  Raises:
    UserError: an unknown benchmark, nothing to read, a missing sequence, or
      two of one name.
  """
  path = Path(path)
  if benchmark not in BENCHMARKS:
    raise UserError(f'benchmark {benchmark!r}: expected one of '
                    f'{", ".join(sorted(BENCHMARKS))}')
  check_kind(path)
  json_file = pysot_json.find(path)
  found = (pysot_json.load(json_file) if json_file else
           BENCHMARKS[benchmark](path))
  check_unique((sequence.name for sequence in found), path)
  return found


def select(sequences: list[_Named], names: Collection[str]) -> list[_Named]:
  """Whatever has one of these names or patterns; all, if there are none.

  Raises:
    UserError: an unknown name.
  """
  chosen = meant(names, [s.name for s in sequences], 'sequences')
  return [s for s in sequences if not names or s.name in chosen]


def with_frames(annotation: Annotation) -> Video:
  """Finds the images of a sequence.

  Where the annotation has the first box alone, the others are NaN.

  Raises:
    UserError: no images, or not one for each box.
  """
  frames = _images(annotation)
  boxes_xywh = annotation.boxes_xywh
  if len(boxes_xywh) == 1 < len(frames):
    rest = np.full((len(frames) - 1, 4), np.nan)
    boxes_xywh = np.concatenate([boxes_xywh, rest])
  else:
    frames = _matching_frames(annotation, frames)
  boxes_xywh = from_zero(boxes_xywh, annotation.origin)
  boxes_xywh.flags.writeable = False
  return Video(annotation.name, tuple(frames), boxes_xywh, annotation.origin)


def load_otb(root: str | Path, *, names: Collection[str] = (),
             zero_based: Collection[str] = (),
             failed: dict[str, str] | None = None) -> list[Video]:
  """Reads the sequences of a folder in OTB layout, sorted by name.

  The folder may be one sequence. Those of the names or patterns `zero_based`
  count from 0; other arguments are as of `load_benchmark`. Folders without
  annotation are left out, see `skipped_folders`.

  Raises:
    UserError: nothing to read, an unknown name, a damaged annotation, or
      frames and boxes that do not belong together.
  """
  check_kind(Path(root))
  videos = otb.find_videos(Path(root))
  check_any(videos, Path(root), otb.EXPECTED)
  known = [video.name for video in videos]
  chosen = meant(names, known, 'sequences')
  from_0 = meant(zero_based, known, 'zero_based')
  annotations = []
  for video in videos:
    if not names or video.name in chosen:
      with noted(video.name, failed):
        annotations.append(counted(read_annotation(video), from_0))
  return _videos(annotations, failed)


def counted(annotation: Annotation, zero_based: Collection[str]) -> Annotation:
  """The annotation; its pixels count from 0 if `zero_based` has its name."""
  if annotation.name in zero_based:
    return dataclasses.replace(annotation, origin=0)
  return annotation


def meant(patterns: Collection[str], known: Collection[str],
          what: str) -> frozenset[str]:
  """The names of sequences that a user means by patterns, see `fitting`.

  Raises:
    UserError: one fits no sequence; tells `what` it was given for.
  """
  for pattern in patterns:
    if not fitting([pattern], known):
      raise UserError(f'{what}: no sequence matches {pattern}; expected some '
                      f'of {", ".join(sorted(known))}')
  return fitting(patterns, known)


def fitting(patterns: Collection[str],
            known: Collection[str]) -> frozenset[str]:
  """Of the known names those that names or patterns (`Human*`) fit.

  A known name means itself alone, whatever it would fit as a pattern: with a
  `clip[1]` there, it does not mean `clip1`.
  """
  exact = frozenset(patterns).intersection(known)
  others = frozenset(patterns) - exact
  return exact | {name for name in known for pattern in others
                  if fnmatch.fnmatchcase(name, pattern)}


def _images(annotation: Annotation) -> list[Path]:
  """The images of a sequence, sorted by the numbers in their names."""
  images, name = annotation.images, annotation.name
  if images is None:
    raise UserError(f'sequence {name}: its annotation does not say where the '
                    'images are; expected a layout with images: use the folder '
                    'of the data set')
  if isinstance(images, tuple):
    absent = next((f for f in images if not os.path.isfile(f)), None)
    if absent is not None:
      raise UserError(f'sequence {name}: {absent} is missing; expected all '
                      f'{len(images)} images of the annotation: check the '
                      'download')
    return list(images)
  if os.path.isfile(images):  # a symbolic link, checked out as a text file
    images = images.parent / text.read_text(images).strip().replace(
        '\\', '/')
  if not os.path.isdir(images):  # False, not an error, for a senseless path
    raise UserError(f'{images}: not a folder; expected the images of sequence '
                    f'{name}: check the download')
  files = pairing.frames_only(list_images(images))
  if not files:
    raise UserError(f'{images}: no images; expected '
                    f'{" ".join(IMAGE_SUFFIXES)} files: check the download')
  return files


def _matching_frames(annotation: Annotation, frames: list[Path]) -> list[Path]:
  """The images that are annotated."""
  boxes = len(annotation)
  if len(frames) == boxes:
    return frames
  # Both tests are needed: the same name is shipped cut and uncut.
  if len(frames) > boxes and annotation.frame_range:
    first, last = annotation.frame_range
    inside = [f for f in frames
              if first <= (pairing.frame_number(f) or 0) <= last]
    if len(inside) == boxes:
      return inside
  raise UserError(
      f'sequence {annotation.name}: {len(frames)} images in '
      f'{frames[0].parent} but {boxes} boxes; expected one box per image: '
      'check the download')
