"""The world behind the things: a cluttered canvas that a camera moves over."""

import functools
import math

import cv2
import numpy as np

from siamkpn_jax.datasets.synthetic import effects, signals, textures
from siamkpn_jax.datasets.synthetic.appearance import bank_thing
from siamkpn_jax.datasets.synthetic.sprites import Sprite

_WORLDS = 48  # per seed
_SIDE = 480  # of a world, pixels


def _scatter(canvas: np.ndarray, rng: np.random.Generator, seed: int,
             side: float) -> None:
  """Draws one still thing of about `side` pixels on the canvas, in place."""
  x, y = rng.random(2) * canvas.shape[1::-1]
  shape, appearance = bank_thing(rng, seed, 0.2)
  turn = 0. if shape.upright else rng.uniform(0, math.tau)
  still = Sprite(shape, appearance, lambda t, extents: (x, y), side,
                 aspect=signals.Wave(rng.normal() * 0.2),
                 turn=signals.Wave(turn))
  layer = still.paint(0., clip=canvas.shape[1::-1])
  if layer is not None:
    layer.over(canvas)


@functools.lru_cache(maxsize=_WORLDS * 3 // 2)
def _world(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
  """Canvas `number` of a seed, [480, 480, 3] uint8, and its mean color [3].

  Odd ones are heaps of things on things whose sizes follow a power law, as in
  "dead leaves" models, whose statistics are near those of photographs; even
  ones are grounds, some with a horizon, with a few things on them. A pure
  function; the cache holds 50 MB at most.
  """
  rng = signals.stream(signals.WORLD, seed, number)
  canvas = _ground(rng, seed, _SIDE)
  if number % 2:
    for _ in range(int(rng.integers(15, 80))):
      # Density ~ side^-2 between 16 and 200 pixels.
      _scatter(canvas, rng, seed, 1 / rng.uniform(1 / 200, 1 / 16))
  else:
    if rng.random() < 0.5:
      level = int(_SIDE * rng.uniform(0.3, 0.7))
      canvas[level:] = _ground(rng, seed, _SIDE - level)
    for _ in range(int(rng.integers(0, 12))):
      _scatter(canvas, rng, seed, signals.log_uniform(rng, 12, 120))
  canvas.flags.writeable = False
  return canvas, np.array(cv2.mean(canvas)[:3])


def _ground(rng: np.random.Generator, seed: int, height: int) -> np.ndarray:
  """A texture at a random scale and angle, [height, 480, 3]."""
  source = textures.bank_texture(seed, int(rng.integers(textures.BANK_SIZE)))
  matrix = cv2.getRotationMatrix2D(
      (rng.uniform(0, _SIDE), rng.uniform(0, height)),
      math.degrees(rng.uniform(0, math.tau)),
      signals.log_uniform(rng, 0.7, 3))
  ground = cv2.warpAffine(source, matrix, (_SIDE, height),
                          borderMode=cv2.BORDER_REFLECT_101)
  return textures.recolor(ground, textures.random_colors(rng, 1, 0.5)[0],
                           saturation=rng.uniform(0.2, 0.9),
                           contrast=rng.uniform(0.5, 1.4))


class Backdrop:
  """The background of one video.

  Attributes:
    mean: [3] mean color, BGR.
  """

  def __init__(self, rng: np.random.Generator, seed: int,
               size: tuple[int, int]):
    self._size = size
    world, mean = _world(seed, int(rng.integers(_WORLDS)))
    self.mean = mean + rng.uniform(0, 0.6) * (
        textures.random_colors(rng, 1, 0.5)[0] - mean)
    self._canvas = textures.recolor(
        world, self.mean, old_mean=mean, hue=rng.normal() * 0.5,
        saturation=rng.uniform(0.2, 0.8), contrast=rng.uniform(0.3, 0.8))
    for _ in range(int(rng.integers(0, 4))):
      _scatter(self._canvas, rng, seed, signals.log_uniform(rng, 15, 120))
    self._draw_camera(rng)

  def _draw_camera(self, rng: np.random.Generator) -> None:
    """Draws how the view moves over the canvas."""
    still = rng.random() < 0.25
    self._mirror = -1. if rng.random() < 0.5 else 1.
    # At least 1.1 times the view is on the canvas; further out it mirrors.
    zoom = 1.1 * max(self._size) / _SIDE * signals.log_uniform(rng, 1, 1.6)
    speed = 0.1 if still else signals.log_uniform(rng, 0.3, 5)
    w, h = self._size
    self._room = max(_SIDE - w / zoom, 1.), max(_SIDE - h / zoom, 1.)
    self._path = signals.random_path(rng, speed / zoom, self._room)
    self._turn = signals.random_wave(
        rng, rng.normal() * 0.08, 0. if still else rng.uniform(0, 0.12))
    self._zoom = signals.random_wave(
        rng, math.log(zoom), 0. if still else rng.uniform(0, 0.15))

  def _warp(self, t: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Map [2, 3] from canvas to frame at `t`, and the canvas point it faces."""
    zoom, turn = math.exp(self._zoom(t)), self._turn(t)
    cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
    across, down = self._mirror * cos, self._mirror * sin
    u, v = self._path(t)
    x = _SIDE / 2 + (u - 0.5) * self._room[0]
    y = _SIDE / 2 + (v - 0.5) * self._room[1]
    w, h = self._size
    return np.array([[across, -sin, w / 2 - across * x + sin * y],
                     [down, cos, h / 2 - down * x - cos * y]]), (x, y)

  def render(self, t: float, shutter: float) -> np.ndarray:
    """The frame without things, [h, w, 3] uint8."""
    warp, facing = self._warp(t)
    taps: list[tuple[int, int]] = []
    if shutter:
      flow = self._warp(t + 0.5)[0] - self._warp(t - 0.5)[0]
      taps = effects.smear_taps(*(shutter * flow @ (*facing, 1)).tolist())
    reach = effects.smear_reach(taps)
    warp[:, 2] += reach
    w, h = self._size
    frame = cv2.warpAffine(self._canvas, warp, (w + 2 * reach, h + 2 * reach),
                           borderMode=cv2.BORDER_REFLECT_101)
    return effects.smear(frame, taps)
