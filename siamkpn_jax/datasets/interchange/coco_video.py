"""COCO's JSON with videos: boxes with track ids.

Two forms. As in TAO and CocoVID: images with `video_id` and their number in the
video (`frame_id` or `frame_index`), annotations with `image_id`, `bbox` and
`track_id` or `instance_id`. As in YouTube-VIS: videos with `file_names`,
annotations with `video_id` and `bboxes`, null where the target is not seen.

Source: Dave et al., "TAO", ECCV 2020; Yang et al., "Video Instance
Segmentation", ICCV 2019; MMTracking's CocoVID.
"""

import math
from typing import Any

from siamkpn_jax.core.numbers import real
from siamkpn_jax.datasets.interchange.labeled import (
  LABEL,
  Box,
  Target,
  Video,
)

Id = int | str


def is_coco_video(content: Any) -> bool:
  """Whether what was read of a file of JSON is one."""
  return isinstance(content, dict) and bool(content.get('videos')) and (
      isinstance(content['videos'], list) and
      isinstance(content.get('annotations'), list))


def is_crowd(value: Any) -> bool:
  """What `iscrowd` says; some programs write it as text.

  Raises:
    ValueError: it is neither.
  """
  if isinstance(value, str):
    value = {'': 0, 'false': 0, 'true': 1}.get(value.lower(), value)
  if isinstance(value, bool):
    return value
  try:
    number = 0.0 if value is None else real(value)
  except OverflowError:  # an integer of hundreds of digits
    number = math.inf
  if number not in (0, 1):
    raise ValueError('neither 0 nor 1')
  return number == 1


def parse(content: Any) -> list[Video] | None:
  """The videos of a file, as JSON was read; None: it is of something else."""
  if not is_coco_video(content):
    return None
  videos: dict[Id, Video] = {}
  lost = Video('')  # takes what belongs to no video
  for number, entry in enumerate(content['videos']):
    try:
      video = _video(entry)
      if videos.setdefault(_id(entry['id']), video) is not video:
        raise ValueError('twice')
    except (LookupError, TypeError, ValueError, AttributeError):
      lost.bad.append(f'video {number}')
  labels = _labels(content.get('categories'))
  images = content.get('images')
  frames = _frames(images if isinstance(images, list) else [], videos, lost)
  _add_targets(content['annotations'], labels, videos, frames, lost)
  some = [video for video in videos.values() if video.targets]
  return some + [lost] * bool(lost.bad or lost.unused)


def _add_targets(annotations: list[Any], labels: dict[Id, str],
                 videos: dict[Id, Video], frames: dict[Id, tuple[Id, int]],
                 lost: Video) -> None:
  """Gives the videos their targets."""
  found: dict[tuple[Id, Id], tuple[str, dict[int, Box]]] = {}
  for number, entry in enumerate(annotations):
    try:
      where, boxes = _annotation(number, entry, videos, frames)
      label = labels.get(_id(entry.get('category_id', '')), '')
      _, have = found.setdefault(where, (label, {}))
      if have.keys() & boxes.keys():
        raise ValueError('twice')
      have.update(boxes)
    except _UnusedError as error:
      lost.unused.append(f'annotation {number}: {error}')
    except (LookupError, TypeError, ValueError, AttributeError):
      lost.bad.append(f'annotation {number}')
  numbered = {where for where in found
              if isinstance(where[1], int) and where[1] >= 0}
  for where in sorted(found, key=lambda where: where not in numbered):
    label, boxes = found[where]
    video, id = videos[where[0]], where[1]
    if not isinstance(id, int) or where not in numbered:
      id = 1 + max((target.id for target in video.targets), default=0)
    video.add(id, label, dict(sorted(boxes.items())))


class _UnusedError(Exception):
  """An entry that is no box of a target."""


def _video(entry: dict[str, Any]) -> Video:
  files = entry.get('file_names')
  name = entry.get('name') or (
      files[0].rpartition('/')[0] if isinstance(files, list) and files and
      isinstance(files[0], str) else '')
  if not isinstance(name, str):
    raise TypeError('not a name')
  video = Video(name)
  if isinstance(files, list):
    if not all(isinstance(file, str) for file in files):
      raise TypeError('not names')
    video.files = dict(enumerate(files, start=1))
    video.length = len(files)
  sides = entry.get('width'), entry.get('height')
  if all(type(side) is int and side > 0 for side in sides):
    video.size = int(sides[0]), int(sides[1])  # type: ignore[arg-type]
  return video


def _frames(images: list[Any], videos: dict[Id, Video],
            lost: Video) -> dict[Id, tuple[Id, int]]:
  """Image -> its video and frame, from 1; the files go to the videos."""
  numbers: dict[Id, dict[int, tuple[Id, str]]] = {}
  seen: set[Id] = set()
  for place, image in enumerate(images):
    try:
      key, home, file = _id(image['id']), _id(image['video_id']), (
          image['file_name'])
      number = image['frame_id'] if 'frame_id' in image else (
          image['frame_index'])
      if (type(number) is not int or not 0 <= number < 2**53 or
          home not in videos or key in seen or not isinstance(file, str) or
          number in numbers.get(home, ())):
        raise ValueError('not an image of a video')
    except (LookupError, TypeError, ValueError):
      lost.bad.append(f'image {place}')
      continue
    seen.add(key)
    numbers.setdefault(home, {})[number] = key, file
  found: dict[Id, tuple[Id, int]] = {}
  # Programs count all videos of a file alike.
  from_zero = any(0 in of_video for of_video in numbers.values())
  for home, of_video in numbers.items():
    video, first = videos[home], min(of_video)
    if first > 1 and not from_zero:
      video.unclear = (f'its first image has the number {first}, which may be '
                       'counted from 0 or 1')
    for number, (key, file) in sorted(of_video.items()):
      frame = number + from_zero
      found[key] = home, frame
      video.files[frame] = file
    video.length = max(video.length, len(of_video))
  return found


def _annotation(number: int, entry: dict[str, Any], videos: dict[Id, Video],
                frames: dict[Id, tuple[Id, int]]
                ) -> tuple[tuple[Id, Id], dict[int, Box]]:
  """(Video, target) and its boxes by frame."""
  if is_crowd(entry.get('iscrowd')):
    raise _UnusedError('a crowd')
  if 'bboxes' in entry:
    home = _id(entry['video_id'])
    given = entry['bboxes']
    if not isinstance(given, list) or len(given) != videos[home].length:
      raise ValueError('not a box for each frame')
    boxes = {frame: _box(box) for frame, box in enumerate(given, start=1)
             if box is not None}
    return (home, _id(entry.get('id', number))), boxes
  home, frame = frames[_id(entry['image_id'])]
  for key in ('track_id', 'instance_id'):
    if key in entry:
      return (home, _id(entry[key])), {frame: _box(entry['bbox'])}
  raise _UnusedError('without a track_id')


def _box(value: Any) -> Box:
  if not isinstance(value, list) or len(value) != 4 or not all(
      isinstance(x, int | float) and not isinstance(x, bool) and
      abs(x) < 1e9 and math.isfinite(x) for x in value):
    raise ValueError('not a box')
  left, top, width, height = map(float, value)
  return left, top, width, height


def _id(value: Any) -> Id:
  if isinstance(value, bool) or not isinstance(value, int | str):
    raise TypeError('not an id')
  return value


def _labels(categories: Any) -> dict[Id, str]:
  found: dict[Id, str] = {}
  for entry in categories if isinstance(categories, list) else ():
    if isinstance(entry, dict) and isinstance(entry.get('name'), str) and (
        isinstance(entry.get('id'), int | str)):
      found[entry['id']] = entry['name']
  return found


def write(video: Video) -> dict[str, Any]:
  """The labels of one video as CocoVID has them, with TAO's `track_id` too.

  Images may lack a name.
  """
  names = sorted({target.label or LABEL for target in video.targets})
  length = max([video.length, *(frame for target in video.targets
                                for frame in target.boxes_xywh)])
  size = {} if video.size is None else {
      'width': video.size[0], 'height': video.size[1]}
  return {
      'videos': [{'id': 1, 'name': video.name, **size}],
      'categories': [{'id': k, 'name': name}
                     for k, name in enumerate(names, start=1)],
      'images': [{'id': frame, 'video_id': 1, 'frame_id': frame - 1,
                  'file_name': video.files.get(frame, f'{frame:06d}.jpg'),
                  **size} for frame in range(1, length + 1)],
      'annotations': [
          {'id': number, **entry} for number, entry in enumerate(
              (entry for target in video.targets
               for entry in _entries(target, names)), start=1)]}


def _entries(target: Target, names: list[str]) -> list[dict[str, Any]]:
  return [{'image_id': frame, 'video_id': 1, 'instance_id': target.id,
           'track_id': target.id,
           'category_id': 1 + names.index(target.label or LABEL),
           'bbox': list(box), 'area': box[2] * box[3], 'iscrowd': 0}
          for frame, box in sorted(target.boxes_xywh.items())]
