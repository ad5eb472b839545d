"""One target in one video: its images, a file of boxes, files of labels."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from siamkpn_jax.datasets.formats import scan, text
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

NO_ANNOTATION = 'tracks: no annotation'
UNREADABLE = 'tracks: annotation cannot be read'


def read_track(name: str, images: list[str], annotation: Path,
               dropped: Dropped, *, labels: Mapping[Path, int] | None = None,
               first: int | None = None) -> RawTrack | None:
  """The track of a video, or None after noting why there is none.

  Args:
    name: of the track.
    images: of the video in order, relative to the set's folder.
    annotation: file of boxes, one per image.
    dropped: takes what is left out.
    labels: {file: the number in it that means out of sight}. In a video
      without such a file nothing is out of sight.
    first: number in the name of the first image, where a layout says so, else
      that of the first one there is. It keeps boxes and images together where
      images are missing in between.
  """
  boxes = _read_boxes(name, annotation, dropped)
  if boxes is None:
    return None
  if not images:
    dropped.add('tracks: no images', name)
    return None
  try:
    absent = _read_absent(labels or {}, len(boxes))
  except (OSError, ValueError):
    dropped.add('tracks: labels cannot be read', name)
    return None
  rows = _rows(images, len(boxes), first)
  known = rows >= 0
  dropped.add('frames: images without a box', name, (~known).sum())
  dropped.add('frames: more boxes than images', name,
              len(boxes) - known.sum())
  dropped.add('frames: boxes without a label', name,
              (rows[known] >= len(absent)).sum())
  known &= rows < len(absent)
  if not known.any():
    return None
  kept = [image for image, keep in zip(images, known, strict=True) if keep]
  return RawTrack(name, kept, boxes[rows[known]], absent[rows[known]])


def _read_boxes(name: str, annotation: Path,
                dropped: Dropped) -> np.ndarray | None:
  try:
    return text.read_boxes(annotation)
  except FileNotFoundError:
    dropped.add(NO_ANNOTATION, name)
  except (OSError, ValueError):
    dropped.add(UNREADABLE, name)
  return None


def _read_absent(labels: Mapping[Path, int], length: int) -> np.ndarray:
  """[t] bool, t <= length: as far as all files of labels reach."""
  absent = np.zeros(length, bool)
  for path, out_of_sight in labels.items():
    try:
      values = text.read_labels(path)
    except FileNotFoundError:
      continue
    absent = absent[:len(values)] | (values[:len(absent)] == out_of_sight)
  return absent


def _rows(images: list[str], num_boxes: int, first: int | None) -> np.ndarray:
  """[len(images)] the row of each image's box, or -1."""
  rows = np.arange(len(images))
  stems = [scan.stem(image) for image in images]
  # A complete video is paired in order, whatever its numbers start from.
  if len(images) != num_boxes and all(s.isdecimal() for s in stems):
    numbers = np.array([int(s) for s in stems])
    if first is not None:
      rows = numbers - first
    elif len(set(np.diff(numbers).tolist())) > 1:  # a gap
      rows = numbers - numbers[0]
  rows = np.where((rows >= 0) & (rows < num_boxes), rows, -1)
  return rows.astype(np.int64)  # from Python's int, if a name is a time in ns
