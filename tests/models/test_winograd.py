"""Winograd's form against the convolution."""

import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.models.convolutions import convolution
from siamkpn_jax.models.winograd import convolve, transform_kernel


@pytest.mark.parametrize('step', [2, 4])
@pytest.mark.parametrize(('height', 'width', 'padding', 'dilation'), [
    (31, 31, 1, 1), (31, 29, 4, 4), (15, 15, 2, 2), (7, 7, 0, 1), (6, 5, 0, 2),
    (9, 12, 2, 1)])
def test_equals_the_convolution(step, height, width, padding, dilation):
  rng = np.random.default_rng(0)
  x, kernel = (rng.normal(size=shape).astype(np.float32)
               for shape in ((2, height, width, 5), (3, 3, 5, 7)))
  expected = convolution(
      jnp.asarray(x), jnp.asarray(kernel), 1, padding, dilation)
  transformed = transform_kernel(kernel, step)
  assert transformed.shape == ((step + 2)**2, 5, 7)
  found = convolve(jnp.asarray(x), jnp.asarray(transformed), padding, dilation)
  assert found.shape == expected.shape
  np.testing.assert_allclose(
      found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
