"""The shifted form against grouped convolution, and what is built of it."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.models.convolutions import (
    convolution,
    depthwise,
    depthwise_grouped,
    depthwise_shifted,
    narrow,
    narrow_convolution,
    narrow_shifted,
    pointwise_convolution,
    pointwise_product,
)
from siamkpn_jax.models.layers import Pointwise, SeparableConvBN
from tests.models.arrays import normal


def assert_same_gradients(forms, reference, x, w):
  """Values, and gradients of both arguments."""
  def run(form):
    def scalar(x, w):
      y = form(x, w)
      return jnp.sin(y).sum(), y
    return jax.grad(scalar, (0, 1), has_aux=True)(x, w)

  for form in forms:
    for ours, expected in zip(jax.tree.leaves(run(form)),
                              jax.tree.leaves(run(reference)), strict=True):
      assert ours.shape == expected.shape
      np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(('size', 'kernel', 'stride'), [
    ((12, 13), 3, 1), ((13, 12), 3, 2), ((15, 16), 5, 2), ((9, 11), 5, 1)])
def test_forms_are_equal(size, kernel, stride):
  """Odd and even sides."""
  x, w = normal(2, *size, 6), normal(kernel, kernel, 1, 6, seed=1)
  shifted, either, grouped = (
      functools.partial(form, stride=stride)
      for form in (depthwise_shifted, depthwise, depthwise_grouped))
  assert_same_gradients((shifted, either), grouped, x, w)


@pytest.mark.parametrize(('size', 'stride'), [
    ((12, 13), 1), ((13, 12), 2), ((255, 9), 2)])
def test_forms_of_an_image_are_equal(size, stride):
  x, w = normal(2, *size, 3), normal(3, 3, 3, 5, seed=1)
  shifted, either, reference = (
      functools.partial(form, stride=stride)
      for form in (narrow_shifted, narrow, narrow_convolution))
  assert_same_gradients((shifted, either), reference, x, w)


@pytest.mark.parametrize(('channels', 'stride', 'padding', 'dilation'), [
    (3, 2, 0, 1), (3, 1, 1, 1), (3, 1, 2, 2), (4, 2, 0, 1)])
def test_convolution_is_flax_s(channels, stride, padding, dilation):
  x, w = normal(2, 13, 12, channels), normal(3, 3, channels, 5, seed=1)
  expected = nn.Conv(
      5, (3, 3), stride, [(padding, padding)] * 2, kernel_dilation=dilation,
      use_bias=False).apply({'params': {'kernel': w}}, x)
  np.testing.assert_allclose(
      convolution(x, w, stride, padding, dilation), expected, atol=1e-5)


def test_accelerators_compile_no_gradient_of_a_grouped_convolution():
  """See `correlation`."""
  x, w = normal(2, 9, 9, 6), normal(3, 3, 1, 6, seed=1)
  g = normal(2, 7, 7, 6, seed=2)

  def back(x, w):
    return jax.vjp(lambda x, w: depthwise(x, w, 1), x, w)[1](g)

  lowered = jax.jit(back).trace(x, w).lower(lowering_platforms=('cuda',))
  assert 'stablehlo.convolution' not in lowered.as_text()


def test_separable_is_a_full_convolution():
  """Whose kernel is the product of the two."""
  x = normal(2, 9, 9, 4)
  model = SeparableConvBN(5, padding=1)
  variables = model.init(jax.random.key(0), x, train=False)
  depth, point = normal(3, 3, 1, 4, seed=1), normal(1, 1, 4, 5, seed=2)
  variables['params']['depthwise']['kernel'] = depth
  variables['params']['conv']['kernel'] = point
  expected = jax.lax.conv_general_dilated(
      x, depth.transpose(0, 1, 3, 2) * point, (1, 1), 'SAME',
      dimension_numbers=('NHWC', 'HWIO', 'NHWC')) / np.sqrt(1 + 1e-5)
  np.testing.assert_allclose(
      model.apply(variables, x, train=False), expected, rtol=1e-4, atol=1e-5)


def test_pointwise_is_a_1x1_convolution():
  x, kernel = normal(2, 5, 6, 4), normal(1, 1, 4, 3, seed=1)
  expected = pointwise_convolution(x, kernel)
  for value in (pointwise_product(x, kernel),
                Pointwise(3).apply({'params': {'kernel': kernel}}, x)):
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)
  half = Pointwise(3, 'bfloat16').apply({'params': {'kernel': kernel}}, x)
  assert half.dtype == jnp.bfloat16
