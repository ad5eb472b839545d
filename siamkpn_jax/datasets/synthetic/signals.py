"""Closed-form signals over time, so that any frame can be made on its own."""

import dataclasses
import math

import numpy as np

# First word of every random stream: streams of two purposes never coincide.
TEXTURE, SHAPE, APPEARANCE, WORLD, SCENE, NOISE, CUTOUT = range(1, 8)

_ROUNDING = 0.93  # of the turns of a path: 1 is a zigzag, 0 a sine
_SPAN = 2 * math.asin(_ROUNDING)
_SLOPE = 2 * _ROUNDING / _SPAN  # of the rounded zigzag -1..1 at its middle


def stream(purpose: int, seed: int, index: int,
           part: int = 0) -> np.random.Generator:
  """The random stream of one thing; all four words count."""
  # Always four words: numpy pads shorter lists with zeros, [1] equals [1, 0].
  return np.random.default_rng([purpose, seed, index, part])


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
  """A draw whose logarithm is uniform between those of `low` and `high`."""
  return low * (high / low)**rng.random()


def pick(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
  """An index drawn by weights that add up to 1."""
  # Generator.choice does the same twenty times slower.
  left = rng.random()
  for index, weight in enumerate(weights):
    left -= weight
    if left < 0:
      return index
  return len(weights) - 1


@dataclasses.dataclass(frozen=True)
class Wave:
  """base + the sum of amplitude * sin(omega * t + phase) over `terms`."""
  base: float = 0.0
  terms: tuple[tuple[float, float, float], ...] = ()

  def __call__(self, t: float) -> float:
    """Value at time `t`, frames."""
    value = self.base
    for amplitude, omega, phase in self.terms:
      value += amplitude * math.sin(omega * t + phase)
    return value


def random_wave(rng: np.random.Generator, base: float, amplitude: float, *,
                periods: tuple[float, float] = (40., 160.)) -> Wave:
  """Two sinusoids around `base`, together at most `amplitude` high.

  The periods are the shortest and the longest, in frames.
  """
  if not amplitude:
    return Wave(base)
  share, long, short, phase, other = rng.random(5).tolist()
  share, (low, high) = 0.5 + 0.4 * share, periods
  slow = math.tau / (low * (high / low)**long)
  fast = 2 * math.tau / (low * (high / low)**short)
  return Wave(base, ((share * amplitude, slow, math.tau * phase),
                     ((1 - share) * amplitude, fast, math.tau * other)))


@dataclasses.dataclass(frozen=True)
class Path:
  """A smooth wandering point in the unit square, bouncing off its sides.

  Each axis is a zigzag with rounded turns; a shared clock makes the point
  hurry and linger without leaving its course.
  """
  omega: tuple[float, float]
  phase: tuple[float, float]
  clock: Wave

  def __call__(self, t: float) -> tuple[float, float]:
    """(x, y) in [0, 1] at time `t`, frames."""
    t = t + self.clock(t)
    u, v = (self.omega[axis] * t + self.phase[axis] for axis in (0, 1))
    return (0.5 + math.asin(_ROUNDING * math.sin(u)) / _SPAN,
            0.5 + math.asin(_ROUNDING * math.sin(v)) / _SPAN)


def random_path(rng: np.random.Generator, speed: float,
                room: tuple[float, float]) -> Path:
  """A path of a given speed in a random direction.

  Args:
    rng: source of the draws.
    speed: typical displacement per frame, pixels; at most 1.5 times that.
    room: width and height that the unit square will be stretched to, pixels.
  """
  angle, period, wobble, *phase = rng.random(6).tolist()
  # Never nearly axis-parallel: such a path would return over itself.
  angle = 0.25 + angle * (math.pi / 2 - 0.5)
  rate_x = 2 * speed * math.cos(angle) / (_SLOPE * max(room[0], 1.))
  rate_y = 2 * speed * math.sin(angle) / (_SLOPE * max(room[1], 1.))
  phase = [math.tau * p for p in phase]
  rate = math.tau / (25 + 45 * period)
  clock = Wave(0., ((0.5 * wobble / rate, rate, phase[2]),))
  return Path((rate_x, rate_y), (phase[0], phase[1]), clock)
