"""Wide convolutions in training against the convolution, with gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.models import wide
from siamkpn_jax.models.initializers import he
from siamkpn_jax.models.layers import Convolution
from tests.models.arrays import normal


def run(form, x, kernel, g):
  """Value and both gradients."""
  y, back = jax.vjp(form, x, kernel)
  return y, *back(g)


@pytest.mark.parametrize(('height', 'width', 'padding', 'dilation'), [
    (31, 31, 1, 1), (31, 29, 4, 4), (15, 15, 2, 2), (7, 7, 0, 1), (6, 5, 0, 2),
    (9, 12, 2, 1), (13, 9, 3, 2)])
def test_value_and_gradients(height, width, padding, dilation):
  """To 1e-4 of the largest, as all forms; on a CPU it is Winograd's."""
  x, kernel = normal(2, height, width, 5), normal(3, 3, 5, 7, seed=1)
  direct, either = (
      functools.partial(form, padding=padding, dilation=dilation)
      for form in (wide.direct, wide.convolve))
  g = normal(*jax.eval_shape(direct, x, kernel).shape, seed=2)
  for found, expected in zip(
      run(either, x, kernel, g), run(direct, x, kernel, g), strict=True):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ('platform', 'convolutions'), [('cpu', 0), ('cuda', 3)])
def test_accelerators_run_convolutions(platform, convolutions):
  """The value and the two gradients, each of them one."""
  x, kernel, g = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (
      (1, 9, 9, 4), (3, 3, 4, 4), (1, 9, 9, 4)))
  form = functools.partial(wide.convolve, padding=1, dilation=1)
  lowered = jax.jit(functools.partial(run, form)).trace(x, kernel, g).lower(
      lowering_platforms=(platform,))
  assert lowered.as_text().count('stablehlo.convolution') == convolutions


@pytest.mark.parametrize((
    'features', 'size', 'stride', 'side', 'dtype', 'used'), [
    (256, 3, 1, 9, 'float32', True), (128, 3, 1, 9, 'float32', False),
    (256, 5, 1, 9, 'float32', False), (256, 3, 2, 9, 'float32', False),
    (256, 3, 1, 8, 'float32', False), (256, 3, 1, 9, 'bfloat16', False)])
def test_only_wide_ones_in_training(features, size, stride, side, dtype, used):
  layer = Convolution(features, size, stride, 1, 1, dtype, he)
  x = jax.ShapeDtypeStruct((1, side, side, 256), jnp.float32)
  params = {'kernel': jax.ShapeDtypeStruct(
      (size, size, 256, features), jnp.float32)}

  def jaxpr(train):
    return str(jax.make_jaxpr(functools.partial(layer.apply, train=train))(
        {'params': params}, x))

  assert ('convolve' in jaxpr(True)) == used
  assert 'convolve' not in jaxpr(False)
