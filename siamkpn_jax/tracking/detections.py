"""Boxes from and to `supervision.Detections`.

The package supervision is imported when something is converted to it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.targets import TrackResult


def to_supervision(results: Mapping[int, TrackResult]) -> Any:
  """The targets of a frame as `supervision.Detections`.

  Args:
    results: by target, as `BatchTracker.update` returns them, or the `targets`
      of what `track_video` yields.

  Returns:
    [n] detections in the order of the targets: `xyxy` in pixels, `confidence`
    (the score where no confidence has been measured), `class_id` 0, and the
    target as `tracker_id`. Lost targets are among them; `data['state']` tells.

  Raises:
    UserError: supervision is not installed.

  Examples:
    With the package supervision, which is not one of ours:

    >>> import supervision  # doctest: +SKIP
    >>> annotator = supervision.BoxAnnotator()  # doctest: +SKIP
    >>> for result in siamkpn_jax.track_video(
    ...     'in.mp4', (100, 50, 40, 80)):  # doctest: +SKIP
    ...   found = siamkpn_jax.to_supervision(result.targets)
    ...   picture = annotator.annotate(result.frame.copy(), found)
  """
  try:
    import supervision
  except ModuleNotFoundError as error:
    raise UserError(f'{error.name} is not installed; expected the package '
                    'supervision: pip install supervision') from error
  return supervision.Detections(**_fields(results))


def boxes_from_supervision(detections: Any) -> dict[int, np.ndarray]:
  """The boxes of `supervision.Detections`, to start targets with.

  Args:
    detections: [n], with `xyxy` in pixels, and `tracker_id` if wanted.

  Returns:
    [4] float64 left, top, width, height, by tracker_id; without one, by 1, 2,
    ... in their order.

  Raises:
    UserError: two boxes of one tracker_id.

  Examples:
    Anything with these two attributes will do:

    >>> import siamkpn_jax, types
    >>> detections = types.SimpleNamespace(
    ...     xyxy=[[100, 50, 140, 130]], tracker_id=None)
    >>> siamkpn_jax.boxes_from_supervision(detections)
    {1: array([100.,  50.,  40.,  80.])}
  """
  xyxy = np.asarray(detections.xyxy, np.float64).reshape(-1, 4)
  ids = (range(1, len(xyxy) + 1) if detections.tracker_id is None else
         [int(number) for number in detections.tracker_id])
  if len({*ids}) < len(ids):
    raise UserError('detections: two boxes have one tracker_id; expected a box '
                    'for each target: select those of one frame')
  boxes = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)
  return dict(zip(ids, boxes, strict=True))


def _fields(results: Mapping[int, TrackResult]) -> dict[str, Any]:
  """Of `supervision.Detections`."""
  boxes = np.array([one.box_xywh for one in results.values()],
                   np.float64).reshape(-1, 4)
  sure = [one.score if one.confidence is None else one.confidence
          for one in results.values()]
  return {
      'xyxy': np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1),
      'confidence': np.array(sure, np.float64),
      'class_id': np.zeros(len(boxes), np.int64),
      'tracker_id': np.array(list(results), np.int64),
      'data': {'state': np.array([one.state for one in results.values()],
                                 str)}}
