"""Own data as programs for labeling videos export it.

  annotations.xml                 CVAT, "for video 1.1" or "for images 1.1",
  images/frame_000000.png ...     saved with images

  <name>.json                     Label Studio, JSON, of rectangles in videos
  <video>/000001.jpg ...          the frames of each, counted from 1, in a
                                  folder that has the name of the video's file

  annotations/instances*.json     COCO with videos and track ids, whose files
  <file_name>                     lie as those of `coco`

Each video of CVAT may also have a folder of its own, <video>/annotations.xml.
In CVAT frames are counted from 0. Where its images are as many as the frames
that were labeled they belong together in order, else by the numbers in their
names: frame_000007.png is frame 7.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siamkpn_jax.core import reading
from siamkpn_jax.datasets.formats import json_file, pairing, scan
from siamkpn_jax.datasets.formats.video import NO_IMAGES, UNCLEAR
from siamkpn_jax.datasets.interchange import cvat, label_studio
from siamkpn_jax.datasets.interchange.labeled import Video
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('annotations.xml and images/ (CVAT), or <name>.json and '
            '<video>/000001.jpg (Label Studio)')

_XML = 'annotations.xml'
_IMAGES = ('images', 'data', 'img', '')
_UNREADABLE = 'files: annotation cannot be read'


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  homes = [folder, *map(folder.joinpath, scan.folders(folder))]
  xmls = [home / _XML for home in homes if _XML in scan.names(home)]
  return [path for path in xmls if cvat.is_cvat(scan.head(path))] + [
      path for path in scan.files(folder, '.json')
      if label_studio.is_label_studio(scan.head(path))]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`."""
  for path in annotations(folder):
    place = path.relative_to(folder).as_posix()
    try:
      if path.name == _XML:
        video = cvat.parse(reading.read_bytes(path))
        videos = [video] if video else []
      else:
        videos = label_studio.parse(json_file.read(path)) or []
    except ValueError:
      dropped.add(_UNREADABLE, place)
      continue
    for number, video in enumerate(videos):
      name = path.parent.relative_to(folder).as_posix() if (
          path.name == _XML) else f'{path.stem}/{number}-{video.name}'
      files = (_of_cvat if path.name == _XML else _of_label_studio)(
          folder, path, video)
      yield from raw_tracks(name.removeprefix('.').lstrip('/') or path.stem,
                            video, files, dropped)


def raw_tracks(name: str, video: Video, files: dict[int, str] | None,
               dropped: Dropped) -> Iterator[RawTrack]:
  """The tracks of a video, whose name is unique in its set.

  `files` has the image of each frame, relative to the set's folder; it is None
  where which is which cannot be told.
  """
  for reason, texts in (('boxes: cannot be read', video.bad),
                        ('boxes: not of a target', video.unused)):
    for text in texts:
      dropped.add(reason, f'{name}, {text}')
  if not video.targets:
    return
  if not files:
    dropped.add(UNCLEAR if files is None else NO_IMAGES, name)
    return
  for target in video.targets:
    frames = sorted(target.boxes_xywh.keys() & files.keys())
    dropped.add('frames: image missing', f'{name}/{target.id}',
                len(target.boxes_xywh) - len(frames))
    if frames:
      yield RawTrack(
          f'{name}/{target.id}', [files[frame] for frame in frames],
          np.array([target.boxes_xywh[frame] for frame in frames], np.float64),
          np.zeros(len(frames), bool), video.relative)


def _of_cvat(folder: Path, path: Path, video: Video) -> dict[int, str] | None:
  home = path.parent.relative_to(folder)
  # The only task of a project has its images in a folder for its subset.
  subsets = scan.folders(folder / home / _IMAGES[0])
  for sub in (*_IMAGES, *(f'{_IMAGES[0]}/{name}' for name in subsets[:1]
                          if len(subsets) == 1)):
    place = (home / sub).as_posix()
    place = '' if place == '.' else place
    images = scan.images(folder, place)
    if not images:
      continue
    if video.files:  # for images: they have names
      return _named(folder, place, images, video.files)
    return _in_order(images, video.length, video.first, video.step)
  return {}


def _named(folder: Path, place: str, images: list[str], files: dict[int, str]
           ) -> dict[int, str]:
  """The images that are there; of a video, CVAT names them without suffix."""
  there = {image.rpartition('.')[0]: image for image in images}
  there |= {image: image for image in images}
  named = {frame: scan.spelled(folder, f'{place}/{name}'.lstrip('/'))
           for frame, name in files.items()}
  return {frame: there.get(name, name) for frame, name in named.items()
          if name in there or (folder / name).is_file()}


def _in_order(images: list[str], length: int, first: int, step: int
              ) -> dict[int, str] | None:
  images = pairing.frames_only(images)
  if len(images) == length:
    return {first + k * step: image for k, image in enumerate(images)}
  numbers = pairing.frame_numbers(images)
  if numbers is None or not all(
      scan.stem(image).startswith('frame_') for image in images):
    return None
  return {number + 1: image
          for number, image in zip(numbers, images, strict=True)}


def _of_label_studio(folder: Path, path: Path, video: Video
                     ) -> dict[int, str] | None:
  # An uploaded file gets 8 digits and a minus sign before its name.
  stem = scan.stem(video.name)
  names = [stem, stem.partition('-')[2]] if stem[8:9] == '-' else [stem]
  there = scan.names(folder)
  home = next((name for name in names if name and name in there), None)
  images = pairing.frames_only(scan.images(folder, home)) if home else []
  if not images:
    return {}
  numbers = pairing.frame_numbers(images)
  if numbers is None or numbers[0] < 1 or (
      numbers[0] > 1 and len(images) == video.length):
    return None
  # It counts by a rate of its own, which need not be the video's.
  if video.length and (
      abs(video.length - numbers[-1]) > max(2, video.length // 100)):
    return None
  return dict(zip(numbers, images, strict=True))
