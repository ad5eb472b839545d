"""Videos for long-term tracking, and a tracker's way through one.

Real sequences as they are; with a cut to another video for some frames, while
the target moves on; and synthetic ones whose target leaves or is hidden.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from perf.absence_scene import LENGTH, AbsenceScene
from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import read_image
from siamkpn_jax.datasets.synthetic import split_seed
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb
from siamkpn_jax.evaluation.metrics.long_term import Reported
from siamkpn_jax.tracking.load import LoadedTracker

_CUT = 40  # frames of another video, at most a quarter of the video
_OTHER = 5  # places on in the list: none of the same scene


@dataclasses.dataclass(frozen=True, eq=False)
class Shot:
  """A video to track.

  Attributes:
    name: of it.
    frames: makes its frames, [h, w, 3] uint8 BGR.
    boxes_xywh: [t, 4] of the target.
    present: [t] whether it is in sight.
  """
  name: str
  frames: Callable[[], Iterable[np.ndarray]]
  boxes_xywh: np.ndarray
  present: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Way:
  """What a tracker made of the frames after the first, t of them.

  Attributes:
    shot: the video.
    boxes_xywh: [t, 4].
    overlaps: [t] with the target, of the parts inside the frame; 0 where it is
      absent.
    scores: [t].
    confidence: [t]; the scores again where the weights have none.
    found: [t] whether the tracker says so.
  """
  shot: Shot
  boxes_xywh: np.ndarray
  overlaps: np.ndarray
  scores: np.ndarray
  confidence: np.ndarray
  found: np.ndarray

  @property
  def present(self) -> np.ndarray:
    """[t] whether the target is in sight."""
    return self.shot.present[1:]

  def reported(self) -> Reported:
    """For the measures."""
    return Reported(self.overlaps, self.present, self.confidence)


def real(data: str | Path, zero_based: Collection[str],
         frames: int | None = None) -> list[Shot]:
  """The sequences of a folder in OTB layout, the first frames of each."""
  return [Shot(video.name, lambda video=video: _read(video, frames),
               video.boxes_xywh[:frames],
               np.ones(len(video.boxes_xywh[:frames]), bool))
          for video in load_otb(data, zero_based=zero_based)]


def with_cuts(shots: Sequence[Shot]) -> list[Shot]:
  """Each with frames of another after its first third.

  Raises:
    UserError: there is no other.
  """
  count = len(shots)
  if count < 2:
    raise UserError(f'{count} sequence: expected two or more, as a cut shows '
                    'another video')
  step = _OTHER % count or 1
  return [_cut(shot, shots[(k + step) % count]) for k, shot in enumerate(shots)]


def synthetic(split: str, count: int) -> list[Shot]:
  """Of `perf.absence_scene`."""
  return [_drawn(AbsenceScene(split_seed(split, 0), index), f'{split} {index}')
          for index in range(count)]


def follow(tracker: LoadedTracker, shot: Shot) -> Way:
  """Tracks from the first frame to the last."""
  boxes, scores, confidence, found = [], [], [], []
  size = (0, 0)
  for number, frame in enumerate(shot.frames()):
    if number == 0:
      tracker.init(frame, shot.boxes_xywh[0])
      size = frame.shape[1], frame.shape[0]
      continue
    seen, box = tracker.update(frame)
    boxes.append(box)
    scores.append(tracker.score)
    confidence.append(tracker.score if tracker.confidence is None else
                      tracker.confidence)
    found.append(seen)
  result = np.array(boxes)
  overlaps = iou_xywh(_visible(result, size),
                      _visible(shot.boxes_xywh[1:], size))
  return Way(shot, result, np.where(
      shot.present[1:], np.nan_to_num(overlaps), 0.0), np.array(scores),
             np.array(confidence), np.array(found))


def _read(video: Video, frames: int | None) -> Iterator[np.ndarray]:
  return map(read_image, video.frames[:frames])


def _cut(shot: Shot, other: Shot) -> Shot:
  length = len(shot.present)
  start, away = length // 3, min(_CUT, length // 4)
  present = np.ones(length, bool)
  present[start:start + away] = False

  def frames() -> Iterator[np.ndarray]:
    others = iter(other.frames())
    frame = next(others)
    for own, seen in zip(shot.frames(), present, strict=True):
      if not seen:
        frame = next(others, frame)
      yield own if seen else cv2.resize(frame, own.shape[1::-1])

  return Shot(shot.name, frames, shot.boxes_xywh, present)


def _drawn(scene: AbsenceScene, name: str) -> Shot:
  times = range(LENGTH)
  return Shot(
      name, lambda: (scene.render(t)[0] for t in times),
      np.stack([scene.box(t) for t in times]),
      np.array([scene.present(t) for t in times]))


def _visible(boxes_xywh: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """[t, 4] -> the parts inside a frame of (width, height)."""
  low = np.clip(boxes_xywh[:, :2], 0, size)
  high = np.clip(boxes_xywh[:, :2] + boxes_xywh[:, 2:], 0, size)
  return np.concatenate([low, high - low], axis=1)
