"""COCO: every box of a still image is a track of one frame.

  annotations/instances_train2017.json    or the only instances*.json in
                                          annotations/ or in the folder itself
  train2017/<file_name>                   or images/train2017/, images/,
                                          beside the JSON, or in the folder

Programs for labeling write the same under other names, which are read too if
there is no instances*.json: result.json (Label Studio),
train/_annotations.coco.json (Roboflow), annotations.json, labels.json and
coco.json, in annotations/, in the folder or in its train/. File names may have
Windows' separators.

A file with videos and track ids (see `interchange.coco_video`) has tracks of
many frames.

Source: Lin et al., "Microsoft COCO", ECCV 2014; https://cocodataset.org.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.datasets.formats import json_file, scan
from siamkpn_jax.datasets.formats.labeled import raw_tracks
from siamkpn_jax.datasets.interchange import coco_video
from siamkpn_jax.datasets.interchange.labeled import Video
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('annotations/instances_train2017.json (or one other '
            'instances*.json, result.json or _annotations.coco.json) and '
            'train2017/<file_name>')

_OTHERS = ('_annotations.coco.json', 'result.json', 'annotations.json',
           'labels.json', 'coco.json')

# Paths of images below their folder; None for an id of several images.
_Files = dict[int | float | str, str | None]


def annotations(folder: Path) -> list[Path]:
  """See `Layout`; [] also where it is unclear which file to read."""
  for home in (folder / 'annotations', folder):
    found = sorted(n for n in scan.names(home)
                   if n.startswith('instances') and n.endswith('.json'))
    # The official archive also holds instances_val2017.json.
    if 'instances_train2017.json' in found:
      return [home / 'instances_train2017.json']
    train = [n for n in found if 'train' in n] or found
    if found:
      return [home / train[0]] if len(train) == 1 else []
  return _of_other_programs(folder)


def _of_other_programs(folder: Path) -> list[Path]:
  """The first file that has one of their names and looks like COCO's."""
  for home in (folder / 'annotations', folder, folder / 'train'):
    there = scan.names(home)
    for path in [home / name for name in _OTHERS if name in there]:
      head = scan.head(path)
      if head.lstrip(b'\xef\xbb\xbf \t\r\n').startswith(b'{') and (
          any(name in head for name in (
              b'"images"', b'"annotations"', b'"videos"'))):
        return [path]
  return []


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`; crowds, which have no box of one target, are left out."""
  for path in annotations(folder):
    try:
      content = json_file.read(path, _without_contours)
      videos = coco_video.parse(content)
      images, boxes = ([], []) if videos is not None else (
          content['images'], content['annotations'])
      if not isinstance(images, list) or not isinstance(boxes, list):
        raise TypeError('not lists')
    except (ValueError, LookupError, TypeError):
      dropped.add('files: annotation cannot be read', str(path))
      continue
    if videos is not None:
      yield from _of_videos(folder, path, videos, dropped)
      continue
    unread = Dropped()
    files = _files(images, unread)
    if images and not files:
      dropped.add('files: annotation cannot be read', str(path))
      continue
    dropped.update(unread)
    files = _found(folder, path, files)
    for number, box in enumerate(boxes):
      track = _track(number, box, files, dropped)
      if track is not None:
        yield track


def _of_videos(folder: Path, path: Path, videos: Sequence[Video],
               dropped: Dropped) -> Iterator[RawTrack]:
  every = _found(folder, path, {
      f'{number}/{frame}': file for number, video in enumerate(videos)
      for frame, file in video.files.items()})
  for number, video in enumerate(videos):
    files = {frame: every[f'{number}/{frame}'] or '' for frame in video.files}
    yield from raw_tracks(f'{number}-{video.name}', video, files, dropped)


def _without_contours(value: dict[str, Any]) -> dict[str, Any]:
  """Drops what fills most of the 450 MB while they are being read."""
  value.pop('segmentation', None)
  return value


def _files(images: list[Any], dropped: Dropped) -> _Files:
  """The name of each image."""
  files: _Files = {}
  for number, image in enumerate(images):
    try:
      key, file = _key(image['id']), image['file_name']
      if not isinstance(file, str):
        raise TypeError('not a name')
    except (LookupError, TypeError):
      dropped.add('images: entry cannot be read', f'image {number}')
      continue
    if files.setdefault(key, file) != file:
      files[key] = None
      dropped.add('images: of an id that another has', f'{key}, {file}')
  return files


def _key(value: Any) -> int | float | str:
  """The id of an image.

  Raises:
    TypeError: it cannot be one.
  """
  if not isinstance(value, int | float | str):
    raise TypeError('not an id')
  return value


def _found(folder: Path, path: Path, files: _Files) -> _Files:
  """The files below the set's folder, in the place that holds one of the first.

  Where none does, that is the usual place.
  """
  split = path.stem.removeprefix('instances').removeprefix('_')
  places = ['images/', f'{path.parent.relative_to(folder).as_posix()}/', './']
  if split and path.stem.startswith('instances'):
    places = [f'{split}/', f'images/{split}/', *places]
  some = list(itertools.islice(filter(None, files.values()), 100))
  place = next((place for place in places if any(
      os.path.isfile(folder / scan.spelled(folder, place + file))
      for file in some)), places[0])
  place = place.removeprefix('./')
  return {key: file and scan.spelled(folder, place + file.removeprefix('./'))
          for key, file in files.items()}


def _track(number: int, box: Any, files: _Files,
           dropped: Dropped) -> RawTrack | None:
  name = f'annotation {number}'
  try:
    image, crowd = _key(box['image_id']), coco_video.is_crowd(
        box.get('iscrowd'))
    name = f'{image}/{_key(box.get("id", number))}'
    boxes_xywh = np.array([json_file.numbers(box['bbox'], 4)], np.float64)
  except (LookupError, TypeError, ValueError, AttributeError):
    dropped.add('boxes: cannot be read', name)
    return None
  file = files.get(image)
  if crowd:
    dropped.add('boxes: crowd', name)
  elif file is None:
    dropped.add('boxes: of an image whose id is used twice' if image in files
                else 'boxes: of an unknown image', name)
  else:
    return RawTrack(name, [file], boxes_xywh, np.zeros(1, bool))
  return None
