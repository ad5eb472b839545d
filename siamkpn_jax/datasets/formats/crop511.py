"""Training crops in the layout that pysot's scripts write.

Sizes are taken from the boxes; the target of a crop is always in its middle.

  train.json    {video: {track: {frame: [x1, y1, x2, y2]}}}, pixels of the
                original image, or [w, h]; beside crop511/ also
                train2017.json, as of COCO
  crop511/<video>/<frame:06d>.<track>.x.jpg    511 pixels square, the target in
                the middle, at the scale of the template; crop511/ may be
                missing
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.file_names import stays_inside
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
      videos = json.loads(path.read_bytes())
      found = [(f'{video}/{track}', prefix + video, track, frames)
               for video, of_video in videos.items()
               for track, frames in of_video.items()]
    except (OSError, ValueError, AttributeError, RecursionError):
      dropped.add('files: annotation cannot be read', str(path))
      continue
    for name, home, track, frames in found:
      # A copy of the set is written under the same names.
      if not stays_inside(name) or '/' in track:
        dropped.add('tracks: not a name', ascii(name[:60]))
        continue
      try:
        yield _track(name, home, track, frames)
      except (ValueError, AttributeError, TypeError):
        dropped.add('tracks: boxes cannot be read', f'{path}: {name}')


def _track(name: str, home: str, track: str,
           frames: dict[str, Any]) -> RawTrack:
  numbers = sorted((f for f in frames if f.isdigit()), key=int)
  boxes = np.array([frames[f] for f in numbers], np.float64)
  if boxes.shape[1:] not in ((2,), (4,)):
    raise ValueError(boxes.shape)
  wh = boxes if boxes.shape[1] == 2 else boxes[:, 2:] - boxes[:, :2]
  return RawTrack(
      name, [f'{home}/{int(f):06d}.{track}.x.jpg' for f in numbers],
      _in_crop(wh), np.zeros(len(numbers), bool))


def _in_crop(wh: np.ndarray) -> np.ndarray:
  """[t, 4] boxes xywh in the crops of targets of original sizes [t, 2]."""
  with np.errstate(all='ignore'):  # bad boxes are found later
    side = geometry.context_side(wh[:, 0], wh[:, 1])
    scale = np.where((wh > 0).all(axis=1), geometry.TEMPLATE_SIZE / side, 1.0)
    wh = wh * scale[:, None]
    return np.concatenate([(geometry.CONTEXT_SIZE - wh) / 2, wh], axis=1)
