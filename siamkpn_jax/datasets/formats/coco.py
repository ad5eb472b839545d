"""COCO: every box of a still image is a track of one frame.

  annotations/instances_train2017.json    or the only instances*.json in
                                          annotations/ or in the folder itself
  train2017/<file_name>                   or images/train2017/, images/,
                                          beside the JSON, or in the folder

Source: Lin et al., "Microsoft COCO", ECCV 2014; https://cocodataset.org.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('annotations/instances_train2017.json (or one other '
            'instances*.json) and train2017/<file_name>')


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
  return []


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`; crowds, which have no box of one target, are left out."""
  for path in annotations(folder):
    try:
      content = json.loads(path.read_bytes(), object_hook=_without_contours)
      files = {image['id']: str(image['file_name'])
               for image in content['images']}
      boxes = list(content['annotations'])
    except (OSError, ValueError, LookupError, TypeError):
      dropped.add('files: annotation cannot be read', str(path))
      continue
    prefix = _image_prefix(folder, path, files.values())
    for number, box in enumerate(boxes):
      track = _track(number, box, files, prefix, dropped)
      if track is not None:
        yield track


def _without_contours(value: dict[str, Any]) -> dict[str, Any]:
  """Drops what fills most of the 450 MB while they are being read."""
  value.pop('segmentation', None)
  return value


def _image_prefix(folder: Path, path: Path, files: Any) -> str:
  """Where the images are: the first place that holds one of the first."""
  split = path.stem.removeprefix('instances').removeprefix('_')
  places = ['images/', f'{path.parent.relative_to(folder).as_posix()}/', './']
  if split:
    places = [f'{split}/', f'images/{split}/', *places]
  some = list(itertools.islice(files, 100))
  for place in places:
    if any((folder / place / file).is_file() for file in some):
      return '' if place == './' else place
  return places[0]


def _track(number: int, box: Any, files: dict[Any, str], prefix: str,
           dropped: Dropped) -> RawTrack | None:
  try:
    name = f'{box["image_id"]}/{box.get("id", number)}'
    boxes_xywh = np.array(box['bbox'], np.float64).reshape(1, 4)
    file = files.get(box['image_id'])
  except (LookupError, TypeError, ValueError, AttributeError):
    dropped.add('boxes: cannot be read', f'annotation {number}')
    return None
  if box.get('iscrowd'):
    dropped.add('boxes: crowd', name)
    return None
  if file is None:
    dropped.add('boxes: of an unknown image', name)
    return None
  return RawTrack(name, [prefix + file], boxes_xywh, np.zeros(1, bool))
