"""Tracked boxes as labels, to be corrected in a program for labeling."""

import json
from collections.abc import Iterable, Sequence

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.interchange import coco_video, cvat, label_studio
from siamkpn_jax.datasets.interchange.labeled import Box, Target, Video
from siamkpn_jax.tracking.box_formats import LABELS
from siamkpn_jax.tracking.given_boxes import GivenBox


def labels(kind: str, boxes: Iterable[GivenBox], *, name: str,
           size: tuple[int, int], length: int, files: Sequence[str] = ()
           ) -> str:
  """The content of a file of labels.

  Args:
    kind: 'cvat' (XML for video 1.1), 'label_studio' (JSON, a task with
      predictions) or 'coco_video' (JSON as CocoVID has it).
    boxes: of all targets, each with its frame, in pixels.
    name: of the video.
    size: width and height of its frames, pixels.
    length: number of its frames.
    files: names of its images, in order; empty: it has none.

  Raises:
    UserError: another kind, a box without a frame or of a frame outside of the
      video, or two of one target in a frame.
  """
  if kind not in LABELS:
    raise UserError(f'labels of kind {kind!r}; expected one of '
                    f'{", ".join(LABELS)}')
  found: dict[int, dict[int, Box]] = {}
  for box in boxes:
    frames = found.setdefault(box.id, {})
    if box.frame is None or not 1 <= box.frame <= length or (
        box.frame in frames):
      raise UserError(f'boxes: of id {box.id}, frame {box.frame}; expected one '
                      f'box at most for each frame, 1 to {length}')
    frames[box.frame] = box.box_xywh
  video = Video(name, size=size, length=length,
                files=dict(enumerate(files, start=1)))
  for id, of_target in found.items():
    video.targets.append(Target(id, '', of_target))
  if kind == 'cvat':
    return cvat.write(video)
  write = label_studio.write if kind == 'label_studio' else coco_video.write
  return json.dumps(write(video)) + '\n'
