"""Both forms of the correlation against loops, and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jax.test_util import check_grads

from siamkpn_jax.models.correlation import (
    correlate,
    correlate_grouped,
    correlate_shifted,
)
from tests.reference import network as reference

FORMS = (correlate_grouped, correlate_shifted, correlate)
# search and kernel
SHAPES = [((2, 35, 35, 8), (2, 5, 5, 8)), ((3, 7, 9, 2), (3, 3, 5, 2)),
          ((1, 5, 5, 1), (1, 5, 5, 1)), ((2, 6, 4, 3), (2, 1, 1, 3))]


def naive_gradients(search, kernel, g):
  """Derivatives of sum(correlate * g), by loops over the output cells."""
  d_search, d_kernel = np.zeros(search.shape), np.zeros(kernel.shape)
  kh, kw = kernel.shape[1:3]
  for i in range(g.shape[1]):
    for j in range(g.shape[2]):
      cell = g[:, i, j][:, None, None]
      d_search[:, i:i + kh, j:j + kw] += cell * kernel
      d_kernel += cell * search[:, i:i + kh, j:j + kw]
  return d_search, d_kernel


def draw(shapes, seed=0):
  """Search, kernel and a cotangent, float64."""
  rng = np.random.default_rng(seed)
  (b, h, w, c), (_, kh, kw, _) = shapes
  return [rng.normal(size=shape) for shape in (
      *shapes, (b, h - kh + 1, w - kw + 1, c))]


def assert_close(actual, expected, tolerance):
  actual = np.asarray(actual, np.float64)
  assert actual.shape == expected.shape
  assert np.abs(actual - expected).max() < tolerance * np.abs(expected).max()


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('shapes', SHAPES)
def test_value_and_gradients(form, shapes):
  """1e-5 relative, as for every op."""
  search, kernel, g = draw(shapes)
  narrow = [x.astype(np.float32) for x in (search, kernel, g)]
  y, back = jax.vjp(form, *narrow[:2])
  assert_close(y, reference.correlate(search, kernel), 1e-5)
  for actual, expected in zip(
      back(narrow[2]), naive_gradients(search, kernel, g), strict=True):
    assert_close(actual, expected, 1e-5)


@pytest.mark.parametrize('form', (correlate_grouped, correlate))
def test_bfloat16(form):
  """bfloat16 in and out.

  The tolerance is 25 roundings of 2^-9 (the shifted form adds up in bfloat16),
  at worst 5 %; observed about 1 %.
  """
  search, kernel, g = draw(SHAPES[0])
  narrow = [jnp.asarray(x, jnp.bfloat16) for x in (search, kernel, g)]
  y, back = jax.vjp(form, *narrow[:2])
  assert y.dtype == jnp.bfloat16
  search, kernel, g = (np.asarray(x, np.float64) for x in narrow)
  assert_close(y, reference.correlate(search, kernel), 0.02)
  for actual, expected in zip(
      back(narrow[2]), naive_gradients(search, kernel, g), strict=True):
    assert actual.dtype == jnp.bfloat16
    assert_close(actual, expected, 0.02)


def test_accelerators_compile_no_gradient_of_a_grouped_convolution():
  """That takes minutes on a GPU, see the module; the value is one."""
  search, kernel, g = (x.astype(np.float32) for x in draw(SHAPES[1]))

  def grouped(run):
    lowered = jax.jit(run).trace(search, kernel).lower(
        lowering_platforms=('cuda',))
    return lowered.as_text().count('stablehlo.convolution')

  assert grouped(correlate) == 1
  assert grouped(lambda *args: jax.vjp(correlate, *args)[1](g)) == 0


def test_mixed_types():
  """A bfloat16 kernel with float32 features, each gradient in its own type."""
  search, kernel, g = draw(SHAPES[1])
  y, back = jax.vjp(correlate, search.astype(np.float32),
                    jnp.asarray(kernel, jnp.bfloat16))
  assert y.dtype == jnp.float32
  assert [d.dtype for d in back(g.astype(np.float32))] == [
      jnp.float32, jnp.bfloat16]


def test_custom_gradient_is_the_derivative():
  """Numerically; reverse mode only, as for every custom VJP."""
  search, kernel, _ = draw(SHAPES[1])
  check_grads(
      correlate,
      (search.astype(np.float32), kernel.astype(np.float32)),
      order=1, modes=['rev'], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize('form', FORMS)
def test_on_a_mesh(form):
  """Divided over four devices: the values and gradients of one."""
  search, kernel, g = (
      x.astype(np.float32) for x in draw(((4, 9, 9, 3), (4, 5, 5, 3))))

  def run(search, kernel, g):
    y, back = jax.vjp(form, search, kernel)
    return y, *back(g)

  mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
  placement = NamedSharding(mesh, PartitionSpec('data'))
  args = [jax.device_put(x, placement) for x in (search, kernel, g)]
  divided = jax.jit(run)(*args)
  for actual, expected in zip(
      divided, run(search, kernel, g), strict=True):
    assert actual.sharding.is_equivalent_to(placement, actual.ndim)
    assert_close(actual, np.asarray(expected, np.float64), 1e-6)
