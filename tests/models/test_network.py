"""The network against its numpy re-implementation, per block (SPEC 2-4)."""

import functools

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.config import architectures
from siamkpn_jax.config.settings import ModelConfig
from siamkpn_jax.models.head import Template
from siamkpn_jax.models.layers import ConvBN
from siamkpn_jax.models.resnet import ResNet, max_pool
from siamkpn_jax.models.siamkpn import (
  SiamKPN,
  abstract_variables,
  init_variables,
)
from tests.models.capture import assert_close, run_captured
from tests.reference import network as reference

TASKS = ('heatmap', 'offsets', 'size')


def random_variables(abstract, seed):
  """Random variables whose activations stay in the order of 1."""
  rng = np.random.default_rng(seed)

  def draw(path, leaf):
    name, shape = path[-1].key, leaf.shape
    if name == 'kernel':
      spread = 1 / np.sqrt(np.prod(shape[:-1]))
      if path[-3].key == 'conv1' and path[-4].key == 'backbone':
        spread /= 100  # the input is 0..255
      value = rng.normal(0, spread, shape)
    elif name in ('scale', 'var'):
      value = rng.uniform(0.5, 1.5, shape)
    else:  # bias, mean, level weights
      value = rng.normal(0, 0.5, shape)
    return value.astype(np.float32)

  return jax.tree.map_with_path(draw, abstract)


def random_crops(batch=1, seed=0):
  rng = np.random.default_rng(seed)
  return [rng.uniform(0, 255, (batch, side, side, 3)).astype(np.float32)
          for side in (127, 255)]


CASES = {
    'resnet10, per task, softmax, 3 stages': (
        {'arch': 'resnet10', 'num_stages': 3}, 'per_task'),
    'resnet18, shared, mean, 2 stages': (
        {'arch': 'resnet18', 'num_stages': 2, 'level_fusion': 'mean'},
        'shared'),
    'resnet10, two levels, shared, softmax, 1 stage': (
        {'arch': 'resnet10', 'num_stages': 1, 'levels': ('layer2', 'layer3')},
        'shared'),
    'resnet50, per task, mean, 1 stage': (
        {'arch': 'resnet50', 'num_stages': 1, 'level_fusion': 'mean'},
        'per_task'),
    'resnet50, shared, softmax, 2 stages': (
        {'arch': 'resnet50', 'num_stages': 2}, 'shared'),
}


@pytest.mark.parametrize('case', CASES)
def test_network_equals_reference(case):
  """Every ConvBN, residual block, response and map."""
  kwargs, sharing = CASES[case]
  model = SiamKPN(width=4, channels=8, head_sharing=sharing, **kwargs)
  variables = random_variables(abstract_variables(model), seed=1)
  z, x = random_crops(seed=2)
  maps, blocks = jax.jit(functools.partial(run_captured, model))(
      variables, z, x)

  expected = reference.Network(
      jax.tree.map(np.float64, variables), arch=model.arch,
      levels=model.levels, num_stages=model.num_stages, sharing=sharing,
      fusion=model.level_fusion)
  expected_maps = expected(np.float64(z), np.float64(x))

  convolutions = {
      '/'.join(path[:-2]) for path in flax.traverse_util.flatten_dict(
          variables['params']) if path[-2:] == ('conv', 'kernel')}
  assert convolutions <= set(expected.activations)
  for path, values in expected.activations.items():
    assert len(blocks[path]) == len(values), path
    for actual, value in zip(blocks[path], values, strict=True):
      assert_close(actual, value, path)
  assert len(maps) == model.num_stages
  for s, (stage, expected_stage) in enumerate(
      zip(maps, expected_maps, strict=True)):
    for task in TASKS:
      assert_close(getattr(stage, task), expected_stage[task], (s, task))


def test_shapes_at_full_width():
  """255 -> 125 -> 63 -> 31 and 127 -> 61 -> 31 -> 15, SPEC 2-4."""
  model = SiamKPN()
  z, x = (jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
          for side in (127, 255))
  variables = abstract_variables(model)
  maps, blocks = jax.eval_shape(
      functools.partial(run_captured, model), variables, z, x)

  def sides(path, channels, small, large):
    assert [v.shape for v in blocks[path]] == [
        (2, small, small, channels), (2, large, large, channels)], path

  sides('backbone/conv1', 64, 61, 125)
  for layer, count, channels, small, large in (
      ('layer1', 3, 256, 31, 63), ('layer2', 4, 512, 15, 31),
      ('layer3', 6, 1024, 15, 31), ('layer4', 3, 2048, 15, 31)):
    for n in range(count):
      sides(f'backbone/{layer}_{n}', channels, small, large)
    assert f'backbone/{layer}_{count}' not in blocks
    if layer != 'layer1':
      sides(f'neck/{layer}', 256, small, large)
  # The stride sits on the 3x3, and the shortcuts are projections.
  sides('backbone/layer2_0/conv1', 128, 31, 63)
  sides('backbone/layer2_0/conv2', 128, 15, 31)
  for layer, kernel in (('layer1', 1), ('layer2', 3), ('layer3', 3),
                        ('layer4', 3)):
    shortcut = variables['params']['backbone'][f'{layer}_0']['downsample']
    assert shortcut['conv']['kernel'].shape[:2] == (kernel, kernel)
  for s in (1, 2, 3):
    for task, outputs in (('heatmap', 1), ('offsets', 2), ('size', 2)):
      stage = f'head/layer3_{task}_stage{s}'
      shapes = {'kernel_conv': (2, 5, 5, 256), 'search_conv': (2, 31, 31, 256),
                'response': (2, 31, 31, 256), 'predict_conv': (2, 31, 31, 256),
                'predict_out': (2, 31, 31, outputs)}
      if s > 1:
        shapes['template_conv'] = (2, 15, 15, 256)
      for name, shape in shapes.items():
        assert blocks[f'{stage}/{name}'][0].shape == shape
      assert (f'{stage}/template_conv' in blocks) == (s > 1)
      assert getattr(maps[s - 1], task).shape == (2, 31, 31, outputs)


@functools.cache
def small_model():
  model = SiamKPN(arch='resnet10', width=4, channels=8, num_stages=2,
                  levels=('layer2', 'layer3'), head_sharing='shared')
  abstract = abstract_variables(model)
  return model, random_variables(abstract, seed=3)


def test_template_and_search_compose():
  """The two halves give what the whole gives, for a batch of two."""
  model, variables = small_model()
  z, x = random_crops(batch=2, seed=4)
  whole = jax.jit(functools.partial(model.apply, train=False))(variables, z, x)
  template = jax.jit(functools.partial(
      model.apply, method='template', train=False))(variables, z)
  assert isinstance(template, Template)
  assert {k: list(v) for k, v in template.kernels.items()} == {
      'layer2': ['shared'], 'layer3': ['shared']}
  assert [k.shape for k in template.kernels['layer2']['shared']] == [
      (2, 5, 5, 8)] * 2
  parts = jax.jit(functools.partial(
      model.apply, method='search', train=False))(variables, template, x)
  for a, b in zip(jax.tree.leaves(parts), jax.tree.leaves(whole), strict=True):
    assert_close(a, b, 'maps', 1e-5)


def test_bfloat16_keeps_float32_variables_and_predictions():
  """Only the computation is narrow."""
  small, _ = small_model()
  model = small.clone(dtype='bfloat16')
  variables = abstract_variables(model)
  assert {v.dtype for v in jax.tree.leaves(variables)} == {
      jnp.dtype('float32')}
  z, x = (jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
          for side in (127, 255))
  maps, blocks = jax.eval_shape(
      functools.partial(run_captured, model), variables, z, x)
  assert {m.dtype for m in jax.tree.leaves(maps)} == {jnp.dtype('float32')}
  assert blocks['backbone/layer2_0'][0].dtype == jnp.bfloat16
  assert blocks['head/layer2_shared_stage2/response'][0].dtype == jnp.bfloat16


def test_initial_values():
  """Level weights start equal, and normalization as the identity."""
  model, _ = small_model()

  @jax.jit
  def init(seed):  # Only what is looked at: drawing every kernel takes long.
    params = init_variables(model, seed)['params']
    return [params['head'][f'{task}_weight'] for task in TASKS] + [
        params['neck']['layer2']['bn']['scale']]

  for value in init(0):
    np.testing.assert_array_equal(value, 1)


def test_batch_statistics():
  """Normalized by the biased variance; the running ones move by a tenth.

  Reference: PyTorch's running variance takes the unbiased one.
  """
  rng = np.random.default_rng(5)
  module = ConvBN(6, 3, stride=2, padding=1, dilation=2)
  x = rng.normal(1, 2, (3, 9, 9, 4)).astype(np.float32)
  variables = random_variables(jax.eval_shape(
      functools.partial(module.init, train=False), jax.random.key(0), x), 6)
  actual, updates = module.apply(
      variables, x, train=True, mutable=['batch_stats'])
  params, old = variables['params'], variables['batch_stats']['bn']
  y = reference.conv2d(np.float64(x), params['conv']['kernel'], 2, 1, 2)
  mean, var = y.mean(axis=(0, 1, 2)), y.var(axis=(0, 1, 2))
  expected = reference.batch_norm(
      y, mean, var, params['bn']['scale'], params['bn']['bias'])
  assert_close(actual, expected, 'output', 1e-5)
  new = updates['batch_stats']['bn']
  assert_close(new['mean'], 0.9 * old['mean'] + 0.1 * mean, 'mean', 1e-5)
  unbiased = y.var(axis=(0, 1, 2), ddof=1)
  assert_close(new['var'], 0.9 * old['var'] + 0.1 * unbiased, 'variance', 1e-5)


TRAIN_LAYERS = [
    (), ('layer2', 'layer3', 'layer4'), architectures.LAYERS['resnet50'],
    ('layer4',),
]


@pytest.mark.parametrize('train_layers', TRAIN_LAYERS)
def test_frozen_layers(train_layers):
  """Frozen: no gradient, statistics untouched. Trained: both move."""
  model = ResNet('resnet10', 4, ModelConfig.levels, remat=False)
  x = np.random.default_rng(7).uniform(
      0, 255, (2, 127, 127, 3)).astype(np.float32)
  variables = random_variables(jax.eval_shape(
      functools.partial(model.init, train_layers=()), jax.random.key(0), x), 8)
  # Not a plain sum of squares: normalized, that would be blind to the weights.
  weights = np.random.default_rng(9).normal(size=15).astype(np.float32)

  @jax.jit
  def gradient(params):
    def loss(params):
      features, updates = model.apply(
          {'params': params, 'batch_stats': variables['batch_stats']}, x,
          train_layers=train_layers, mutable=['batch_stats'])
      total = sum((weights[:, None, None] * weights[:, None] * f**2).mean()
                  for f in features.values())
      return total, updates['batch_stats']
    return jax.grad(loss, has_aux=True)(params)

  grads, stats = gradient(variables['params'])
  for (path, grad) in jax.tree.leaves_with_path(grads):
    layer = path[0].key.split('_')[0]
    assert np.any(grad) == (layer in train_layers), path
  for (path, new), old in zip(
      jax.tree.leaves_with_path(stats),
      jax.tree.leaves(variables['batch_stats']), strict=True):
    layer = path[0].key.split('_')[0]
    assert np.any(new != old) == (layer in train_layers), path


@pytest.mark.parametrize('shape', [(2, 125, 125, 3), (1, 61, 61, 2),
                                   (1, 8, 5, 2)])
def test_max_pool(shape):
  """Value and gradient of flax's, for data without ties."""
  rng = np.random.default_rng(10)
  x = rng.permutation(np.prod(shape)).reshape(shape).astype(np.float32)
  x -= x.mean()  # negative values too: the padding must not win
  flax_pool = functools.partial(
      nn.max_pool, window_shape=(3, 3), strides=(2, 2),
      padding=((1, 1), (1, 1)))
  y, back = jax.vjp(max_pool, x)
  expected, expected_back = jax.vjp(flax_pool, x)
  np.testing.assert_array_equal(y, expected)
  np.testing.assert_array_equal(y, reference.max_pool(x))
  g = rng.normal(size=y.shape).astype(np.float32)
  np.testing.assert_allclose(back(g)[0], expected_back(g)[0], atol=1e-6)
