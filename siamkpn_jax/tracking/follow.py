"""Follows targets through a source of frames, one result for each frame."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.targets import TargetTracker, TrackResult
from siamkpn_jax.tracking.video import FrameSource

# The heatmaps [s, n, n] of a target and the crop [side, side, 3] they are of;
# s = 0 and None or an empty crop before the first update.
Sight = tuple[np.ndarray, np.ndarray | None]


@dataclasses.dataclass(frozen=True, eq=False)
class FrameResult:
  """What was found in a frame.

  Attributes:
    number: of the frame, from 1.
    time: of the frame in seconds; of a camera, since its first.
    frame: [h, w, 3] uint8 BGR; of one that cannot be decoded, the one before.
    targets: by id, in the order of their starts; empty before the first one. A
      given box has score 1 and no confidence.
    decoded: False for a frame that cannot be decoded: the targets that are
      known have boxes and scores of nan, and are lost.
    sights: by id, what the network saw, where that is wanted.
  """

  number: int
  time: float
  frame: np.ndarray
  targets: Mapping[int, TrackResult]
  decoded: bool = True
  sights: Mapping[int, Sight] = dataclasses.field(default_factory=dict)


def check_boxes(boxes: Sequence[GivenBox], source: FrameSource) -> None:
  """Checks, before the work, that every target can be followed.

  Raises:
    UserError: a box that cannot be followed, or begins behind the last frame.
  """
  for given in boxes:
    check_box(given.box_xywh, *source.size)
    if given.frame and source.count and given.frame > source.count:
      raise UserError(
          f'box of id {given.id}: begins in frame {given.frame}, but '
          f'{source.name} has {source.count}; expected a frame of the video')


def follow(tracker: TargetTracker, source: FrameSource,
           boxes: Sequence[GivenBox], *, sights: bool = False
           ) -> Iterator[FrameResult]:
  """A result for each frame, those that cannot be decoded included.

  Args:
    tracker: without targets.
    source: the frames.
    boxes: one for each target. It starts in the first frame, from its own on,
      that can be decoded.
    sights: add them to the results.
  """
  waiting = sorted(boxes, key=lambda box: box.frame or 0)
  numbers: dict[int, int] = {}  # of the tracker's, by id
  known: dict[int, TrackResult] = {}
  done, last = source.start - 1, None
  for frame in source:
    number = source.number
    yield from _undecoded(source, frame if last is None else last, known, done,
                          number - 1)
    found = tracker.update(frame) if numbers else {}
    known = {target: found[one] for target, one in numbers.items()}
    while waiting and (waiting[0].frame or 0) <= number:
      given = waiting.pop(0)
      box = np.array(given.box_xywh, np.float64)
      numbers[given.id] = tracker.add(frame, box,
                                      replace=numbers.get(given.id))
      known[given.id] = TrackResult(True, box, 1.0)
    seen = {target: (tracker.heatmaps(one), tracker.search_crop(one))
            for target, one in numbers.items() if sights}
    yield FrameResult(number, source.time, frame, known, sights=seen)
    done, last = number, frame
  if last is not None:
    yield from _undecoded(source, last, known, done, source.number)


def _undecoded(source: FrameSource, frame: np.ndarray,
               known: Mapping[int, TrackResult], after: int, until: int
               ) -> Iterator[FrameResult]:
  """Of frames that cannot be decoded, with another one to see."""
  nothing = dict.fromkeys(
      known, TrackResult(False, np.full(4, np.nan), float('nan')))
  for number in range(after + 1, until + 1):
    yield FrameResult(number, source.time_of(number), frame, nothing, False)
