"""What covers a shape: texture, colors of its parts, shading, edge."""

import dataclasses
import functools
import math

import numpy as np

from siamkpn_jax.datasets.synthetic import signals, textures
from siamkpn_jax.datasets.synthetic.articulated import TONES, random_shape
from siamkpn_jax.datasets.synthetic.shapes import Shape

_BANK_SIZE = 256  # appearances per seed
_PATCH = 112  # side of the piece of texture that a thing keeps, pixels


@dataclasses.dataclass(frozen=True)
class Appearance:
  """The surface of one thing.

  Attributes:
    texture: [n, n, 3] uint8; moves and turns with the shape.
    tones: [TONES, 3] BGR colors of the parts, 0..255.
    weight: of the texture against the tones, 0..1.
    grain: texture pixels per frame pixel.
    roll: drift of the texture over the shape, texture pixels.
    light: [2] where the light comes from (x, y in -1..1).
    relief: strength of the shading, 0..1.
    softness: sigma of the edge, pixels; 0 gives a plain antialiased edge.
  """
  texture: np.ndarray
  tones: np.ndarray
  weight: float
  grain: float
  roll: signals.Wave
  light: tuple[float, float]
  relief: float
  softness: float

  def flat(self, rng: np.random.Generator) -> 'Appearance':
    """One in which the tones of the parts count more than the texture."""
    return dataclasses.replace(self, weight=0.25 + 0.35 * rng.random())

  def altered(self, rng: np.random.Generator) -> 'Appearance':
    """The same surface in somewhat other colors."""
    shift = rng.normal(size=3) * rng.uniform(15, 45)
    texture = textures.recolor(
        self.texture, self.texture.mean((0, 1)) + shift,
        hue=rng.normal() * 0.5, contrast=rng.uniform(0.7, 1.2))
    tones = self.tones.copy()
    tones[rng.integers(TONES)] = textures.random_colors(rng, 1)[0]
    return dataclasses.replace(self, texture=texture,
                               tones=np.clip(tones + shift, 0, 255))


def random_appearance(rng: np.random.Generator, seed: int,
                      avoid: np.ndarray | None = None) -> Appearance:
  """Draws a surface of a seed's textures, mostly unlike a BGR color [3]."""
  colors = textures.random_colors(rng, TONES + 12)
  tones, spare = colors[:TONES], colors[TONES:]
  if avoid is not None:
    # Now and then the least distance is so small that color tells little.
    far = np.linalg.norm(spare - avoid, axis=1) - rng.uniform(60, 140)
    tones[0] = spare[np.argmax(far > 0) if (far > 0).any() else far.argmax()]
  texture = textures.recolor(
      textures.crop(rng, seed, _PATCH), tones[0], hue=rng.uniform(0, math.tau),
      saturation=rng.uniform(0.3, 1.3), contrast=rng.uniform(0.6, 1.5))
  angle = rng.uniform(0, math.tau)
  return Appearance(
      texture, tones, weight=rng.uniform(0.45, 1),
      grain=signals.log_uniform(rng, 0.6, 1.8),
      roll=signals.random_wave(rng, 0., 30. * (rng.random() < 0.35)),
      light=(math.cos(angle), math.sin(angle)), relief=rng.uniform(0, 0.75),
      softness=(0., 0.5, 0.8)[rng.integers(3)])


@functools.lru_cache(maxsize=2 * _BANK_SIZE)
def _bank_appearance(seed: int, number: int) -> Appearance:
  return random_appearance(
      signals.stream(signals.APPEARANCE, seed, number), seed)


def bank_appearance(rng: np.random.Generator, seed: int) -> Appearance:
  """A surface out of the 256 of a seed; cheap (20 MB at most are kept)."""
  return _bank_appearance(seed, int(rng.integers(_BANK_SIZE)))


def bank_thing(rng: np.random.Generator, seed: int,
               articulated: float) -> tuple[Shape, Appearance]:
  """A shape, articulated with a probability, and a surface that suits it."""
  shape = random_shape(rng, seed, articulated=articulated)
  appearance = bank_appearance(rng, seed)
  return shape, appearance.flat(rng) if shape.is_articulated else appearance
