"""What real videos do to a picture, done to still and clean ones.

Runs on the host, frame by frame: what is needed here is in OpenCV, and no
matrix product. Every step is a pure function of its arguments.
"""

import math

import cv2
import numpy as np

from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.core import geometry
from siamkpn_jax.core.images import decode_image
from siamkpn_jax.datasets import padding, warp
from siamkpn_jax.datasets.patches import central
from siamkpn_jax.datasets.synthetic import effects

_MARGIN = 1.4  # of the patch: what a warp may bring into view
_MOTION = 0.4  # of the target's shorter side at most
_HIDDEN = (0.1, 0.4)  # of the target's box
_SMALLER = 4.0  # at most
_QUALITY = (20, 90)  # of JPEG
_TRIES = 10
# Settings with the probability of a step, in the order of the steps.
STEPS = ('padding', 'warp', 'motion_blur', 'occlusion', 'low_resolution',
         'jpeg')


def is_off(config: AugmentConfig) -> bool:
  """Whether nothing ever happens on the host."""
  return not any(getattr(config, step) for step in STEPS)


def read_patch(config: AugmentConfig, patch: int) -> int:
  """Side of the patch to read for a patch of a side, odd."""
  if is_off(config):
    return patch
  return min(2 * math.ceil(_MARGIN * patch / 2) + 1, geometry.CONTEXT_SIZE)


def stream(seed: int, index: int, crop: int) -> np.random.Generator:
  """Random numbers of pair `index`, for its template (0) or search crop (1).

  None of them is one of `sampler.sample`, which counts from another place.
  """
  return np.random.Generator(np.random.Philox(
      key=[seed, index], counter=[0, 0, 1 + crop, 0]))


def degrade(rng: np.random.Generator, image: np.ndarray, wh: np.ndarray,
            patch: int, config: AugmentConfig, *, occlude: bool
            ) -> tuple[np.ndarray, np.ndarray]:
  """A patch as a worse camera would have seen it.

  Args:
    rng: from `stream`.
    image: [m, m, 3] uint8 patch with m = read_patch(config, patch), the
      target's center in its center; it stays as it is.
    wh: [2] size of the target.
    patch: side of the result, odd.
    config: what may happen.
    occlude: whether the target may be covered.

  Returns:
    [patch, patch, 3] uint8 and [2] float32, as `Source.read`.
  """
  chances = [getattr(config, step) for step in STEPS]
  does = dict(zip(STEPS, rng.random(len(STEPS)) < chances, strict=True))
  if does['padding']:
    image = padding.refill(rng, image, wh)
  if does['warp']:
    image, wh = warp.random_warp(rng, image, wh, patch)
  else:
    image = central(image, patch)
  if does['motion_blur']:
    length = rng.uniform(2, max(2, _MOTION * float(min(wh))))
    image = motion_blurred(image, rng.uniform(0, math.pi), length)
  if does['occlusion'] and occlude:
    image = occluded(rng, image, wh)
  small = image
  if does['low_resolution']:
    small = shrunk(image, _SMALLER**rng.uniform(0, 1))
  if does['jpeg']:
    small = recompressed(small, int(rng.integers(*_QUALITY, endpoint=True)))
  if does['low_resolution']:
    small = cv2.resize(small, (patch, patch), interpolation=cv2.INTER_LINEAR)
  return small, wh


def motion_blurred(image: np.ndarray, angle: float,
                   length: float) -> np.ndarray:
  """Smears [h, w, 3] uint8 along a line of an angle and length, pixels."""
  taps = effects.smear_taps(
      length * math.cos(angle), length * math.sin(angle))
  reach = effects.smear_reach(taps)
  return effects.smear(cv2.copyMakeBorder(
      image, reach, reach, reach, reach, cv2.BORDER_REFLECT_101), taps)


def shrunk(image: np.ndarray, factor: float) -> np.ndarray:
  """[h, w, 3] averaged to a size that is `factor` times smaller."""
  size = [max(1, round(side / factor)) for side in image.shape[1::-1]]
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def recompressed(image: np.ndarray, quality: int) -> np.ndarray:
  """[h, w, 3] uint8 after a JPEG of a quality, 1..100."""
  data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
  return decode_image(data.tobytes(), 'a patch', cv2.IMREAD_COLOR)


def occluded(rng: np.random.Generator, image: np.ndarray,
             wh: np.ndarray) -> np.ndarray:
  """Covers at most 40 % of the box in the middle of [m, m, 3].

  By a rectangle, or a strip from edge to edge; of another part of the image, of
  noise or of one color.
  """
  size, middle = len(image), (len(image) - 1) / 2
  share = rng.uniform(*_HIDDEN)
  if rng.random() < 0.5:  # a strip
    sides = np.array([float(size), size])
    axis = int(rng.integers(2))
    sides[axis] = share * wh[axis]
  else:
    wide = rng.uniform(share, 1)
    sides = np.array([wide, share / wide]) * wh
  whole = np.clip(sides.astype(int), 1, size)  # rounded down
  center = middle + rng.uniform(-0.5, 0.5, 2) * wh
  x, y = np.clip(np.round(center - whole / 2).astype(int), 0, size - whole)
  out = image.copy()
  out[y:y + whole[1], x:x + whole[0]] = _cover(rng, image, wh, whole)
  return out


def _cover(rng: np.random.Generator, image: np.ndarray, wh: np.ndarray,
           sides: np.ndarray) -> np.ndarray:
  """What hides the target: [h, w, 3], or [3] of one color."""
  width, height = sides.tolist()
  way = rng.random()
  if way < 0.25:
    return rng.integers(0, 256, (height, width, 3), np.uint8)
  if way < 0.75:
    low, high = ((len(image) - wh) / 2, (len(image) + wh) / 2)
    for _ in range(_TRIES):
      corner = rng.integers(0, len(image) - sides + 1)
      if ((corner + sides <= low) | (corner >= high)).any():  # no target in it
        x, y = corner.tolist()
        return image[y:y + height, x:x + width]
  return rng.integers(0, 256, 3, np.uint8)
