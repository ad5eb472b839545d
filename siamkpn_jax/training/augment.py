"""Augmentation on the device: crops of 511-pixel context patches (SPEC 7).

Shift and scale are one axis-aligned bilinear resampling, written as two matrix
products (rows, then columns): exact, free of gathers, fast on every device.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp

from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.core import geometry

# RGB offsets are M n with n ~ N(0, I): the principal components of natural
# images' colors.
_COLOR = ((-0.55919361, 0.98062831, -0.41940627),
           (1.72091413, 0.19879334, -1.82968581),
           (4.64467907, 4.73710203, 4.88324118))
_MAX_BLUR = 45  # pixels


@dataclasses.dataclass(frozen=True)
class CropAugment:
  """How one kind of crop is varied.

  Attributes:
    output: side of the crop, pixels.
    shift: largest displacement per axis, pixels of the patch.
    scale: largest relative change of the window's side, per axis.
    blur: probability of blurring.
  """

  output: int
  shift: float
  scale: float
  blur: float

  @property
  def patch(self) -> int:
    """Side of the smallest central context patch that no crop leaves; odd.

    At most `geometry.CONTEXT_SIZE`, to which shifts are then clamped.
    """
    half = self.output / 2 * (1 + self.scale) + self.shift
    return min(2 * math.ceil(half) + 1, geometry.CONTEXT_SIZE)


def template_crops(config: AugmentConfig) -> CropAugment:
  """How template crops vary."""
  return CropAugment(geometry.TEMPLATE_SIZE, config.template_shift,
                     config.template_scale, blur=0.0)


def search_crops(config: AugmentConfig) -> CropAugment:
  """How search crops vary."""
  return CropAugment(geometry.SEARCH_SIZE, config.search_shift,
                     config.search_scale, config.search_blur)


def random_crop(key: jax.Array, image: jax.Array, wh: jax.Array,
                config: CropAugment) -> tuple[jax.Array, jax.Array]:
  """A varied crop of one context patch.

  Args:
    key: for this crop alone.
    image: [p, p, 3] uint8 BGR patch, target in its center.
    wh: [2] target size in the patch, pixels.
    config: what to vary.

  Returns:
    [output, output, 3] float crop, and [4] cxcywh box in it, pixels.
  """
  geometry_key, color_key, blur_key = jax.random.split(key, 3)
  side, center = _random_window(geometry_key, image.shape[0], config)
  crop = resample(image.astype(jnp.float32), side, center, config.output)
  if config.blur:
    crop = _random_blur(blur_key, crop, config.blur)
  crop = crop - color_offset(color_key)
  middle, zoom = (config.output - 1) / 2, config.output / side  # -, 2
  target = middle + ((image.shape[0] - 1) / 2 - center) * zoom
  return crop, jnp.concatenate([target, wh * zoom])


def mirrored(crop: jax.Array,
             cxcywh: jax.Array) -> tuple[jax.Array, jax.Array]:
  """[h, w, c] crop and the [4] box in it, left and right exchanged."""
  sign, edge = jnp.array([-1, 1, 1, 1]), jnp.array([crop.shape[1] - 1, 0, 0, 0])
  return crop[:, ::-1], edge + sign * cxcywh


def _random_window(key: jax.Array, patch: int,
                   config: CropAugment) -> tuple[jax.Array, jax.Array]:
  """Side and center of the window, each [2] (x, y), pixels of the patch."""
  scale, shift = jax.random.uniform(key, (2, 2), minval=-1.0, maxval=1.0)
  side = config.output * (1 + config.scale * scale)
  room = jnp.maximum((patch - side) / 2, 0)
  return side, (patch - 1) / 2 + jnp.clip(config.shift * shift, -room, room)


def resample(image: jax.Array, side: jax.Array, center: jax.Array,
             output: int) -> jax.Array:
  """Bilinear resampling of a window to output x output pixels.

  Pixel centers are aligned as in OpenCV's INTER_LINEAR; outside the image the
  edge is repeated.

  Args:
    image: [h, w, c] float.
    side: [2] width and height of the window.
    center: [2] x, y of its center, pixel coordinates.
    output: side of the result.
  """
  columns = _bilinear(image.shape[1], side[0], center[0], output)  # o x w
  rows = _bilinear(image.shape[0], side[1], center[1], output)  # o x h
  return _along_columns(columns, _along_rows(rows, image))


# Full precision: TPUs and GPUs would round the pixels to 8 or 10 bits.
_einsum = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


def _along_rows(weights: jax.Array, image: jax.Array) -> jax.Array:
  """[o, h] weights, [h, w, c] image -> [o, w, c]."""
  return _einsum('oh,hwc->owc', weights, image)


def _along_columns(weights: jax.Array, image: jax.Array) -> jax.Array:
  """[o, w] weights, [h, w, c] image -> [h, o, c]."""
  return _einsum('ow,hwc->hoc', weights, image)


def _bilinear(size: int, side: jax.Array, center: jax.Array,
              output: int) -> jax.Array:
  """[output, size] weights; every row sums to 1."""
  index = jnp.arange(output) - (output - 1) / 2
  position = jnp.clip(center + index * side / output, 0, size - 1)
  distance = jnp.abs(position[:, None] - jnp.arange(size)[None, :])
  return jnp.maximum(1 - distance, 0)


def color_offset(key: jax.Array) -> jax.Array:
  """[3] BGR offset of a whole image."""
  rgb = _einsum('ij,j->i', jnp.asarray(_COLOR), jax.random.normal(key, (3,)))
  return rgb[::-1]


def _random_blur(key: jax.Array, crop: jax.Array,
                 probability: float) -> jax.Array:
  """Blurs with a cross-shaped kernel of odd side 5..45, or does not."""
  use_key, size_key, split_key = jax.random.split(key, 3)
  half = jax.random.randint(size_key, (), 2, _MAX_BLUR // 2 + 1)
  vertical = jax.random.uniform(split_key)
  blurred = cross_blur(crop, half, vertical)
  return jnp.where(jax.random.bernoulli(use_key, probability), blurred, crop)


def cross_blur(image: jax.Array, half: jax.Array,
               vertical: jax.Array) -> jax.Array:
  """Mean over the two arms of a cross; edges are reflected.

  Args:
    image: [h, w, c].
    half: () int, pixels of an arm to each side of the center.
    vertical: () weight of the vertical arm; the horizontal has the rest.
  """
  columns = _box_filter(image.shape[1], half)
  rows = _box_filter(image.shape[0], half)
  return (vertical * _along_rows(rows, image) +
          (1 - vertical) * _along_columns(columns, image))


def _box_filter(size: int, half: jax.Array) -> jax.Array:
  """[size, size] matrix of a running mean over 2 half + 1 pixels."""
  output = jnp.arange(size)[:, None]
  source = jnp.arange(size)[None, :]
  near = lambda mirrored: jnp.abs(mirrored - output) <= half
  # A source pixel counts once more where its mirror image is inside the window;
  # the edge pixels, which are their own mirror images, do not.
  hits = (near(source).astype(jnp.float32) +
          (near(-source) & (source > 0)) +
          (near(2 * (size - 1) - source) & (source < size - 1)))
  return hits / (2 * half + 1)


def to_gray(image: jax.Array) -> jax.Array:
  """[..., 3] BGR -> gray in three equal channels (OpenCV's weights)."""
  gray = _einsum('...c,c->...', image, jnp.asarray([0.114, 0.587, 0.299]))
  return jnp.broadcast_to(gray[..., None], image.shape)
