"""A moving thing: posture, place and paint at any time, as a small layer."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from siamkpn_jax.datasets.synthetic import effects
from siamkpn_jax.datasets.synthetic.appearance import Appearance
from siamkpn_jax.datasets.synthetic.shapes import Shape
from siamkpn_jax.datasets.synthetic.signals import Wave

SOLID = 127  # what has more alpha counts as the thing, 0..255
_SUPER = 4  # masks are drawn this much larger, then averaged
_STEADY = Wave()
_BITS = 4  # fraction bits of the vertices that OpenCV gets

# Least x, least y, greatest x, greatest y of a thing about its origin, pixels.
Extents = tuple[float, float, float, float]
# From the time and the extents to the place of the origin in the frame (x, y).
Motion = Callable[[float, Extents], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Layer:
  """A rectangle of color to lay over the frame.

  Attributes:
    x: frame column of its first column; may lie outside.
    y: frame row of its first row.
    color: [h, w, 3] uint8, already multiplied by alpha.
    alpha: [h, w] uint8.
    box: tight xywh [4] of what was painted, before its motion smeared it.
  """
  x: int
  y: int
  color: np.ndarray
  alpha: np.ndarray
  box: np.ndarray

  def over(self, frame: np.ndarray) -> None:
    """Draws the layer on a frame [h, w, 3] uint8, in place."""
    here, there = overlap((self.x, self.y), self.alpha.shape, (0, 0),
                          frame.shape)
    if not frame[there].size:
      return
    clear = cv2.bitwise_not(cv2.merge([self.alpha[here]] * 3))
    frame[there] = cv2.add(self.color[here], cv2.multiply(
        frame[there], clear, scale=1 / 255))


def overlap(corner_a: tuple[int, int], shape_a: tuple[int, ...],
            corner_b: tuple[int, int], shape_b: tuple[int, ...]
            ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
  """Common part of two arrays [h, w, ...] that lie at frame pixels (x, y).

  Returns:
    Its (rows, columns) in a and in b; empty where they are apart.
  """
  x0 = max(corner_a[0], corner_b[0])
  y0 = max(corner_a[1], corner_b[1])
  x1 = max(min(corner_a[0] + shape_a[1], corner_b[0] + shape_b[1]), x0)
  y1 = max(min(corner_a[1] + shape_a[0], corner_b[1] + shape_b[0]), y0)
  (ax, ay), (bx, by) = corner_a, corner_b
  return ((slice(y0 - ay, y1 - ay), slice(x0 - ax, x1 - ax)),
          (slice(y0 - by, y1 - by), slice(x0 - bx, x1 - bx)))


@dataclasses.dataclass(frozen=True)
class Sprite:
  """One moving thing; every method is a pure function of time (frames).

  Attributes:
    shape: its contour.
    appearance: its surface.
    motion: where it is.
    side: pixels per unit of the shape.
    zoom: wave of the log of the size.
    aspect: wave of the log of sqrt(width / height).
    turn: wave of the rotation, radians.
    spin: steady rotation on top, radians per frame.
  """
  shape: Shape
  appearance: Appearance
  motion: Motion
  side: float
  zoom: Wave = _STEADY
  aspect: Wave = _STEADY
  turn: Wave = _STEADY
  spin: float = 0.

  def posture(self, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices about the origin, pixels [p, k, 2], and their map [2, 2]."""
    angle, stretch = self.turn(t) + self.spin * t, math.exp(self.aspect(t))
    zoom = self.side * math.exp(self.zoom(t))
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    # Columns: where the unit vectors of the shape go.
    units = np.array([[cos * stretch, -sin / stretch],
                      [sin * stretch, cos / stretch]], np.float32)
    return self.shape.vertices(t) @ units.T, units

  def extents(self, points: np.ndarray) -> Extents:
    """Least x, least y, greatest x, greatest y of vertices [p, k, 2]."""
    outer = points[~self.shape.decal].reshape(-1, 2)
    return (*outer.min(0).tolist(), *outer.max(0).tolist())

  def mask(self, t: float) -> tuple[np.ndarray, tuple[int, int]]:
    """Alpha of the whole thing [h, w] uint8 and the frame pixel (x, y)."""
    points, _ = self.posture(t)
    extents = self.extents(points)
    origin = self.motion(t, extents)
    corner, size = self._window(extents, origin, 0, None)
    return self._fill(points + np.subtract(origin, corner), size), corner

  def box(self, t: float) -> np.ndarray:
    """Tight xywh [4] float64 around the mask (alpha > 0.5)."""
    return _tight(*self.mask(t))

  def paint(self, t: float, *, clip: tuple[int, int] | None = None,
            shutter: float = 0.) -> Layer | None:
    """The thing at time `t`, None where nothing of it is in the frame.

    Args:
      t: time, frames.
      clip: width and height of the frame to stay in; None paints the whole.
      shutter: part of the time between two frames that smears its motion.
    """
    points, units = self.posture(t)
    extents = self.extents(points)
    place, taps = self.motion(t, extents), []
    if shutter:
      (x0, y0), (x1, y1) = (self.motion(at, extents)
                            for at in (t - 0.5, t + 0.5))
      taps = effects.smear_taps(shutter * (x1 - x0), shutter * (y1 - y0))
    reach = effects.smear_reach(taps)
    corner, size = self._window(extents, place, reach, clip)
    if min(size) <= 2 * reach:
      return None
    origin = np.subtract(place, corner).astype(np.float32)
    points = points + origin
    alpha = self._fill(points, size)
    color = self._color(t, points, units, origin, alpha)
    painted = effects.smear(cv2.merge([color, alpha]), taps)
    return Layer(corner[0] + reach, corner[1] + reach, painted[..., :3],
                 painted[..., 3], _tight(alpha, corner))

  def _window(self, extents: Extents, place: tuple[float, float], reach: int,
              clip: tuple[int, int] | None
              ) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corner and (width, height) of the pixels to paint; clipped, maybe < 0.

    The smear eats `reach` on every side after having spread the thing by it.
    """
    margin = 2 * reach + (3 if self.appearance.softness else 1)
    x0 = math.floor(place[0] + extents[0]) - margin
    y0 = math.floor(place[1] + extents[1]) - margin
    x1 = math.ceil(place[0] + extents[2]) + margin
    y1 = math.ceil(place[1] + extents[3]) + margin
    if clip is not None:
      x0, y0 = max(x0, -reach), max(y0, -reach)
      x1, y1 = min(x1, clip[0] + reach), min(y1, clip[1] + reach)
    return (x0, y0), (x1 - x0, y1 - y0)

  def _fill(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask [h, w] uint8 of polygons [p, k, 2] in the window."""
    w, h = size
    alpha: Any = np.zeros((_SUPER * h, _SUPER * w), np.uint8)
    for part in _fixed_point(points[~self.shape.decal] * _SUPER):
      cv2.fillPoly(alpha, [part], 255, shift=_BITS)
    # Twice by two: OpenCV has a fast path for that, none for four.
    for scale in (2, 1):
      alpha = cv2.resize(alpha, (scale * w, scale * h),
                         interpolation=cv2.INTER_AREA)
    if self.appearance.softness:
      alpha = cv2.GaussianBlur(alpha, (5, 5), self.appearance.softness)
    return alpha

  def _color(self, t: float, points: np.ndarray, units: np.ndarray,
              origin: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Surface times alpha, [h, w, 3]; `points`, `origin` in the layer."""
    appearance, size = self.appearance, alpha.shape[::-1]
    to_frame = units / (appearance.grain * self.side)
    middle = len(appearance.texture) / 2 + appearance.roll(t)
    warp = np.column_stack([to_frame, origin - to_frame @ (middle, middle)])
    color = cv2.warpAffine(appearance.texture, warp, size,
                            borderMode=cv2.BORDER_REFLECT)
    tones = appearance.tones[self.shape.tone].tolist()
    if len(tones) > 1:  # else the mean of the texture is the only tone
      flat = np.empty((*alpha.shape, 3), np.uint8)
      cv2.rectangle(flat, (0, 0), size, tones[0], -1)
      for part, tone in zip(_fixed_point(points), tones, strict=True):
        cv2.fillPoly(flat, [part], tone, cv2.LINE_AA, _BITS)
      color = cv2.addWeighted(
          color, appearance.weight, flat, 1 - appearance.weight, 0)
    gain = self._relief(alpha)
    return cv2.multiply(color, cv2.merge([gain] * 3), scale=1 / 200)

  def _relief(self, alpha: np.ndarray) -> np.ndarray:
    """Alpha times shading, [h, w] uint8, where 200 stands for 1.

    A blurred mask, seen from where the light comes from, is bright on the near
    side of a rounded thing and dark on the far side.
    """
    reach = int(np.clip(0.15 * self.side, 1, 15))
    anchor = tuple(round(reach * (1 + 0.9 * v)) for v in self.appearance.light)
    lit = cv2.blur(alpha, (2 * reach + 1, 2 * reach + 1), anchor=anchor,
                   borderType=cv2.BORDER_REPLICATE)
    relief = self.appearance.relief
    lit = cv2.convertScaleAbs(lit, alpha=200 / 255 * 1.2 * relief,
                              beta=200 * (1 - relief))
    return cv2.multiply(lit, alpha, scale=1 / 255)


def _fixed_point(points: np.ndarray) -> np.ndarray:
  """Continuous places to OpenCV's: pixel i of ours has its center at i."""
  return np.round((points - 0.5) * (1 << _BITS)).astype(np.int32)


def solid_box(alpha: np.ndarray) -> tuple[int, int, int, int]:
  """Tight box xywh of the pixels of [h, w] above `SOLID`; w = h = 0: none."""
  x, y, w, h = cv2.boundingRect(
      cv2.threshold(alpha, SOLID, 255, cv2.THRESH_BINARY)[1])
  return x, y, w, h


def _tight(alpha: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
  """Box xywh [4] in the frame of the pixels with alpha > 0.5."""
  x, y, w, h = solid_box(alpha)
  return np.array([x + corner[0], y + corner[1], w, h], np.float64)
