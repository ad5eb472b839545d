"""Contours: the closed polygons that parts of things are made of."""

import math

import numpy as np

_POINTS = 40  # vertices of every contour, so that they stack into one array
_TURN = np.linspace(0, math.tau, _POINTS, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], -1)  # [k, 2]


def oval(center, radii, *, power: float = 2.) -> np.ndarray:
  """A superellipse: 2 is an ellipse, more goes to a rectangle; [k, 2]."""
  points = np.sign(_CIRCLE) * np.abs(_CIRCLE)**(2 / power)
  return points * radii + center


def limb(start, end, r_start: float, r_end: float) -> np.ndarray:
  """A rounded rod from `start` to `end` with its radii there, [k, 2]."""
  start, end = np.asarray(start, float), np.asarray(end, float)
  along = math.atan2(*(end - start)[::-1])
  turn = _TURN + along - math.pi / 2
  circle = np.stack([np.cos(turn), np.sin(turn)], -1)
  first = np.arange(_POINTS) < _POINTS // 2
  return np.where(first[:, None], end + r_end * circle,
                  start + r_start * circle)


def polygon(corners) -> np.ndarray:
  """Spreads vertices along the sides of a polygon [c, 2] -> [k, 2]."""
  corners = np.asarray(corners, float)
  at = np.arange(_POINTS) * len(corners) / _POINTS
  # Vertices move to the nearest corner, so that corners stay sharp.
  at = np.where(np.abs(at - np.round(at)) < 0.5 * len(corners) / _POINTS,
                np.round(at), at)
  low, part = np.floor(at).astype(int), (at % 1)[:, None]
  return ((1 - part) * corners[low % len(corners)] +
          part * corners[(low + 1) % len(corners)])


def blob(rng: np.random.Generator) -> np.ndarray:
  """A closed smooth contour around 0 of random harmonics, [k, 2]."""
  radius = np.ones(_POINTS)
  for order in range(2, 7):
    radius += (rng.normal() * 0.35 / order *
               np.cos(order * _TURN + rng.uniform(0, math.tau)))
  return _CIRCLE * np.maximum(radius, 0.25)[:, None]


def contour(rng: np.random.Generator) -> np.ndarray:
  """A random simple contour around 0, about 1 in radius, [k, 2]."""
  kind = rng.integers(5)
  if kind == 0:
    return oval((0, 0), (1, 1))
  if kind == 1:
    return oval((0, 0), (1, 1), power=rng.uniform(3, 9))
  if kind == 2:
    return blob(rng)
  if kind == 3:
    count = int(rng.integers(3, 9))
    turn = np.sort(np.arange(count) + rng.uniform(-0.3, 0.3, count))
    turn = turn * math.tau / count
    radius = rng.uniform(0.65, 1, count)
    return polygon(np.stack([np.cos(turn), np.sin(turn)], -1) * radius[:, None])
  count, depth = int(rng.integers(3, 9)), rng.uniform(0.08, 0.35)
  return _CIRCLE * (1 + depth * np.cos(count * _TURN))[:, None]
