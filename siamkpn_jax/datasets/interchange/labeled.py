"""What a file of labels says of a video, whichever program wrote it."""

import dataclasses
from collections.abc import Mapping

Box = tuple[float, float, float, float]  # left, top, width, height
LABEL = 'object'  # of a target that has none
MOST = 1_000_000  # boxes that are read from a file, interpolated ones included


@dataclasses.dataclass(frozen=True)
class Target:
  """A target of a video.

  Attributes:
    id: unique in the video.
    label: its class, '' if there is none.
    boxes_xywh: its box by frame, counted from 1, where it can be seen.
  """

  id: int
  label: str
  boxes_xywh: dict[int, Box]


@dataclasses.dataclass
class Video:
  """The labels of a video.

  Attributes:
    name: of its file, as the labels have it.
    targets: those with a box.
    size: width and height, pixels; None: unknown.
    length: number of frames; 0: unknown.
    first, step: number of the first frame that was labeled, from 1, and how
      many frames on the next is.
    files: names of the images by frame; empty: unknown.
    times: seconds at which the labels have frames, as far as they say so.
    relative: boxes are fractions of the frame, not pixels.
    bad: what could not be read, an entry each, in a few words.
    unused: what was read and is no box of a target, likewise.
    unclear: why it cannot be said which frame of the video is meant; '' if it
      can.
  """

  name: str
  targets: list[Target] = dataclasses.field(default_factory=list)
  size: tuple[int, int] | None = None
  length: int = 0
  first: int = 1
  step: int = 1
  files: dict[int, str] = dataclasses.field(default_factory=dict)
  times: dict[int, float] = dataclasses.field(default_factory=dict)
  relative: bool = False
  bad: list[str] = dataclasses.field(default_factory=list)
  unused: list[str] = dataclasses.field(default_factory=list)
  unclear: str = ''

  def add(self, id: int, label: str, boxes_xywh: dict[int, Box]) -> None:
    """Adds a target; what has no box is unused.

    Raises:
      ValueError: more boxes than are read.
    """
    if sum(len(t.boxes_xywh) for t in self.targets) + len(boxes_xywh) > MOST:
      raise ValueError(f'more than {MOST:,} boxes')
    if boxes_xywh:
      self.targets.append(Target(id, label, boxes_xywh))
    else:
      self.unused.append(f'target {id} has no box')

  def span(self) -> tuple[int, float] | None:
    """Frames and seconds from the first to the last that has a time."""
    if not self.times:
      return None
    first, last = min(self.times), max(self.times)
    return last - first, self.times[last] - self.times[first]


def filled(keys: Mapping[int, tuple[Box, bool]]) -> dict[int, Box]:
  """The boxes of all frames from the first key to the last, interpolated.

  Args:
    keys: frame -> its box, and whether the target is seen from there to the
      next key. At a key without that it is left to the caller whether it counts
      (it is in the result).

  Raises:
    ValueError: more frames than are read.
  """
  found: dict[int, Box] = {}
  frames = sorted(keys)
  if not frames:
    return {}
  if frames[-1] - frames[0] >= MOST:
    raise ValueError(f'more than {MOST:,} frames')
  for here, there in zip(frames, [*frames[1:], 0], strict=True):
    box, goes_on = keys[here]
    found[here] = box
    if goes_on and there:
      after = keys[there][0]
      for frame in range(here + 1, there):
        part = (frame - here) / (there - here)
        left, top, width, height = (
            a + part * (b - a) for a, b in zip(box, after, strict=True))
        found[frame] = left, top, width, height
  return found
