"""In blocks of channels as all at once."""

import jax
import numpy as np
import pytest

from siamkpn_jax.models import blocks
from siamkpn_jax.models.convolutions import (
    depthwise_grouped,
    pointwise_convolution,
)
from tests.models.arrays import normal


@pytest.mark.parametrize(('size', 'channels', 'expected'), [
    (5, 672, 6), (5, 480, 3), (5, 240, 2), (5, 144, 1), (3, 480, 2),
    (3, 240, 1), (5, 6, 1),
    (5, 6 * 167, 1), (5, 1009, 1)])  # blocks too small, or one channel each
def test_count(size, channels, expected):
  assert blocks.count((size, size, 1, channels)) == expected


@pytest.mark.parametrize(('size', 'padding'), [(5, 2), (3, 1), (3, 0)])
def test_equals_all_channels_at_once(size, padding, monkeypatch):
  monkeypatch.setattr(blocks, '_BYTES', 4 * size * size * 4)
  x, bias = normal(2, 9, 8, 12, seed=1) + 2, normal(12, seed=2)
  depth, last = normal(size, size, 1, 12, seed=3), normal(1, 1, 12, 5, seed=4)
  padded = np.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
  expected = pointwise_convolution(np.clip(
      depthwise_grouped(padded, depth, 1) + bias, 0, 6), last)
  given = blocks.divide(depth, bias, last)
  assert len(given['kernel']) == 3
  ours = jax.jit(blocks.project, static_argnums=2)(x, given, padding)
  assert ours.shape == expected.shape
  np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-4)
