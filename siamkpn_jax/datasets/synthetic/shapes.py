"""Contours of things: jointed parts that swing, bend and breathe."""

import dataclasses
import math

import numpy as np

_LONGEST = 3.2  # of a shape at rest, length over breadth


@dataclasses.dataclass(frozen=True)
class Shape:
  """p polygons in a unit where the whole at rest has sqrt(w h) = 1.

  Attributes:
    rest: [p, k, 2] vertices (x right, y down), painted in this order.
    pivot: [p, 2] the joint each part turns about.
    parent: [p] the part that carries it along, or -1.
    swing: [p, 3] amplitude (radians), omega (per frame), phase of the joint.
    bend: [b, 2, 4] amplitude, wave number, omega, phase of b waves that move
      all vertices in x (as a function of y) and in y (as a function of x).
    tone: [p] which of the thing's colors a part has.
    decal: [p] the part is painted on the others and does not widen the thing.
    upright: the thing stands and only sways; others may tumble.
  """
  rest: np.ndarray
  pivot: np.ndarray
  parent: np.ndarray
  swing: np.ndarray
  bend: np.ndarray
  tone: np.ndarray
  decal: np.ndarray
  upright: bool

  @property
  def is_articulated(self) -> bool:
    """It has several parts that are more than paint."""
    return int((~self.decal).sum()) > 1

  def vertices(self, t: float) -> np.ndarray:
    """The polygons at time `t` (frames), [p, k, 2]."""
    points = self.rest
    if self.swing[:, 0].any():
      amplitude, omega, phase = self.swing.T
      angle = (amplitude * np.sin(omega * t + phase)).astype(np.float32)
      points = _turn(points, self.pivot, angle)
      carried = self.parent >= 0
      if carried.any():
        by = self.parent[carried]
        points[carried] = _turn(points[carried], self.pivot[by], angle[by])
    for (ax, kx, wx, px), (ay, ky, wy, py) in self.bend.tolist():
      x, y = points[..., 0], points[..., 1]
      bent = np.empty_like(points)
      bent[..., 0] = x + ax * np.sin(kx * y + (wx * t + px))
      bent[..., 1] = y + ay * np.sin(ky * x + (wy * t + py))
      points = bent
    return points

  def altered(self, rng: np.random.Generator) -> 'Shape':
    """The same thing in another posture, for a distractor."""
    swing, bend = self.swing.copy(), self.bend.copy()
    swing[:, 2] += rng.uniform(0, math.tau)
    bend[..., 3] += rng.uniform(0, math.tau)
    return dataclasses.replace(self, swing=swing, bend=bend)


def _turn(points: np.ndarray, pivot: np.ndarray,
          angle: np.ndarray) -> np.ndarray:
  """Rotates each part [p, k, 2] about its pivot [p, 2] by its angle [p]."""
  cos, sin, pivot = np.cos(angle)[:, None], np.sin(angle)[:, None], pivot.T
  x = points[..., 0] - pivot[0][:, None]
  y = points[..., 1] - pivot[1][:, None]
  turned = np.empty_like(points)
  turned[..., 0] = cos * x - sin * y + pivot[0][:, None]
  turned[..., 1] = sin * x + cos * y + pivot[1][:, None]
  return turned


class Builder:
  """Collects parts and makes a `Shape` of them."""

  def __init__(self) -> None:
    self._parts: list[tuple] = []

  def add(self, points: np.ndarray, tone: int, *, pivot=(0., 0.),
          parent: int = -1, swing=(0., 0., 0.), decal: bool = False) -> int:
    """Adds a polygon [k, 2]; returns its number, for `parent`."""
    self._parts.append((points, pivot, parent, swing, tone, decal))
    return len(self._parts) - 1

  def shape(self, bend: np.ndarray, *, upright: bool,
            stretch: tuple[float, float] = (1., 1.)) -> Shape:
    """Stretches in x and y, centers and normalizes all parts.

    Where the whole would be longer than 3.2 times its breadth, it is shortened.
    """
    rest, pivot, parent, swing, tone, decal = (
        np.array(values) for values in zip(*self._parts, strict=True))
    low, high = rest[~decal].min((0, 1)), rest[~decal].max((0, 1))
    w, h = (high - low) * np.abs(stretch)
    even = math.sqrt(np.clip(w / h, 1 / _LONGEST, _LONGEST) / (w / h))
    zoom = np.array(stretch) * (even, 1 / even) / math.sqrt(w * h)
    middle = (low + high) / 2
    # float32 halves the cost of the sines, and a pixel needs no more.
    return Shape(((rest - middle) * zoom).astype(np.float32),
                 ((pivot - middle) * zoom).astype(np.float32),
                 parent, swing, bend, tone, decal, upright)


def random_bend(rng: np.random.Generator, strength: float) -> np.ndarray:
  """Two slow waves of deformation, [2, 2, 4]."""
  return np.stack([
      strength * rng.uniform(0.2, 1, (2, 2)) / (1, 2),
      rng.uniform(1, 4, (2, 2)) * (1, 2),
      math.tau / rng.uniform(20, 80, (2, 2)),
      rng.uniform(0, math.tau, (2, 2))], -1)
