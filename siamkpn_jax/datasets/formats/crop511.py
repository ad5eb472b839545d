"""Training crops in the layout that pysot's scripts write.

Sizes are taken from the boxes; the target of a crop is always in its middle.

  train.json    {video: {track: {frame: [x1, y1, x2, y2]}}}, pixels of the
                original image, or [w, h]; beside crop511/ also
                train2017.json, as of COCO
  crop511/<video>/<frame:06d>.<track>.x.jpg    511 pixels square, the target in
                the middle, at the scale of the template; crop511/ may be
                missing
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.file_names import stays_inside
from siamkpn_jax.datasets.formats import json_file, scan
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('train.json, {video: {track: {frame: [x1, y1, x2, y2]}}}, and '
            'crop511/<video>/<frame>.<track>.x.jpg')


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  names = ['train.json']
  if (folder / 'crop511').is_dir():
    names.append('train2017.json')
  return [folder / name for name in names if (folder / name).is_file()][:1]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`; boxes are in pixels of the crops."""
  prefix = 'crop511/' if (folder / 'crop511').is_dir() else ''
  for path in annotations(folder):
    try:
      videos = json_file.read(path)
    except ValueError:
      videos = None
    if not isinstance(videos, dict):
      dropped.add('files: annotation cannot be read', str(path))
      continue
    for video, of_video in videos.items():
      if not isinstance(of_video, dict):
        dropped.add('tracks: boxes cannot be read', f'{path}: {video}')
        continue
      home = scan.spelled(folder, prefix + video)
      for track, frames in of_video.items():
        name = f'{video}/{track}'
        # A copy of the set is written under the same names.
        if not stays_inside(name) or '/' in track:
          dropped.add('tracks: not a name', name)
          continue
        boxes = _boxes(f'{path}: {name}', frames, dropped)
        if boxes:
          wh = np.array(list(boxes.values()))
          yield RawTrack(
              name, [f'{home}/{number:06d}.{track}.x.jpg' for number in boxes],
              _in_crop(wh), np.zeros(len(boxes), bool))


def _boxes(where: str, frames: Any,
           dropped: Dropped) -> dict[int, tuple[float, float]]:
  """{frame: (width, height)} of a track, in order; {} if it is of no use."""
  found = {}
  for frame, box in frames.items() if isinstance(frames, dict) else ():
    try:
      if frame.isdecimal():  # beside frames, some programs keep notes
        found[int(frame)] = json_file.numbers(box, 2, 4)
    except ValueError:
      dropped.add('frames: box cannot be read', f'{where}, {frame}')
  if len({len(box) for box in found.values()}) != 1:
    dropped.add('tracks: boxes cannot be read', where)
    return {}
  return {number: (box[0], box[1]) if len(box) == 2 else
          (box[2] - box[0], box[3] - box[1])
          for number, box in sorted(found.items())}


def _in_crop(wh: np.ndarray) -> np.ndarray:
  """[t, 4] boxes xywh in the crops of targets of original sizes [t, 2]."""
  with np.errstate(all='ignore'):  # bad boxes are found later
    side = geometry.context_side(wh[:, 0], wh[:, 1])
    scale = np.where((wh > 0).all(axis=1), geometry.TEMPLATE_SIZE / side, 1.0)
    wh = wh * scale[:, None]
    return np.concatenate([(geometry.CONTEXT_SIZE - wh) / 2, wh], axis=1)
