"""OpenCV's trackers, used like ours (tracking/one_target.py)."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError, first_line

# A tracker -> the files that it needs, by the field of its parameters.
FILES: Mapping[str, Mapping[str, str]] = {
    'TrackerNano': {'backbone': 'nanotrackv2_backbone.onnx',
                    'neckhead': 'nanotrackv2_head.onnx'},
    'TrackerVit': {'net': 'object_tracking_vittrack_2023sep.onnx'},
    'TrackerMIL': {},
    'TrackerCSRT': {},
    'TrackerKCF': {},
}


class OpenCVTracker:
  """One of OpenCV's trackers; a target that it loses keeps its last box."""

  def __init__(self, name: str, make: Callable[[], Any]) -> None:
    """`make` gives a new cv2.Tracker: one serves for one target."""
    self._name, self._make = name, make

  def init(self, frame: np.ndarray, box_xywh: Any) -> None:
    """Starts on a frame; the box is rounded, as OpenCV's are integers.

    Raises:
      UserError: OpenCV refuses the box.
    """
    self._box_xywh = rounded(box_xywh)
    box = tuple(map(int, self._box_xywh))
    self._tracker = self._make()
    try:
      self._tracker.init(frame, box)
    except cv2.error as error:
      height, width = frame.shape[:2]
      raise UserError(
          f'{self._name}: OpenCV cannot start from the box {box} in a frame of '
          f'{width}x{height}; expected one inside it; leave the sequence out by'
          ' --sequences') from error

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """The next frame -> (found, [4] 0-based box)."""
    try:
      found, box_xywh = self._tracker.update(frame)
    except cv2.error:  # some fail so when the target leaves the frame
      found = False
    if found:
      self._box_xywh = np.array(box_xywh, np.float64)
    return bool(found), self._box_xywh.copy()


def rounded(box_xywh: Any) -> np.ndarray:
  """[4] -> [4] whole numbers, sides of 1 at least."""
  box_xywh = np.rint(np.asarray(box_xywh, np.float64))
  return np.concatenate([box_xywh[:2], np.maximum(box_xywh[2:], 1)])


@dataclasses.dataclass(frozen=True)
class Found:
  """The trackers that can be run here.

  Attributes:
    trackers: by their names in OpenCV.
    missing: name -> why it cannot be run.
  """

  trackers: dict[str, OpenCVTracker]
  missing: dict[str, str]


def find_trackers(models: Path | None, names: Collection[str]) -> Found:
  """Trackers, or why they are not available.

  Args:
    models: the folder of the files.
    names: keys of `FILES`.
  """
  found = Found({}, {})
  for name in names:
    files = FILES[name]
    absent = [f for f in files.values()
              if models is None or not (models / f).is_file()]
    if not hasattr(cv2, f'{name}_create'):
      found.missing[name] = (f'OpenCV {cv2.__version__} here has none; '
                             'opencv-contrib-python-headless may')
    elif absent:
      where = f'in {models}' if models else 'without --models'
      found.missing[name] = f'no {", ".join(absent)} {where}'
    else:
      make = _maker(name, models, files)
      try:
        make()
      except cv2.error as error:
        found.missing[name] = f'OpenCV: {first_line(error)}'
      else:
        found.trackers[name] = OpenCVTracker(name, make)
  return found


def _maker(name: str, models: Path | None,
           files: Mapping[str, str]) -> Callable[[], Any]:
  create = getattr(cv2, f'{name}_create')
  if models is None or not files:
    return create
  parameters = getattr(cv2, f'{name}_Params')()
  for field, file in files.items():
    setattr(parameters, field, str(models / file))
  return lambda: create(parameters)
