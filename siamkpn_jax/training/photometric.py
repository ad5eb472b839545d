"""Light, color and noise of a crop, varied on the device.

A template and a search crop that are cut from one still have the same light;
in a video they have not. All of it is arithmetic on every pixel, which the
compiler fuses into one pass.
"""

import jax
import jax.numpy as jnp

from siamkpn_jax.config.settings import AugmentConfig

_BYTE_SIGMA = ((256**2 - 1) / 12)**0.5  # of an even draw from 0..255
_STEPS = ('brightness', 'contrast', 'gamma', 'white_balance', 'noise')


def is_off(config: AugmentConfig) -> bool:
  """Whether no pixel varies."""
  return not any(getattr(config, step) for step in _STEPS)


def vary(key: jax.Array, crop: jax.Array, config: AugmentConfig) -> jax.Array:
  """The crop in another light.

  Args:
    key: for this crop alone.
    crop: [h, w, 3] float BGR.
    config: what to vary; where it is off, the crop is returned as it is.

  Returns:
    [h, w, 3], within 0..255: a camera saturates.
  """
  if is_off(config):
    return crop
  draw_key, noise_key = jax.random.split(key)
  draws = jax.random.uniform(draw_key, (7,), minval=-1.0, maxval=1.0)
  if config.white_balance:
    crop = crop * (1 + config.white_balance)**draws[:3]
  if config.contrast:
    crop = change_contrast(crop, (1 + config.contrast)**draws[3])
  if config.brightness:
    crop = crop + config.brightness * draws[4]
  if config.gamma:
    crop = change_gamma(crop, (1 + config.gamma)**draws[5])
  if config.noise:
    crop = add_noise(noise_key, crop, config.noise * jnp.abs(draws[6]))
  return jnp.clip(crop, 0, 255)


def change_contrast(image: jax.Array, factor: jax.Array) -> jax.Array:
  """Stretches [h, w, c] by a factor about its mean."""
  mean = image.mean()
  return mean + factor * (image - mean)


def change_gamma(image: jax.Array, exponent: jax.Array) -> jax.Array:
  """Bends the tone curve of [h, w, c]; 0 and 255, and beyond, are kept."""
  return 255 * (jnp.clip(image, 0, 255) / 255)**exponent


def add_noise(key: jax.Array, image: jax.Array, sigma: jax.Array) -> jax.Array:
  """Adds even noise of a standard deviation to [h, w, c].

  Four values are cut out of each random word: making words is most of the
  work, and 256 levels of noise are enough.
  """
  words = jax.random.bits(key, (-(-image.size // 4),), jnp.uint32)
  values = jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)
  values = values[:image.size].reshape(image.shape).astype(image.dtype)
  return image + (values - 127.5) * (sigma / _BYTE_SIGMA)
