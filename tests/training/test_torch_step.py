"""Three whole steps against PyTorch: clipping, Adam, groups, the freeze, EMA.

Of a ResNet, and of the compact network with a moving average.

In float64, so that what is left is rounding: Adam divides gradients by their
size, which makes the rounding of small ones visible in float32.
"""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from siamkpn_jax.models.siamkpn import init_variables
from siamkpn_jax.training import trainer
from siamkpn_jax.training.state import init_state
from tests.optional import import_or_skip
from tests.training.tiny import tiny_batch, tiny_config

torch = import_or_skip('torch', 'compares with PyTorch')
pytestmark = pytest.mark.slow

from perf import torch_step  # noqa: E402
from perf.prepared import from_crops  # noqa: E402

STEPS = 3
# Of a parameter, over the most that Adam moves it: the rates of all steps.
TOLERANCE = 1e-5


@pytest.fixture(autouse=True)
def one_thread():
  """More only wait for each other in a network as small as this."""
  before = torch.get_num_threads()
  torch.set_num_threads(1)
  yield
  torch.set_num_threads(before)


def make_config(network='resnet'):
  """Clips in every step; the backbone's first layers stay frozen."""
  config = tiny_config(
      model={'head_sharing': 'per_task', 'levels': ('layer2',),
             'num_stages': 1},
      loss={'offsets_weight': 5.0, 'size_weight': 0.25},
      train={'clip_norm': 1.0, 'backbone_lr_scale': 0.5})
  if network == 'compact':
    config = config.updated(
        model={'arch': 'efficientnet_lite0', 'width': 4,
               'levels': ('stage3', 'stage4'), 'head_sharing': 'shared',
               'head_conv': 'separable'},
        # Of the first steps the rule is (1 + step) / (10 + step), then this.
        train={'backbone_layers': ('stage4', 'stage5'), 'clip_norm': 0.3,
               'ema_decay': 0.15})
  return config


@functools.cache
def start(network='resnet'):
  """The step, its state and a batch of crops, in float64."""
  config = make_config(network)
  step = trainer.build_step(config)
  state = jax.device_get(init_state(
      init_variables(step.model, 0), step.optimizer,
      ema=config.train.ema_decay > 0))
  crops = jax.device_get(jax.jit(step.prepare)(tiny_batch(config)))
  wide = lambda tree: jax.tree.map(
      lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, tree)
  step = dataclasses.replace(
      from_crops(step), model=step.model.clone(dtype='float64'))
  return step, wide(state), wide(crops)


def released(variables, network='resnet'):
  """{released name: array}."""
  return torch_step.to_torch(
      trainer.build_step(make_config(network)).model, variables)


@functools.cache
def jitted(network, unfrozen):
  return jax.jit(functools.partial(start(network)[0], unfrozen=unfrozen))


def ours(unfreeze, network='resnet'):
  """Losses and gradient norms of the steps; weights, averages after them.

  The averages are the weights where the configuration has none.
  """
  _, state, crops = start(network)
  metrics = []
  with jax.enable_x64(True):
    for k in range(STEPS):
      state, values = jitted(network, k >= unfreeze)(state, crops)
      metrics.append(jax.device_get(values))
    after = jax.device_get((state.variables, state.tracking_variables))
  return metrics, *(released(tree, network) for tree in after)


def theirs(unfreeze, network='resnet', **changes):
  """PyTorch's losses; its weights and averages after the steps."""
  step, state, crops = start(network)
  config = make_config(network)
  config = config.updated(train=changes)
  peer = torch_step.build(
      config, trainer.build_step(config).model, state.variables)
  losses = []
  for k in range(STEPS):
    if k == unfreeze:
      peer.unfreeze()
    losses.append(peer.step(
        *torch_step.tensors(*crops), float(step.learning_rate(k))))
  state = peer.model.state_dict()
  return losses, *({name: value.numpy() for name, value in tensors.items()}
                   for tensors in (state, peer.average or state))


def distance(actual, expected, network='resnet'):
  """The largest difference of a trained number over the rates of all steps."""
  moved = sum(float(start(network)[0].learning_rate(k)) for k in range(STEPS))
  return max(np.abs(actual[name] - expected[name]).max() / moved
             for name in actual if 'running' not in name)


def assert_same(ours, theirs, network='resnet'):
  """Losses, weights, averages."""
  for mine, other in zip(ours[0], theirs[0], strict=True):
    assert mine['grad_norm'] > 2 * make_config(network).train.clip_norm
    for name, value in other.items():
      np.testing.assert_allclose(mine[name], value, rtol=1e-6, err_msg=name)
  for actual, expected in zip(ours[1:], theirs[1:], strict=True):
    assert distance(actual, expected, network) < TOLERANCE
    for name, value in actual.items():
      if 'running' in name:
        np.testing.assert_allclose(value, expected[name], rtol=1e-6, atol=1e-9)


def test_compact_steps_equal_pytorch():
  """Its moving average too, which lags behind the weights."""
  found = ours(0, 'compact')
  assert_same(found, theirs(0, 'compact'), 'compact')
  _, weights, averages = found
  assert distance(averages, weights, 'compact') > 1e3 * TOLERANCE


@pytest.mark.parametrize('unfreeze', [0, 1, STEPS],
                         ids=['unfrozen', 'unfrozen later', 'frozen'])
def test_steps_equal_pytorch(unfreeze):
  found = ours(unfreeze)
  assert_same(found, theirs(unfreeze))
  weights = found[1]
  before = released(start()[1].variables)
  for name, value in weights.items():
    if name.endswith('_weight'):  # the weight of the only level
      continue
    fixed = name.startswith('backbone') and (
        unfreeze == STEPS or name.split('.')[1] in ('conv1', 'bn1', 'layer1'))
    assert np.array_equal(value, before[name]) == fixed, name


@pytest.mark.parametrize('change', [
    {'clip_norm': 1e9}, {'clip_norm': 2.0}, {'backbone_lr_scale': 1.0},
    {'backbone_layers': ('layer3', 'layer4')}], ids=str)
def test_a_difference_shows(change):
  """The tolerance is far below what a wrong setting does."""
  _, weights, _ = ours(0)
  _, expected, _ = theirs(0, **change)
  assert distance(weights, expected) > 100 * TOLERANCE
