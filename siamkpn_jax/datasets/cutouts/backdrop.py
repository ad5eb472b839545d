"""What lies behind the objects of a scene."""

import dataclasses
import math

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.datasets.cutouts.library import Library
from siamkpn_jax.datasets.synthetic import signals, textures
from siamkpn_jax.datasets.synthetic.signals import Wave

_TRIES = 6  # pictures that may be too small before colors stand in
_PLAIN = 0.08  # share of the scenes before mere colors
ROOM = 380  # pixels of a scene that a picture should fill at least


@dataclasses.dataclass(frozen=True)
class Backdrop:
  """A picture and how the camera moves over it.

  Attributes:
    picture: [h, w, 3] uint8 BGR.
    mean: its mean color, BGR.
    center_x, center_y: waves of the place that is in the scene's middle,
      pixels of the picture.
    turn: wave of its rotation, radians.
    zoom: wave of the log of scene pixels per pixel of it.
    mirrored: left and right change places.
    blur: sigma, pixels of the scene; 0 for none.
  """

  picture: np.ndarray
  mean: tuple[float, ...]
  center_x: Wave
  center_y: Wave
  turn: Wave
  zoom: Wave
  mirrored: bool
  blur: float

  def render(self, t: float, patch: int) -> np.ndarray:
    """The middle of the scene at time `t`, [patch, patch, 3] uint8."""
    zoom, turn = math.exp(self.zoom(t)), self.turn(t)
    cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]])
    if self.mirrored:
      linear[:, 0] *= -1
    center = np.array([self.center_x(t), self.center_y(t)])
    warp = np.column_stack([linear, (patch - 1) / 2 - linear @ center])
    image = cv2.warpAffine(self.picture, warp, (patch, patch),
                           flags=cv2.INTER_LINEAR,
                           borderMode=cv2.BORDER_REFLECT_101)
    if self.blur:
      image = cv2.GaussianBlur(image, (0, 0), self.blur)
    return image


def random_backdrop(rng: np.random.Generator, library: Library) -> Backdrop:
  """Draws one, of a picture of the library or now and then of mere colors.

  Raises:
    UserError: a picture cannot be read.
  """
  picture = None
  if library.num_backdrops and rng.random() >= _PLAIN:
    for _ in range(_TRIES):
      picture = library.backdrop(int(rng.integers(library.num_backdrops)))
      if picture is not None:
        break
  if picture is None:
    picture = _colors(rng)
  h, w = picture.shape[:2]
  least = max(0.6, ROOM / min(h, w))
  zoom = signals.log_uniform(rng, least, 2.2 * least)
  # The middle keeps this far from the picture's edges, if there is room.
  margin = [min(side / 2, ROOM / 2 / zoom) for side in (w, h)]
  x, y = (rng.uniform(m, side - m) for m, side in zip(
      margin, (w, h), strict=True))
  drift = signals.log_uniform(rng, 2, 90) / zoom
  wave = signals.random_wave
  return Backdrop(
      picture, tuple(cv2.mean(picture)[:3]),
      wave(rng, x, drift), wave(rng, y, drift / 2),
      wave(rng, 0.1 * rng.normal(), 0.1 * rng.random()),
      wave(rng, math.log(zoom), 0.1 * rng.random()),
      bool(rng.random() < 0.5),
      rng.uniform(0.6, 2.2) if rng.random() < 0.2 else 0.)


def _colors(rng: np.random.Generator) -> np.ndarray:
  """One color, or some that run into each other, [511, 511, 3] uint8."""
  side = int(rng.integers(1, 4))
  colors = textures.random_colors(rng, side * side).reshape(side, side, 3)
  size = (geometry.CONTEXT_SIZE, geometry.CONTEXT_SIZE)
  smooth = cv2.resize(colors.astype(np.float32), size,
                      interpolation=cv2.INTER_LINEAR)
  return np.clip(smooth, 0, 255).astype(np.uint8)
