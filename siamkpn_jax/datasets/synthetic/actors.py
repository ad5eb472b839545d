"""Who is in a video: the target, distractors, clutter, occluders."""

import dataclasses
import math

import numpy as np

from siamkpn_jax.datasets.synthetic import signals
from siamkpn_jax.datasets.synthetic.appearance import (
  Appearance,
  bank_appearance,
  bank_thing,
  random_appearance,
)
from siamkpn_jax.datasets.synthetic.articulated import bar, random_shape
from siamkpn_jax.datasets.synthetic.shapes import Shape
from siamkpn_jax.datasets.synthetic.sprites import Extents, Motion, Sprite

_SIZES = (0.17, 0.45)  # of the target, sqrt(w h) over the frame's short side
# Displacement per frame over the side; the clock of a path adds up to half.
_SPEEDS = ((0.02, 0.05), (0.05, 0.1), (0.1, 0.18))


def _wander(path: signals.Path, size: tuple[int, int], over: float) -> Motion:
  """Motion over a frame (w, h); a share `over` of the box may leave it."""
  def along(u: float, low: float, high: float, side: int) -> float:
    """Place of the origin for u in 0..1 from one border to the other."""
    slack = over * (high - low)
    start, end = -low - slack, side - high + slack
    return start + u * (end - start)

  def place(t: float, extents: Extents) -> tuple[float, float]:
    left, top, right, bottom = extents
    x, y = path(t)
    return along(x, left, right, size[0]), along(y, top, bottom, size[1])

  return place


def _shuttle(around: Sprite, far: tuple[float, float],
             beside: tuple[float, float], swing: signals.Wave) -> Motion:
  """Motion to and fro across another sprite, from `far` by `beside`, pixels."""
  def place(t: float, unused_extents: Extents) -> tuple[float, float]:
    # About the other's place is enough, and its exact extents are costly.
    half = around.side / 2
    x, y = around.motion(t, (-half, -half, half, half))
    u = swing(t)
    return x + u * far[0] + beside[0], y + u * far[1] + beside[1]

  return place


class Actors:
  """Draws the sprites of one video."""

  def __init__(self, rng: np.random.Generator, seed: int,
               size: tuple[int, int]):
    """Draws nothing yet, and then in the order of the calls.

    Banks of shapes and appearances are those of `seed`; the frame is (w, h).
    """
    self._rng, self._seed, self._size = rng, seed, size
    self._short = min(size)

  def target(self, background: np.ndarray) -> Sprite:
    """The thing to track, before a background of mean color [3]."""
    rng, side = self._rng, self._random_side()
    shape = random_shape(rng, self._seed)
    appearance = random_appearance(rng, self._seed, background)
    if shape.is_articulated:
      appearance = appearance.flat(rng)
    over = rng.uniform(0, 0.2) if rng.random() < 0.3 else 0.
    sprite = self._rover(shape, appearance, side, over)
    # A long thing has a larger box across the diagonal: even that out.
    boxes = [sprite.extents(sprite.posture(t)[0]) for t in (0, 20, 40)]
    mean = sum(math.sqrt((x1 - x0) * (y1 - y0)) for x0, y0, x1, y1 in boxes) / 3
    return dataclasses.replace(sprite, side=side * side / mean)

  def distractor(self, target: Sprite) -> Sprite:
    """The target's twin, at about its size, on a way of its own."""
    rng, (low, high) = self._rng, _SIZES
    side = target.side * signals.log_uniform(rng, 0.75, 1.3)
    side = min(max(side, low * self._short), high * self._short)
    return self._rover(target.shape.altered(rng),
                       target.appearance.altered(rng), side, 0.4)

  def clutter(self) -> Sprite:
    """Another moving thing."""
    rng, side = self._rng, self._random_side()
    return self._rover(*bank_thing(rng, self._seed, 0.5), side, 0.5)

  def occluder(self, target: Sprite) -> Sprite:
    """A smaller thing that crosses the target again and again."""
    rng, side = self._rng, target.side
    angle, period = rng.uniform(0, math.tau), rng.uniform(40, 120)
    x, y, aside = math.cos(angle), math.sin(angle), rng.uniform(-0.4, 0.4)
    motion = _shuttle(
        target, (1.6 * side * x, 1.6 * side * y),
        (-aside * side * y, aside * side * x),
        signals.Wave(0., ((1., math.tau / period, rng.uniform(0, math.tau)),)))
    return Sprite(*bank_thing(rng, self._seed, 0.), motion,
                  side * rng.uniform(0.35, 0.7))

  def post(self, target: Sprite) -> Sprite:
    """A post or a rail across the whole frame, thinner than the target."""
    rng = self._rng
    level = rng.random() < 0.35
    thickness = target.box(0)[2 + level] * rng.uniform(0.2, 0.55)
    shape = bar(rng, 2.5 * self._size[0 if level else 1] / thickness)
    speed = rng.uniform(0.5, 4) * (0.02 if rng.random() < 0.5 else 1)
    path = signals.random_path(rng, speed, self._size)
    lean = rng.normal() * 0.1 + (math.pi / 2 if level else 0.)
    return Sprite(shape, bank_appearance(rng, self._seed),
                  _wander(path, self._size, 0.), thickness,
                  turn=signals.Wave(lean))

  def _random_side(self) -> float:
    # Most are small, so that a search region mostly shows the frame.
    low, high = 1.1 * _SIZES[0], 0.9 * _SIZES[1]
    return low * (high / low)**self._rng.random()**1.5 * self._short

  def _rover(self, shape: Shape, appearance: Appearance, side: float,
             over: float) -> Sprite:
    """A thing that wanders over the frame, swaying or tumbling."""
    rng, wave = self._rng, signals.random_wave
    low, high = _SPEEDS[signals.pick(rng, (0.5, 0.35, 0.15))]
    speed, least = rng.uniform(low, high) * side, 0.3 * self._short
    path = signals.random_path(rng, speed, (max(self._size[0] - side, least),
                                            max(self._size[1] - side, least)))
    relative = side / self._short
    swell = min(rng.uniform(0, 0.2), math.log(_SIZES[1] / relative),
                math.log(relative / _SIZES[0]))
    loose = not shape.upright
    lean = rng.uniform(0, math.tau) if loose else rng.normal() * 0.08
    sway = rng.uniform(0, 0.4 if loose else 0.15)
    spin = rng.normal() * 0.02 if loose and rng.random() < 0.4 else 0.
    return Sprite(
        shape, appearance, _wander(path, self._size, over), side,
        zoom=wave(rng, 0., max(swell, 0.)),
        aspect=wave(rng, rng.uniform(-0.08, 0.08), rng.uniform(0, 0.1)),
        turn=wave(rng, lean, sway), spin=spin)
