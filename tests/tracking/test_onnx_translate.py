"""Operations of JAX in ONNX: they compute the same, or are refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.models.correlation import correlate_grouped
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.tracking.decode import (
    DecodeConfig,
    Hyperparameters,
    decode,
)
from tests.optional import import_or_skip

import_or_skip('onnx', 'siamkpn_jax/tracking/onnx needs it')
onnxruntime = import_or_skip('onnxruntime', 'it runs what is translated')

from siamkpn_jax.tracking.onnx import tracker  # noqa: E402
from siamkpn_jax.tracking.onnx.correlation import correlate  # noqa: E402
from siamkpn_jax.tracking.onnx.translate import Input, convert  # noqa: E402

RULE = DecodeConfig(0., 0., 0.).rule


def one_output(count):
  assert count == 1
  return ['out']


def conv(x, kernel, **more):
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      **more)


# Constants: one per channel, one per column, a 3x3 kernel, a resizing matrix.
C = np.linspace(-2, 3, 4, dtype='f')
W = np.linspace(1, 2, 8, dtype='f')[:, None]
K = np.random.default_rng(2).normal(size=(3, 3, 4, 4)).astype('f')
M = np.random.default_rng(3).normal(size=(5, 8)).astype('f')

FUNCTIONS = {
    'affine after a convolution': lambda x: (C - conv(x, K)) / 3 * C - C + 2,
    'divided by': lambda x: C / (conv(x, K) ** 2 + 1),
    'not per channel, so not folded': lambda x: conv(
        jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), K) * W,
    'used twice': lambda x: sum(f(conv(x, K)) for f in (
        jnp.tanh, lambda y: y * C + jnp.maximum(y, 0) * y)),
    'padding with ones is no padding with zeros': lambda x: conv(
        jnp.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0)), constant_values=1), K),
    'gate': lambda x: x * jax.nn.sigmoid(x.mean(axis=(1, 2), keepdims=True)),
    'rsqrt, select, steps': lambda x: jnp.where(
        True, jax.lax.rsqrt(jnp.abs(x) + 1), x)[:, ::2, 1:5:3],
    'other order of axes': lambda x: jnp.swapaxes(conv(x, K), 1, 2) + C,
    'two orders of axes': lambda x: (
        conv(x, K) + jnp.swapaxes(x[:, 2:, 2:], 1, 2)),
    'two that grow': lambda x: (
        x.max(axis=1, keepdims=True) - x.max(axis=2, keepdims=True)),
    'resized by a product': lambda x: jnp.tensordot(
        M, x, ((1,), (1,))).transpose(1, 0, 2, 3),
    'resized along columns, by a matrix whose rows meet': lambda x: (
        jnp.einsum('no,bhnc->bhoc', M.T, conv(jnp.pad(
            x, ((0, 0), (1, 1), (1, 1), (0, 0))), K)) + C),
    'ReLU6': lambda x: jnp.minimum(jnp.maximum(conv(x, K), 0), 6),
    'joined': lambda x: jnp.concatenate([conv(x, K), x[:, 2:, 2:] + W[2:]], -1),
    'reshaped': lambda x: conv(x, K).reshape(1, 4, 9, 4),
}


@pytest.mark.parametrize('name', FUNCTIONS)
def test_operations_equal_jax(name):
  x = np.random.default_rng(4).normal(size=(1, 8, 8, 4)).astype('f')
  function = FUNCTIONS[name]
  model, _ = convert(function, {'x': Input(x.shape, (0, 3, 1, 2))}, one_output)
  session = tracker.open_session(model.SerializeToString(), threads=1)
  (got,) = session.run(
      ['out'], {'x': np.ascontiguousarray(x.transpose(0, 3, 1, 2))})
  want = np.asarray(function(x)).transpose(0, 3, 1, 2)
  np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_relu6_is_one_operation():
  model, _ = convert(FUNCTIONS['ReLU6'],
                     {'x': Input((1, 8, 8, 4), (0, 3, 1, 2))}, one_output)
  assert [n.op_type for n in model.graph.node] == ['Conv', 'Clip', 'Identity']


def test_resizing_moves_no_axis():
  def resize(x):
    rows = jnp.einsum('oh,bhwc->bowc', M, x)
    return jnp.einsum('ow,bhwc->bhoc', M, rows)
  model, _ = convert(resize, {'x': Input((1, 8, 8, 4), (0, 3, 1, 2))},
                     one_output)
  assert [n.op_type for n in model.graph.node] == [
      'MatMul', 'MatMul', 'Identity']


@pytest.mark.parametrize(('function', 'name'), [
    (lambda x: jnp.cumsum(x, 1), 'cumsum'),
    (lambda x: x.astype(int) * 1.5, 'convert_element_type'),
    (lambda x: jax.lax.conv_transpose(x, K, (2, 2), 'VALID'),
     'a transposed or batch-grouped convolution'),
    (lambda x: jax.lax.conv_general_dilated(
        x, K[:1], (1, 1), 'VALID', batch_group_count=4,
        dimension_numbers=('HNWC', 'HWIO', 'NHWC')),
     'a transposed or batch-grouped convolution'),
    (lambda x: jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, 1, 1, 2), (1, 1, 1, 1), 'VALID'),
     'a maximum over batch or channels'),
    (lambda x: jax.lax.pad(x, np.float32(0), (
        (0, 0, 0), (-1, 0, 0), (0, 0, 0), (0, 0, 0))),
     'padding that cuts or spreads'),
    (lambda x: jax.lax.pad(x, np.float32(0), (
        (0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 0))),
     'padding that cuts or spreads'),
    (lambda x: jnp.tensordot(x, np.ones((8, 4, 3), 'f'), 2),
     'a product over several axes')])
def test_unknown_operation(function, name):
  with pytest.raises(NotImplementedError, match=name):
    convert(function, {'x': Input((1, 8, 8, 4), (0, 1, 2, 3))}, one_output)


def test_correlation_equals_the_grouped_convolution():
  rng = np.random.default_rng(0)
  search, kernel = (rng.normal(size=shape).astype('f') for shape in (
      (3, 11, 9, 4), (3, 5, 3, 4)))
  np.testing.assert_allclose(
      correlate(search, kernel), correlate_grouped(search, kernel), atol=1e-4)


def hard_maps():
  """Of four targets: usual, wild sizes, equal scores, all scores low."""
  rng = np.random.default_rng(0)
  heatmap = rng.normal(-2, 2, (4, 31, 31, 1)).astype('f')
  offsets = rng.normal(0, 0.2, (4, 31, 31, 2)).astype('f')
  size = rng.normal(60, 30, (4, 31, 31, 2)).astype('f')
  size[1] *= rng.choice(np.float32([-1, 0, 1, 1e30, 1e36]), (31, 31, 1))
  heatmap[2] = 0
  heatmap[3] -= 20
  return Predictions(heatmap, offsets, size)


def test_the_choice_equals_jax():
  """The same cells, where scores tie and penalties are no numbers too."""
  maps = hard_maps()
  last, scale = np.float32([[30, 40], [20, 70], [50, 50], [9, 200]]), (
      np.float32([1.3, 0.7, 2, 1]))
  numbers = np.float32([[.1, .3, .5, .15]] * 4).T

  def choose(heatmap, offsets, size, last, scale, *numbers):
    found = jax.vmap(functools.partial(decode, rule=RULE))(
        Predictions(heatmap, offsets, size), last, scale,
        Hyperparameters(*numbers))
    return found.shift, found.size, found.score

  (b,) = jax.export.symbolic_shape('batch')
  arrays = [*jax.tree.leaves(maps), last, scale, *numbers]
  model, _ = convert(choose, {
      f'i{k}': Input((b, *a.shape[1:]), range(a.ndim))
      for k, a in enumerate(arrays)}, lambda count: ['shift', 'size', 'score'])
  session = onnxruntime.InferenceSession(model.SerializeToString())
  got = session.run(None, {f'i{k}': a for k, a in enumerate(arrays)})
  for one, other in zip(got, jax.jit(choose)(*arrays), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(('function', 'words'), [
    (lambda x, k: jax.vmap(lambda one, i: jax.lax.dynamic_slice(
        one, [i, 0, 0], [2, 8, 4]))(x, jnp.argmax(k, 1)), 'gather'),
    (lambda x, k: jax.vmap(lambda one, i: one.at[i].add(1))(
        k, jnp.argmax(k, 1)), 'scatter')])
def test_selections_that_are_not_translated(function, words):
  (b,) = jax.export.symbolic_shape('batch')
  with pytest.raises(NotImplementedError, match=words):
    convert(function, {'x': Input((b, 8, 8, 4), range(4)),
                       'k': Input((b, 9), range(2))}, one_output)
