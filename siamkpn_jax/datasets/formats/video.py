"""One target in one video: its images, a file of boxes, files of flags.

A data set says in `VideoFiles` where these lie. Training reads as much of them
as can be used and notes the rest; evaluation refuses what is not whole.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.datasets.formats import pairing, scan, text
from siamkpn_jax.datasets.formats.annotations import (
  Annotation,
  Found,
  Unreadable,
  check_any,
  check_first,
  from_zero,
  read_flags,
)
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

NO_ANNOTATION = 'tracks: no annotation'
UNREADABLE = 'tracks: annotation cannot be read'
NO_IMAGES = 'tracks: no images'
UNCLEAR = 'tracks: unclear which box belongs to which image'


@dataclasses.dataclass(frozen=True)
class VideoFiles:
  """The files of one target in one video; any of them may be missing.

  Attributes:
    name: unique in its data set.
    boxes: the file of boxes, "x,y,w,h" per image.
    images: the folder of images; None: it is not known.
    absent: {file of flags: the number in it that means out of sight}.
    origin: number that the boxes give to the first pixel, 0 or 1.
    first: number in the name of the first image, where the data set says so. It
      keeps boxes and images together where images are missing in between.
    frame_size: see `Annotation`.
    frame_range: see `Annotation`.
  """

  name: str
  boxes: Path
  images: Path | None
  absent: Mapping[Path, int] = dataclasses.field(default_factory=dict)
  origin: int = 0
  first: int | None = None
  frame_size: tuple[int, int] | None = None
  frame_range: tuple[int, int] | None = None


def box_files(videos: Iterable[VideoFiles]) -> list[Path]:
  """The files of boxes that are there, for `Layout.annotations`."""
  return [video.boxes for video in videos if os.path.isfile(video.boxes)]


def read_annotations(
    videos: Iterable[VideoFiles], folder: Path, expected: str,
    complete: Callable[[VideoFiles], VideoFiles] = lambda video: video
) -> list[Found]:
  """The annotations of videos that are evaluated on, at least one.

  To each, `complete` adds what other files of its say.

  Raises:
    UserError: there is none in the folder; names what was expected.
  """
  found: list[Found] = []
  for video in videos:
    try:
      found.append(read_annotation(complete(video)))
    except UserError as error:
      found.append(Unreadable(video.name, error))
  check_any(found, folder, expected)
  return found


def read_annotation(video: VideoFiles) -> Annotation:
  """The annotation of one video that is evaluated on.

  Raises:
    UserError: a file is missing or damaged, has not one flag for each box, or
      the first box has no area or lies outside the frame.
  """
  boxes_xywh = text.read_boxes(video.boxes, infinite=False)
  check_first(boxes_xywh, f'{video.boxes} line 1', video.frame_size)
  boxes_xywh.flags.writeable = False
  absent = [read_flags(path, len(boxes_xywh)) == out_of_sight
            for path, out_of_sight in video.absent.items()]
  return Annotation(
      video.name, boxes_xywh, video.origin,
      ~np.any(absent, axis=0) if absent else None, video.frame_size,
      images=video.images, frame_range=video.frame_range)


def read_tracks(folder: Path, videos: Iterable[VideoFiles],
                dropped: Dropped) -> Iterator[RawTrack]:
  """The tracks of videos that are trained on.

  Where a file of flags is missing, nothing is out of sight.
  """
  videos = list(videos)
  usual_first = functools.cache(lambda: _usual_first(folder, videos))
  for video in videos:
    track = _read_track(folder, video, dropped, usual_first)
    if track is not None:
      yield track


def _read_track(folder: Path, video: VideoFiles, dropped: Dropped,
                usual_first: Callable[[], int | None]) -> RawTrack | None:
  """The track of a video, or None after noting why there is none."""
  name = video.name
  boxes = _read_boxes(name, video.boxes, dropped)
  if boxes is None:
    return None
  images = _images(folder, video)
  if not images:
    dropped.add(NO_IMAGES, name)
    return None
  absent = _read_absent(video, len(boxes), dropped)
  if absent is None:
    return None
  rows = pairing.pair(images, len(boxes), first=video.first,
                      frame_range=video.frame_range, usual_first=usual_first)
  if rows is None:
    dropped.add(UNCLEAR,
                f'{name}, {len(boxes)} boxes and {len(images)} images')
    return None
  known = rows >= 0
  dropped.add('frames: images without a box', name, (~known).sum())
  dropped.add('frames: more boxes than images', name,
              len(boxes) - known.sum())
  if not known.any():
    return None
  kept = [image for image, keep in zip(images, known, strict=True) if keep]
  return RawTrack(name, kept, from_zero(boxes[rows[known]], video.origin),
                  absent[rows[known]])


def _usual_first(folder: Path, videos: list[VideoFiles]) -> int | None:
  """What complete videos count their images from; None if they differ."""
  found = set()
  for video in videos:
    images = _images(folder, video)
    first = pairing.starts_at(images) if images else None
    boxes = _read_boxes(video.name, video.boxes, Dropped())
    if first is not None and boxes is not None and len(boxes) == len(images):
      found.add(first)
  return found.pop() if len(found) == 1 else None


def _read_boxes(name: str, path: Path, dropped: Dropped) -> np.ndarray | None:
  try:
    return text.read_boxes(path)
  except UnreachableError:
    raise
  except UserError as error:
    there = not isinstance(error.__cause__, FileNotFoundError)
    dropped.add(UNREADABLE if there else NO_ANNOTATION, name)
  return None


def _images(folder: Path, video: VideoFiles) -> list[str]:
  """In order, relative to the data set's folder."""
  if video.images is None:
    return []
  return scan.images(folder, video.images.relative_to(folder).as_posix())


def _read_absent(video: VideoFiles, count: int,
                 dropped: Dropped) -> np.ndarray | None:
  """[count] bool, or None after noting why a file of flags is of no use."""
  absent = np.zeros(count, bool)
  for path, out_of_sight in video.absent.items():
    if not os.path.exists(path):
      continue
    try:
      values = text.read_flags(path)
    except UnreachableError:
      raise
    except UserError:
      values = np.empty(0)
    if len(values) != count:
      dropped.add('tracks: not one label for each box' if len(values) else
                  'tracks: labels cannot be read', video.name)
      return None
    absent |= values == out_of_sight
  return absent
