"""`init` gives weights that can train at once: every kind of layer."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.models import initializers
from siamkpn_jax.models.head import Stage
from siamkpn_jax.models.layers import (
    ConvBN,
    Depthwise,
    Pointwise,
    SeparableConvBN,
)
from siamkpn_jax.models.resnet import ResNet

KEY = jax.random.key(3)


def kernel(module, channels, *path):
  """The first kernel of a module, of its named part."""
  x = jnp.zeros((1, 9, 9, channels))
  train = {} if isinstance(module, Depthwise | Pointwise) else {'train': False}
  found = jax.jit(functools.partial(module.init, **train))(KEY, x)['params']
  return np.asarray(functools.reduce(dict.__getitem__, path, found)['kernel'])


def noise(values, identity):
  """What is left without the identity at the center."""
  values = values.copy()
  values[values.shape[0] // 2, values.shape[1] // 2] -= identity
  return values


def assert_normal(values, std):
  """All of one normal distribution around 0."""
  scaled = values.ravel() / std
  assert abs(scaled.mean()) < 4 / len(scaled)**0.5
  assert scaled.std() == pytest.approx(1, abs=3 / len(scaled)**0.5)
  assert (scaled**4).mean() == pytest.approx(3, abs=40 / len(scaled)**0.5)


@pytest.mark.parametrize(('values', 'std'), [
    (lambda: kernel(ConvBN(48), 24, 'conv'), (2 / (9 * 48))**0.5),
    (lambda: kernel(ConvBN(128, 1), 64, 'conv'), (2 / 128)**0.5),
    (lambda: kernel(Pointwise(128), 64), (2 / 128)**0.5),
    (lambda: kernel(Depthwise(5), 200), (2 / 25)**0.5),
], ids=['3x3', '1x1', 'pointwise', 'depthwise'])
def test_he_of_the_outputs(values, std):
  assert_normal(values(), std)


@pytest.mark.parametrize(('values', 'identity', 'std'), [
    (lambda: kernel(ConvBN(32, kernel_init=initializers.near_identity), 32,
                    'conv'), np.eye(32), 0.3 * (2 / (9 * 32))**0.5),
    (lambda: kernel(SeparableConvBN(64), 64, 'conv'), np.eye(64),
     0.3 * (2 / 64)**0.5),
    (lambda: kernel(SeparableConvBN(500), 500, 'depthwise'), 1,
     0.3 * (2 / 9)**0.5),
], ids=['3x3', 'pointwise', 'depthwise'])
def test_near_the_identity(values, identity, std):
  assert_normal(noise(values(), identity), std)


def stage(task, conv):
  """First parameters of a later stage of the head."""
  module = Stage(32, task, first=False, conv=conv)

  def both(module, z, x):
    _, correlated = module.template(z, train=False)
    return module.search(x, correlated, train=False)
  return jax.tree.map(np.asarray, jax.jit(lambda: module.init(
      KEY, jnp.zeros((1, 15, 15, 32)), jnp.zeros((1, 31, 31, 32)),
      method=both))()['params'])


@pytest.mark.parametrize('conv', ['full', 'separable'])
def test_a_stage(conv):
  """All but what predicts starts near the identity; outputs as they spread."""
  found = stage('shared', conv)
  for name in ('template_conv', 'kernel_conv', 'search_conv'):
    values = found[name]['conv']['kernel']
    std = 0.3 * (2 / (values.shape[0]**2 * 32))**0.5
    assert_normal(noise(values, np.eye(32)), std)
    if conv == 'separable':
      depthwise = found[name]['depthwise']['kernel']
      assert_normal(noise(depthwise, 1), 0.3 * (2 / 9)**0.5)
  assert_normal(found['predict_conv']['conv']['kernel'], (2 / 32)**0.5)
  out = found['predict_out']['kernel'] * 32**0.5  # 1, 1, inputs, outputs
  assert_normal(out[..., :3], 0.1)
  assert_normal(out[..., 3:], 5.0)
  np.testing.assert_allclose(
      found['predict_out']['bias'], (-2.19, 0, 0, 63.5, 63.5))


def test_kernels_are_independent():
  """No kernel, and no other key, repeats the numbers of another."""
  model = ResNet('resnet10', 16, ('layer2', 'layer3'), remat=False)
  x = jnp.zeros((1, 127, 127, 3))
  init = jax.jit(functools.partial(model.init, train_layers=()))
  keys = [jax.random.key(seed, impl='unsafe_rbg') for seed in (0, 1)]
  kernels = [leaf.ravel() for key in keys for leaf in jax.tree.leaves(
      init(key, x)['params']) if leaf.ndim == 4]
  for k, one in enumerate(kernels):
    for other in kernels[:k]:
      size = min(one.size, other.size)
      assert abs(np.corrcoef(one[:size], other[:size])[0, 1]) < 5 / size**0.5
  for one in kernels:  # nor do neighbors
    for step in (1, 16, 64, 144):
      assert abs(np.corrcoef(one[step:], one[:-step])[0, 1]) < (
          5 / (one.size - step)**0.5)
