"""What happens between the things and the pixels: blur, light, noise."""

import dataclasses
import functools
import math

import cv2
import numpy as np

from siamkpn_jax.datasets.synthetic import signals
from siamkpn_jax.datasets.synthetic.signals import Wave

_JITTER = 64  # pixels by which the noise field moves from frame to frame
_NOISE_SIGMA = 40.  # gray levels, of the stored field


def smear_taps(x: float, y: float) -> list[tuple[int, int]]:
  """Steps for `smear` that blur over a motion of (x, y) pixels.

  Averages of three points that are L/3 apart, then L/9, make a line of L.
  """
  taps: list[tuple[int, int]] = []
  x, y = x / 3, y / 3
  while max(abs(x), abs(y)) >= 0.5 and len(taps) < 3:
    taps.append((round(x), round(y)))
    x, y = x / 3, y / 3
  return taps


def smear_reach(taps: list[tuple[int, int]]) -> int:
  """Pixels that `smear` needs, and takes away, on each side."""
  return sum(max(abs(x), abs(y)) for x, y in taps)


def smear(image: np.ndarray, taps: list[tuple[int, int]]) -> np.ndarray:
  """Motion blur of [h, w, c] uint8 along a straight line, by `smear_taps`.

  Returns:
    [h - 2 r, w - 2 r, c] with r = smear_reach(taps): the valid part.
  """
  for x, y in taps:
    r = max(abs(x), abs(y))
    h, w = image.shape[0] - 2 * r, image.shape[1] - 2 * r
    before = image[r - y:r - y + h, r - x:r - x + w]
    after = image[r + y:r + y + h, r + x:r + x + w]
    ends = cv2.addWeighted(before, 0.5, after, 0.5, 0)
    image = cv2.addWeighted(ends, 2 / 3, image[r:r + h, r:r + w], 1 / 3, 0)
  return image


def grain(frame: np.ndarray, noise: float, t: int,
          field: np.ndarray) -> np.ndarray:
  """Adds noise to frame `t`, [h, w, 3] uint8; `noise` is sigma in gray levels.

  The field is a `noise_field` of this size or a larger one.
  """
  h, w = frame.shape[:2]
  # Two steps prime to the range: neighboring frames get far offsets.
  x, y = 37 * t % _JITTER, (11 * t + t // _JITTER) % _JITTER
  strength = noise / _NOISE_SIGMA
  return cv2.addWeighted(frame, 1, field[y:y + h, x:x + w], strength,
                         -128 * strength)


@functools.lru_cache(maxsize=4)
def noise_field(seed: int, width: int, height: int) -> np.ndarray:
  """Gaussian noise around 128, larger than a frame by the jitter, uint8."""
  rng = signals.stream(signals.NOISE, seed, 0)
  field = rng.standard_normal((height + _JITTER, width + _JITTER, 3),
                              np.float32)
  return np.clip(128 + _NOISE_SIGMA * field, 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Shade:
  """A soft edge of shadow that crosses the frame.

  Attributes:
    angle: direction across the edge, radians.
    place: wave of the edge's place along it, in halves of the frame's
      sides.
    width: of the soft edge, same unit.
    depth: share of the light that is lost in the shadow.
  """
  angle: float
  place: Wave
  width: float
  depth: float

  def apply(self, frame: np.ndarray, t: float) -> np.ndarray:
    """Darkens [h, w, 3] uint8."""
    y, x = np.mgrid[-1:1:13j, -1:1:17j]
    along = x * math.cos(self.angle) + y * math.sin(self.angle)
    dark = 1 / (1 + np.exp((along - self.place(t)) / self.width))
    gain = (255 * (1 - self.depth * dark)).astype(np.uint8)
    gain = cv2.resize(gain, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(frame, cv2.merge([gain] * 3), scale=1 / 255)


@dataclasses.dataclass(frozen=True)
class Camera:
  """Light and sensor of one video.

  Attributes:
    exposure, warmth: waves of the log gain of all and of red against blue.
    bias: wave of an offset, gray levels.
    gamma: exponent of the tone curve; 1 leaves it out.
    shade: a moving shadow, or None.
    defocus: sigma of the blur, pixels; 0 leaves it out.
    noise: sigma, gray levels.
    gray: the video has no colors.
    shutter: part of the time between two frames that smears motion.
  """
  exposure: Wave
  warmth: Wave
  bias: Wave
  gamma: float
  shade: Shade | None
  defocus: float
  noise: float
  gray: bool
  shutter: float

  def expose(self, frame: np.ndarray, t: int, seed: int) -> np.ndarray:
    """Applies all of it to a clean frame [h, w, 3] uint8."""
    if self.defocus:
      frame = cv2.GaussianBlur(frame, (5, 5), self.defocus)
    if self.shade:
      frame = self.shade.apply(frame, t)
    if self.gamma != 1:
      curve = 255 * (np.arange(256) / 255)**self.gamma
      frame = cv2.LUT(frame, np.round(curve).astype(np.uint8))
    warmth = self.warmth(t)
    gain = np.exp(self.exposure(t) + np.array([-warmth, 0, warmth]))
    frame = cv2.transform(
        frame, np.column_stack([np.diag(gain), np.full(3, self.bias(t))]))
    if self.noise:
      field = noise_field(seed, frame.shape[1], frame.shape[0])
      frame = grain(frame, self.noise, t, field)
    if self.gray:
      frame = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY),
                           cv2.COLOR_GRAY2BGR)
    return frame


def random_camera(rng: np.random.Generator) -> Camera:
  """Draws the light and sensor of a video, most of them mild."""
  shade = None
  if rng.random() < 0.4:
    shade = Shade(rng.uniform(0, math.tau),
                  signals.random_wave(rng, rng.uniform(-0.5, 0.5), 0.8),
                  signals.log_uniform(rng, 0.03, 0.6), rng.uniform(0.15, 0.6))
  wave = signals.random_wave
  return Camera(
      exposure=wave(rng, rng.normal() * 0.12, rng.uniform(0, 0.25)),
      warmth=wave(rng, rng.normal() * 0.08, rng.uniform(0, 0.08)),
      bias=wave(rng, rng.normal() * 6, rng.uniform(0, 8)),
      gamma=signals.log_uniform(rng, 0.7, 1.4) if rng.random() < 0.4 else 1,
      shade=shade,
      defocus=rng.uniform(0.5, 1.3) if rng.random() < 0.3 else 0.,
      noise=rng.uniform(1, 9) if rng.random() < 0.7 else 0.,
      gray=rng.random() < 0.12,
      shutter=rng.uniform(0.1, 0.7) if rng.random() < 0.7 else 0.)
