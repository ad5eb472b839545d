"""Tracks the targets of a clip, all that there are as one batch."""

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.page.clip import Clip, Target
from siamkpn_jax.page.groups import Group, Seen, Trackers
from siamkpn_jax.page.turns import Job

PREPARING = 'preparing the tracker (the first time, up to a minute)'


def follow(clip: Clip, trackers: Trackers, job: Job) -> None:
  """Tracks those that wait, to the end of the video or until stopped.

  Targets that come while it runs join, if their frame is still ahead; else they
  are left waiting. Those that are removed are left out from the next frame on.

  Args:
    clip: with targets.
    trackers: to take one of.
    job: this one.
  """
  waiting = clip.waiting()
  if not waiting:
    return
  job.note, job.total = PREPARING, clip.numbers[-1]
  run = _Run(clip, trackers.group(len(waiting), stages=clip.stages))
  first = min(target.frame for target in waiting)
  before = first - 1
  try:
    with clip.frames() as source:
      for frame in source:
        number = source.number
        if job.stop.is_set() or number > clip.numbers[-1]:
          break
        job.done = number
        if number < first:
          job.note = 'looking for the first frame'
          continue
        if number > first + 1:  # the first two compile
          job.note = ''
        run.update(number, frame)
        run.start(before, number, frame)
        before = number
        if run.idle(before):
          break
  finally:
    run.end()


class _Run:
  """The targets of a clip in a group."""

  def __init__(self, clip: Clip, group: Group):
    self._clip, self._group = clip, group
    self._active: dict[int, Target] = {}  # by number in the group

  def start(self, before: int, number: int, frame: np.ndarray) -> None:
    """Starts the targets of the frames after `before`, up to this one.

    A target whose own frame cannot be decoded starts in the next.
    """
    for target in self._clip.waiting():
      if not before < target.frame <= number or self._group.full:
        continue
      try:
        key = self._group.add(frame, target.box_xywh)
      except UserError as error:  # of this target; the others go on
        target.state, target.error = 'ended', str(error)
        continue
      self._active[key], target.state = target, 'tracking'
      self._clip.findings.add([number, target.number, *_rounded(
          target.box_xywh), 1., 'tracked', None, None, None, None])

  def update(self, number: int, frame: np.ndarray) -> None:
    """Finds the targets that are still wanted."""
    clip = self._clip
    for key, target in tuple(self._active.items()):
      if target.number not in clip.targets:
        self._group.remove(key)
        del self._active[key]
    if not self._active:
      return
    for key, seen in self._group.update(frame).items():
      self._note(number, self._active[key], seen)

  def idle(self, before: int) -> bool:
    """Whether nothing is tracked, nor will be."""
    return not self._active and not any(
        target.frame > before for target in self._clip.waiting())

  def end(self) -> None:
    """Gives the group back."""
    for key, target in self._active.items():
      target.state = 'ended'
      self._group.remove(key)

  def _note(self, number: int, target: Target, seen: Seen) -> None:
    result = seen.result
    self._clip.findings.add([
        number, target.number, *_rounded(result.box_xywh),
        round(float(result.score), 4), result.state,
        *_rounded(seen.place_xywh[:3]),
        None if result.confidence is None else round(result.confidence, 4)],
        seen.heatmaps)


def _rounded(values: np.ndarray) -> list[float]:
  return [round(float(value), 2) for value in values]
