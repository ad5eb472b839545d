"""CVAT's XML, version 1.1, "for video" and "for images".

For video: a <track> has a <box> for every frame, interpolated ones (keyframe
"0") as well as given ones; where a file has given ones alone, those in between
are interpolated as CVAT does. A target is out of sight in frames that are
"outside"; "occluded" is a part of it, so such boxes count. Frames are counted
from 0, in the video from which the task was made.

For images: an <image> has its boxes. What belongs together says an attribute
"track_id"; a box without it is a target of its own.

A rotated box becomes the upright one around it.

Source: https://docs.cvat.ai/docs/manual/advanced/xml_format.
"""

import math
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from siamkpn_jax.core.numbers import is_count, real
from siamkpn_jax.datasets.interchange import safe_xml
from siamkpn_jax.datasets.interchange.labeled import (
  LABEL,
  Box,
  Video,
  filled,
)

_Element = ElementTree.Element
_YES = ('1', 'True', 'true')


def is_cvat(head: bytes) -> bool:
  """Whether a file that begins so is CVAT's."""
  return b'<annotations' in head


def parse(data: bytes) -> Video | None:
  """The labels in a file; None: it is XML of something else.

  Raises:
    ValueError: it cannot be read at all, or is of several videos.
  """
  root = safe_xml.parse(data)
  if root.tag != 'annotations':
    return None
  parents = {e.get('task_id') for kind in ('track', 'image')
             for e in root.iter(kind)}
  tasks = [e for e in root.iterfind('meta//') if e.tag in ('task', 'job')]
  # Of a project, frames are counted through its tasks, labeled or not.
  if len(parents) > 1 or len(tasks) > 1:
    raise ValueError('of several tasks: export each alone')
  task = tasks[0] if tasks else ElementTree.Element('task')
  video = Video(task.findtext('source') or task.findtext('name') or '')
  video.length, start = _count(task, 'size'), _count(task, 'start_frame')
  video.first = start + 1
  step = (task.findtext('frame_filter') or '').strip().removeprefix('step=')
  video.step = int(step) if is_count(step) and len(step) < 6 and (
      int(step)) else 1
  size = root.find('meta//original_size')  # of a job it is beside it
  if size is not None:
    sides = _count(size, 'width'), _count(size, 'height')
    video.size = sides if all(sides) else None
  if root.find('track') is None and root.find('image') is not None:
    _images(root.iter('image'), video)
  else:
    _tracks(root.iter('track'), video)
  return video


def _tracks(tracks: Iterable[_Element], video: Video) -> None:
  ids: set[int] = set()
  for number, track in enumerate(tracks):
    where = f'track {track.get("id", number)!s:.40}'
    try:
      id = _whole(track.get('id'))
      if id in ids:
        raise ValueError('twice')
    except ValueError:
      video.bad.append(f'{where}: its id is none of its own')
      continue
    ids.add(id)
    keys: dict[int, tuple[Box, bool]] = {}
    out = set()
    for item in track.iter('box'):
      try:
        frame = _whole(item.get('frame')) + 1
        if frame in keys:
          raise ValueError('twice')
        outside = _flag(item.get('outside'))
        keys[frame] = _box(item), not outside
      except ValueError:
        video.bad.append(f'{where}, frame {item.get("frame")!s:.40}')
        continue
      if outside:
        out.add(frame)
    boxes = filled(keys)
    video.add(id, track.get('label', ''), {
        frame: box for frame, box in boxes.items() if frame not in out})


def _images(images: Iterable[_Element], video: Video) -> None:
  found: dict[int, dict[int, Box]] = {}
  labels: dict[int, str] = {}
  alone: list[tuple[str, int, Box]] = []
  for image in images:
    where = f'image {image.get("id")!s:.40}'
    try:
      frame = _whole(image.get('id')) + 1
      if frame in video.files:
        raise ValueError('twice')
    except ValueError:
      video.bad.append(where)
      continue
    video.files[frame] = image.get('name', '')
    for item in _seen(image):
      try:
        box, id = _box(item), _track_id(item)
        if id is not None and frame in found.get(id, ()):
          raise ValueError('twice')
      except ValueError:
        video.bad.append(f'{where}, a box')
        continue
      label = item.get('label', '')
      if id is None:
        alone.append((label, frame, box))
      else:
        found.setdefault(id, {})[frame] = box
        labels.setdefault(id, label)
  for id, boxes in found.items():
    video.add(id, labels[id], boxes)
  for id, (label, frame, box) in enumerate(alone, max(found, default=-1) + 1):
    video.add(id, label, {frame: box})


def _seen(image: _Element) -> list[_Element]:
  """Its boxes; Datumaro writes those that are out of sight, too."""
  return [e for e in image.iter('box') if e.get('outside') not in _YES]


def _track_id(item: _Element) -> int | None:
  given = item.get('track_id')
  for attribute in item.iter('attribute'):
    if attribute.get('name') == 'track_id':
      given = attribute.text
  return None if given is None or not given.strip() else _whole(given)


def _box(item: _Element) -> Box:
  x0, y0, x1, y1 = (_number(item.get(key))
                    for key in ('xtl', 'ytl', 'xbr', 'ybr'))
  angle = _number(item.get('rotation', '0'))
  if not all(map(math.isfinite, (x0, y0, x1, y1, angle))):
    raise ValueError('not finite')
  return upright((x0, y0, x1 - x0, y1 - y0), angle)


def upright(box: Box, degrees: float) -> Box:
  """The upright box around one that is rotated about its center."""
  x, y, w, h = box
  if not degrees % 360:
    return box
  turn = math.radians(degrees)
  width = abs(w * math.cos(turn)) + abs(h * math.sin(turn))
  height = abs(w * math.sin(turn)) + abs(h * math.cos(turn))
  return x + (w - width) / 2, y + (h - height) / 2, width, height


def _number(value: str | None) -> float:
  if value is None:
    raise ValueError('not a number')
  return real(value)


def _whole(value: str | None) -> int:
  text = (value or '').strip()
  if not (is_count(text) and len(text) < 10):
    raise ValueError('not a count')
  return int(text)


def _count(item: _Element, key: str) -> int:
  try:
    return _whole(item.findtext(key))
  except ValueError:
    return 0


def _flag(value: str | None) -> bool:
  if value not in (None, '0', 'False', 'false', *_YES):
    raise ValueError('neither 0 nor 1')
  return value in _YES


def write(video: Video) -> str:
  """The labels for CVAT, "for video": every box given, none interpolated."""
  lines = ['<?xml version="1.0" encoding="utf-8"?>', '<annotations>',
           '  <version>1.1</version>', *_meta(video)]
  for target in video.targets:
    lines.append(f'  <track id="{target.id}" label='
                 f'{quoteattr(target.label or LABEL)} source="auto">')
    frames = sorted(target.boxes_xywh)
    for frame in frames:
      box = target.boxes_xywh[frame]
      lines.append(_line(frame, box, outside=False))
      ended = frame + 1 not in target.boxes_xywh
      if ended and not (video.length and frame >= video.length):
        lines.append(_line(frame + 1, box, outside=True))
    lines.append('  </track>')
  return '\n'.join([*lines, '</annotations>', ''])


def _meta(video: Video) -> list[str]:
  """Of the task; CVAT does without, Datumaro looks for labels here."""
  labels = sorted({target.label or LABEL for target in video.targets})
  # XML has no control characters, nor halves of surrogate pairs.
  name = escape(''.join(c if c.isprintable() else '?' for c in video.name))
  lines = ['  <meta>', '    <task>', f'      <name>{name}</name>',
           f'      <size>{video.length}</size>',
           '      <mode>interpolation</mode>',
           '      <start_frame>0</start_frame>',
           f'      <stop_frame>{max(0, video.length - 1)}</stop_frame>',
           '      <frame_filter></frame_filter>', '      <labels>']
  lines += [f'        <label><name>{escape(label)}</name>'
            '<attributes></attributes></label>' for label in labels]
  lines.append('      </labels>')
  if video.size:
    width, height = video.size
    lines.append(f'      <original_size><width>{width}</width>'
                 f'<height>{height}</height></original_size>')
  return [*lines, f'      <source>{name}</source>', '    </task>', '  </meta>']


def _line(frame: int, box: Box, *, outside: bool) -> str:
  x, y, w, h = box
  return (f'    <box frame="{frame - 1}" keyframe="1" outside="{outside:d}" '
          f'occluded="0" xtl="{x:.2f}" ytl="{y:.2f}" xbr="{x + w:.2f}" '
          f'ybr="{y + h:.2f}" z_order="0"></box>')
