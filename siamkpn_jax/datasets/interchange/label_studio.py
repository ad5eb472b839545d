"""Label Studio's export of rectangles in videos, as JSON or JSON-MIN.

A list of tasks, or of one entry per annotation with its values alone. A
rectangle is a sequence of key frames, counted from 1, in percent of the frame.
Between two of them it is interpolated. Where "enabled" is false the target is
still seen in that frame, and out of sight after it, to the next key; after a
last one that is enabled it stays to the end of the video.

Boxes that were rotated are refused: percent of width and of height are not the
same length, and the size of the frame is not in the file.

Source: https://labelstud.io/tags/videorectangle.
"""

import contextlib
import math
from typing import Any
from urllib.parse import unquote

from siamkpn_jax.datasets.interchange.labeled import (
  LABEL,
  Box,
  Video,
  filled,
)

_KIND = 'videorectangle'
_FRAMES = 10**7  # no video is longer
# What a file has near its beginning, on any way: the kind of a region may stand
# behind thousands of key frames, or nowhere.
_SIGNS = (f'"{_KIND}"'.encode(),), (b'"sequence"', b'"frame"', b'"enabled"')


def is_label_studio(head: bytes) -> bool:
  """Whether a file that begins so may be Label Studio's."""
  return head.lstrip(b'\xef\xbb\xbf \t\r\n').startswith(b'[') and any(
      all(name in head for name in names) for names in _SIGNS)


def parse(content: Any, *, predictions: bool = False) -> list[Video] | None:
  """The videos of a file, as JSON was read; None: it is of something else.

  Args:
    content: of the file.
    predictions: take a task's where nobody has annotated it; they are what a
      tracker found, and no truth to train on.

  Raises:
    ValueError: more boxes than are read.
  """
  if not isinstance(content, list) or not content or not all(
      isinstance(task, dict) for task in content):
    return None
  if not all('data' in task and 'annotations' in task for task in content):
    content = _tasks(content)
  return [_video(number, task, predictions)
          for number, task in enumerate(content, 1)] or None


def _tasks(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
  """The tasks of JSON-MIN; [] if it is something else.

  There, annotations of a task by several people are entries with its id.
  """
  tasks: dict[str, dict[str, Any]] = {}
  for entry in entries:
    result = [{'type': _KIND, 'id': f'{name} {number}', 'value': value}
              for name, values in entry.items() if isinstance(values, list)
              for number, value in enumerate(values, 1)
              if isinstance(value, dict) and isinstance(
                  value.get('sequence'), list)]
    if result:
      task = tasks.setdefault(repr(entry.get('id')),
                              {'data': entry, 'annotations': []})
      task['annotations'].append({'result': result})
  return list(tasks.values())


def _video(number: int, task: dict[str, Any], predictions: bool) -> Video:
  data = task['data']
  names = [v for v in data.values() if isinstance(v, str)] if isinstance(
      data, dict) else []
  named = data.get('video') if isinstance(data, dict) else None
  name = named if isinstance(named, str) else (names or [''])[0]
  name = unquote(name.partition('?')[0]).replace('\\', '/').rpartition('/')[2]
  video = Video(name, relative=True)
  done = _finished(task['annotations'])
  if predictions and not done:
    done = _finished(task.get('predictions'))
  if len(done) > 1:  # by several people, of the same targets
    video.bad.append(f'task {number} has {len(done)} annotations; which to '
                     'take cannot be told')
    return video
  for region in done[0]['result'] if done else ():
    if not isinstance(region, dict) or region.get('type') != _KIND:
      video.unused.append(f'task {number}: a result that is no {_KIND}')
      continue
    where = f'task {number}, region {region.get("id")!s:.40}'
    try:
      label, boxes = _region(region['value'], video)
    except (LookupError, TypeError, AttributeError):
      video.bad.append(where)
    except _BadKeyError as error:
      video.bad.append(f'{where}, {error}')
    else:
      video.add(len(video.targets) + 1, label, boxes)
  return video


def _finished(results: Any) -> list[dict[str, Any]]:
  return [one for one in results if isinstance(one, dict) and isinstance(
      one.get('result'), list) and not one.get('was_cancelled')] if isinstance(
          results, list) else []


class _BadKeyError(Exception):
  """A key frame that cannot be used."""


def _region(value: dict[str, Any], video: Video
            ) -> tuple[str, dict[int, Box]]:
  keys: dict[int, tuple[Box, bool]] = {}
  for key in value['sequence']:
    try:
      frame, enabled = key['frame'], key.get('enabled', True)
      sides = [_number(key[side]) / 100
               for side in ('x', 'y', 'width', 'height')]
      if type(frame) is not int or not 0 < frame <= _FRAMES or (
          frame in keys or not isinstance(enabled, bool)):
        raise ValueError('not a key frame')
      rotated = _number(key.get('rotation') or 0) % 360
    except (LookupError, TypeError, ValueError, AttributeError):
      raise _BadKeyError('a key frame that cannot be read') from None
    if rotated:
      raise _BadKeyError(f'frame {frame} is rotated, which is not read')
    left, top, width, height = sides
    keys[frame] = (left, top, width, height), enabled
    with contextlib.suppress(TypeError, ValueError):
      video.times[frame] = _number(key.get('time'))
  length = value.get('framesCount')
  if type(length) is int and 0 < length <= _FRAMES:
    video.length = max(video.length, length)
    last = max(keys, default=0)
    if keys and keys[last][1] and last < length:
      keys[length] = keys[last][0], False
  labels = value.get('labels')
  label = labels[0] if isinstance(labels, list) and labels else ''
  return label if isinstance(label, str) else '', filled(keys)


def _number(value: Any) -> float:
  if isinstance(value, bool) or not isinstance(value, int | float):
    raise TypeError('not a number')
  number = float(value) if abs(value) < 1e9 else math.nan
  if not math.isfinite(number):
    raise ValueError('not finite')
  return number


def write(video: Video) -> list[dict[str, Any]]:
  """A task with predictions, as Label Studio imports it, every frame a key.

  Args:
    video: whose size is known, unless its boxes are fractions.
  """
  width, height = (1, 1) if video.relative else video.size or (0, 0)
  if not (width and height):
    raise ValueError('the size of the frame is not known')
  result = []
  for target in video.targets:
    sequence = []
    for frame, (x, y, w, h) in sorted(target.boxes_xywh.items()):
      sequence.append({
          'frame': frame, 'enabled': frame + 1 in target.boxes_xywh,
          'rotation': 0, 'x': 100 * x / width, 'y': 100 * y / height,
          'width': 100 * w / width, 'height': 100 * h / height})
    result.append({
        'id': f'target{target.id}', 'type': _KIND, 'from_name': 'box',
        'to_name': 'video', 'value': {
            'framesCount': video.length, 'sequence': sequence,
            'labels': [target.label or LABEL]}})
  return [{'data': {'video': video.name}, 'annotations': [],
           'predictions': [{'model_version': 'siamkpn_jax',
                            'result': result}]}]
