"""Synthetic videos whose target leaves and comes back, for long-term tracking.

Twice in a video the target leaves the frame over the nearest border, or a
screen slides over it and goes with it, for 20 to 60 frames. What is hidden
moves on meanwhile.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from siamkpn_jax.datasets.synthetic import signals
from siamkpn_jax.datasets.synthetic.appearance import bank_appearance
from siamkpn_jax.datasets.synthetic.articulated import bar
from siamkpn_jax.datasets.synthetic.scene import Scene, Stack, hidden_by
from siamkpn_jax.datasets.synthetic.sprites import (
    Extents,
    Motion,
    Sprite,
    overlap,
)

LENGTH = 250  # frames that hold two absences
_RAMP = 16  # frames that leaving, and coming back, takes
_PART = 1  # of the random streams of a scene
_PRESENT = 0.15  # share of the target that has to be seen


class Absence(NamedTuple):
  """When the target is away.

  Attributes:
    start: first frame of leaving.
    stop: frame in which it is back.
    hidden: by a screen; else out of the frame.
  """
  start: float
  stop: float
  hidden: bool

  def share(self, t: float) -> float:
    """How far away it is, 0 (where it would be) to 1, smoothly."""
    u = min(t - self.start, self.stop - t, _RAMP) / _RAMP
    return 0.5 - 0.5 * math.cos(math.pi * max(u, 0))


class AbsenceScene(Scene):
  """A `Scene` of `LENGTH` frames whose target is absent twice.

  Attributes:
    absences: when.
  """

  def __init__(self, seed: int, index: int, *,
               size: tuple[int, int] = (320, 240)):
    """Arguments as of `Scene`."""
    super().__init__(seed, index, size=size, length=LENGTH)
    rng = signals.stream(signals.SCENE, seed, index, _PART)
    self.absences = []
    for k, hidden in enumerate(rng.permutation([True, False]).tolist()):
      away = rng.integers(20, 61) + 2 * _RAMP
      start = 20 + 110 * k + rng.integers(0, 110 - away)
      self.absences.append(Absence(int(start), int(start + away), hidden))
    whole = self.target
    self.target = dataclasses.replace(whole, motion=self._leaving(whole))
    side = 1.7 * max(whole.box(absence.start)[2:].max()
                     for absence in self.absences)
    self._screen = Sprite(bar(rng, 1.1), bank_appearance(rng, seed),
                          self._covering(whole, rng), float(side))

  def stack(self, t: int) -> Stack:
    """As of `Scene`, with the screen; `visible` counts the frame's border."""
    stack = super().stack(t)
    target, front = stack.target, stack.front
    seen = target.alpha.astype(np.float32)
    whole = float(seen.sum())
    screen = self._screen.paint(t, clip=self.size, shutter=self.camera.shutter)
    if screen is not None and any(
        a.hidden and a.share(t) for a in self.absences):
      front = [*front, screen]
    for layer in front:
      seen = hidden_by(layer, target, seen)
    inside, _ = overlap((target.x, target.y), seen.shape, (0, 0),
                        self.size[::-1])
    return Stack(stack.behind, target, front, float(seen[inside].sum()) / whole)

  def present(self, t: int) -> bool:
    """Whether enough of the target is seen to be found."""
    return self.stack(t).visible >= _PRESENT

  def _leaving(self, whole: Sprite) -> Motion:
    """The target's motion, over the nearest border and back again."""
    def place(t: float, extents: Extents) -> tuple[float, float]:
      x, y = whole.motion(t, extents)
      for absence in self.absences:
        share = absence.share(t)
        if share and not absence.hidden:
          middle = (absence.start + absence.stop) / 2
          at = absence.start if t < middle else absence.stop
          out = self._outside((x, y), whole.motion(at, extents), extents)
          x, y = x + share * (out[0] - x), y + share * (out[1] - y)
      return x, y

    return place

  def _outside(self, now: tuple[float, float], near: tuple[float, float],
               extents: Extents) -> tuple[float, float]:
    """Outside the border that is nearest to `near`, beside `now`."""
    width, height = self.size
    margin = 4  # for blur
    places = [(-extents[2] - margin, now[1]),
              (width - extents[0] + margin, now[1]),
              (now[0], -extents[3] - margin),
              (now[0], height - extents[1] + margin)]
    ways = [abs(places[0][0] - near[0]), abs(places[1][0] - near[0]),
            abs(places[2][1] - near[1]), abs(places[3][1] - near[1])]
    return places[int(np.argmin(ways))]

  def _covering(self, whole: Sprite, rng: np.random.Generator) -> Motion:
    """The screen's motion: from outside onto the target, with it, and away."""
    angle, reach = rng.uniform(0, math.tau), math.hypot(*self.size)

    def place(t: float, unused_extents: Extents) -> tuple[float, float]:
      share = max((a.share(t) for a in self.absences if a.hidden), default=0)
      points, _ = whole.posture(t)
      extents = whole.extents(points)
      x, y = whole.motion(t, extents)
      middle = (extents[0] + extents[2]) / 2, (extents[1] + extents[3]) / 2
      away = (1 - share) * reach
      return (x + middle[0] + away * math.cos(angle),
              y + middle[1] + away * math.sin(angle))

    return place
