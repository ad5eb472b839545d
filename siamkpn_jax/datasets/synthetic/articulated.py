"""What the videos show: simple things, and articulated shapes that move."""

import functools
import math

import numpy as np

from siamkpn_jax.datasets.synthetic import signals
from siamkpn_jax.datasets.synthetic.contours import (
  blob,
  contour,
  limb,
  oval,
  polygon,
)
from siamkpn_jax.datasets.synthetic.shapes import Builder, Shape, random_bend

BANK_SIZE = 576  # shapes per seed
TONES = 5  # colors of one thing; parts name them 0..4


@functools.lru_cache(maxsize=2 * BANK_SIZE)
def bank_shape(seed: int, number: int) -> Shape:
  """Shape `number` (0..BANK_SIZE - 1) of a seed; odd ones are articulated.

  A pure function; the cache (8 MB at most) only saves time.
  """
  rng = signals.stream(signals.SHAPE, seed, number)
  if number % 2:
    return _ARTICULATED[number // 2 % len(_ARTICULATED)](rng)
  return _thing(rng)


def random_shape(rng: np.random.Generator, seed: int, *,
                 articulated: float = 0.5) -> Shape:
  """A shape of the bank, articulated with the given probability."""
  number = 2 * int(rng.integers(BANK_SIZE // 2)) + (rng.random() < articulated)
  return bank_shape(seed, number)


def _thing(rng: np.random.Generator) -> Shape:
  """One contour with some marks on it; aspect w/h between 0.35 and 2.8."""
  parts = Builder()
  parts.add(contour(rng), 0)
  for _ in range(int(rng.integers(0, 5))):
    marks = contour(rng) * rng.uniform(0.08, 0.4, 2)
    parts.add(marks + rng.uniform(-0.6, 0.6, 2), int(rng.integers(1, TONES)),
              decal=True)
  aspect = math.sqrt(math.exp(np.clip(rng.normal() * 0.5, -1, 1)))
  bend = random_bend(rng, rng.choice((0., 0.03, 0.08, 0.13)))
  return parts.shape(bend, upright=False, stretch=(aspect, 1 / aspect))


def bar(rng: np.random.Generator, length: float) -> Shape:
  """An upright post of thickness 1, `length` long, for occluders."""
  post = polygon([(-0.5, -length / 2), (0.5, -length / 2),
                  (0.5, length / 2), (-0.5, length / 2)])
  return Shape(post[None], np.zeros((1, 2)), np.array([-1]), np.zeros((1, 3)),
               random_bend(rng, 0.05), np.array([0]), np.array([False]), True)


def _stride(rng) -> tuple[float, float, float]:
  """Amplitude, omega and phase of a gait."""
  return (rng.uniform(0.2, 0.8), math.tau / rng.uniform(14, 40),
          rng.uniform(0, math.tau))


def _opposite(swing, factor=1.):
  return (factor * swing[0], swing[1], swing[2] + math.pi)


def _leg(parts, hip, length, radius, swing, tones, knee) -> None:
  """A two-part limb hanging from `hip`, with a shoe or hand at its end."""
  x, y = hip
  middle, end = y + 0.5 * length, y + length
  upper = parts.add(limb(hip, (x, middle), radius, 0.85 * radius), tones[0],
                    pivot=hip, swing=swing)
  bent = (knee * swing[0], swing[1], swing[2] + 0.8)
  for points, tone in (
      (limb((x, middle), (x, end), 0.8 * radius, 0.6 * radius), tones[1]),
      (oval((x + 0.4 * radius, end), (radius, 0.7 * radius)), tones[2])):
    parts.add(points, tone, pivot=(x, middle), parent=upper, swing=bent)


def _person(rng) -> Shape:
  parts, swing = Builder(), _stride(rng)
  build, head = rng.uniform(0.8, 1.5), rng.uniform(0.075, 0.11)
  arm, leg = 0.042 * build, 0.058 * build
  apart = rng.choice((0., 0.05))  # seen from the side or from the front
  sleeve, sock = rng.choice((0, 1)), rng.choice((2, 1))
  other = _opposite(swing)
  _leg(parts, (-1.8 * apart, -0.2), 0.34, arm, other, (0, sleeve, 1), 0.5)
  _leg(parts, (-apart, 0.1), 0.4, leg, swing, (2, sock, 3), 0.7)
  _leg(parts, (apart, 0.1), 0.4, leg, other, (2, sock, 3), 0.7)
  parts.add(limb((0, -0.18), (0, 0.08), 0.1 * build, 0.075 * build), 0)
  parts.add(limb((0, -0.3), (0, -0.25), 0.035, 0.045), 1)
  parts.add(oval((0, -0.39), (head, 1.2 * head)), 1)
  parts.add(oval((-0.1 * head, -0.39 - 0.6 * head), (1.05 * head, 0.6 * head)),
            4)
  _leg(parts, (1.8 * apart, -0.2), 0.34, arm, swing, (0, sleeve, 1), 0.5)
  return parts.shape(random_bend(rng, 0.015), upright=True,
                     stretch=(rng.choice((-1., 1.)) * rng.uniform(0.9, 1.4), 1))


def _animal(rng) -> Shape:
  parts, swing = Builder(), _stride(rng)
  length, height = rng.uniform(0.35, 0.6), rng.uniform(0.2, 0.45)
  fat, neck = rng.uniform(0.1, 0.22), rng.uniform(0.1, 0.4)
  legs = 0.3 * fat
  for x, gait in ((-length, swing), (length, _opposite(swing, 0.8))):
    _leg(parts, (x, 0), height, legs, _opposite(gait), (2, 2, 3), 0.5)
  parts.add(limb((-length, -0.3 * fat), (-length - 0.3, rng.uniform(-0.3, 0.2)),
                 0.3 * fat, 0.1 * fat), 2, pivot=(-length, 0),
            swing=(0.5, swing[1] * 1.3, 0))
  parts.add(limb((-length, 0), (length, -0.2 * fat), fat, 1.1 * fat), 0)
  parts.add(oval((rng.uniform(-0.2, 0.2), -0.1), (0.2, 0.4 * fat)), 1,
            decal=True)
  nod, head = (0.15, swing[1] * 0.7, 1.), (length + 0.2, -neck)
  muzzle = (head[0] + 0.15, head[1] + 0.05)
  ear = oval((head[0], head[1] - 0.6 * fat), (0.2 * fat, 0.45 * fat))
  for points, tone in (
      (limb((length, -0.3 * fat), head, 0.7 * fat, 0.5 * fat), 0),
      (limb(head, muzzle, 0.6 * fat, 0.4 * fat), rng.choice((0, 1))), (ear, 2)):
    parts.add(points, tone, pivot=(length, 0), swing=nod)
  for x, gait in ((-0.9 * length, swing), (0.9 * length, _opposite(swing))):
    _leg(parts, (x, 0), height, legs, gait, (0, 2, 3), 0.5)
  return parts.shape(random_bend(rng, 0.02), upright=True,
                     stretch=(rng.choice((-1., 1.)), 1))


def _vehicle(rng) -> Shape:
  parts = Builder()
  tall, roof = rng.uniform(0.15, 0.4), rng.uniform(0.15, 0.35)
  nose, back = rng.uniform(0.2, 0.7), rng.uniform(-0.9, -0.4)
  top = -tall - roof
  parts.add(polygon([(back, -tall), (0.85 * back, top), (nose - 0.25, top),
                     (nose, -tall), (0.5, 0), (-0.5, 0)]), 0)
  parts.add(oval((0, -tall / 2), (1, 0.62 * tall), power=6), 0)
  parts.add(polygon([(0.9 * back, -tall), (0.8 * back, top + 0.05),
                     (nose - 0.29, top + 0.05), (nose - 0.07, -tall)]), 1,
            decal=True)
  for x in np.linspace(back, nose, int(rng.integers(3, 6)))[1:-1]:
    parts.add(limb((x, -tall), (x, top), 0.025, 0.025), 0, decal=True)
  parts.add(oval((0.93, -0.65 * tall), (0.05, 0.06)), 3, decal=True)
  parts.add(oval((-0.95, -0.65 * tall), (0.04, 0.06)), 4, decal=True)
  parts.add(limb((-0.9, -0.4 * tall), (0.9, -0.4 * tall), 0.02, 0.02), 3,
            decal=True)
  radius = rng.uniform(0.13, 0.22)
  for x in (-0.58, 0.6):
    parts.add(oval((x, 0.05), (radius, radius)), 2)
    parts.add(oval((x, 0.05), (0.5 * radius, 0.5 * radius)), 3, decal=True)
    parts.add(limb((x, 0.05 - radius / 2), (x, 0.05 + radius / 2), 0.02, 0.02),
              2, pivot=(x, 0.05), swing=(3., math.tau / 30, 0.), decal=True)
  return parts.shape(random_bend(rng, 0.004), upright=True,
                     stretch=(rng.choice((-1., 1.)) * rng.uniform(0.7, 1.1), 1))


def _bird(rng) -> Shape:
  """Flapping wings: bird, butterfly, drone."""
  parts, swing = Builder(), _stride(rng)
  span, chord = rng.uniform(0.5, 0.9), rng.uniform(0.12, 0.3)
  droop = rng.uniform(-0.3, 0.3)
  for side in (-1, 1):
    wing = polygon([(0, -chord), (side * span, droop - 0.4 * chord),
                    (side * span * 0.9, droop + 0.5 * chord), (0, chord)])
    flap = (side * swing[0], *swing[1:])
    number = parts.add(wing, 2, swing=flap)
    parts.add(oval((side * 0.6 * span, 0.6 * droop), (0.2 * span, 0.3 * chord)),
              3, parent=number, decal=True)
  parts.add(limb((0, -0.15), (0, rng.uniform(0.25, 0.5)), 0.12, 0.05), 0)
  parts.add(oval((0, -0.25), (0.1, 0.12)), 1)
  return parts.shape(random_bend(rng, 0.03), upright=False)


def _face(rng) -> Shape:
  parts = Builder()
  wide, look = rng.uniform(0.6, 0.85), rng.uniform(-0.2, 0.2)
  turn = (0.25, math.tau / rng.uniform(40, 90), rng.uniform(0, math.tau))
  parts.add(blob(rng) * (wide, 1), 2)  # hair
  parts.add(oval((0, 0.15), (0.85 * wide, 0.85), power=2.3), 0)
  for x in (-0.35 * wide, 0.35 * wide):
    at = (x + look, 0.05)
    parts.add(oval((at[0], -0.12), (0.17, 0.04)), 2, decal=True)
    parts.add(oval(at, (0.13, 0.07)), 3, decal=True)
    parts.add(oval(at, (0.05, 0.06)), 4, decal=True)
  parts.add(limb((look, 0.1), (1.3 * look, 0.35), 0.03, 0.07), 1,
            decal=True)
  parts.add(oval((look, 0.58), (0.22, 0.06)), 1, swing=turn, decal=True)
  return parts.shape(random_bend(rng, 0.02), upright=True)


def _worm(rng) -> Shape:
  """A chain of segments that writhes: snake, fish, train, hand."""
  parts = Builder()
  count, fat = int(rng.integers(3, 7)), rng.uniform(0.15, 0.45)
  x = np.linspace(-1, 1, count + 1)
  taper = fat * rng.uniform(0.5, 1.1, count + 1)
  for i in range(count):
    parts.add(limb((x[i], 0), (x[i + 1], 0), taper[i], taper[i + 1]), i % 3)
  parts.add(oval((1, -0.3 * fat), (0.15, 0.15)), 3, decal=True)
  parts.add(oval((1, -0.3 * fat), (0.07, 0.07)), 4, decal=True)
  return parts.shape(random_bend(rng, 0.2), upright=False)


_ARTICULATED = (
    _person, _person, _person, _animal, _vehicle, _vehicle, _bird, _face, _worm)
