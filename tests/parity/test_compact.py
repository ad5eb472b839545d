"""The compact network against PyTorch: maps, and one step in each phase.

An EfficientNet, levels of all and of every second cell, shared separable heads;
narrow, in float64, where both programs give the same numbers.
"""

import functools

import jax
import numpy as np
import pytest

from siamkpn_jax.config.architectures import LAYERS as BACKBONES
from siamkpn_jax.conversion.names import name_table
from siamkpn_jax.conversion.variables import to_state
from siamkpn_jax.models.siamkpn import SiamKPN, init_variables
from tests.models.capture import assert_close
from tests.optional import import_or_skip
from tests.parity import crops, networks
from tests.parity.steps import (
  assert_losses,
  assert_small,
  assert_trains,
  errors,
  our_step,
  their_step,
)

torch = import_or_skip('torch', 'the reference is in PyTorch')

SETTINGS = {
    'arch': 'efficientnet_lite0', 'width': 8, 'levels': ('stage3', 'stage4'),
    'channels': 8, 'num_stages': 2, 'head_sharing': 'shared',
    'head_conv': 'separable'}
# That the network does not have stage 5 does not matter.
LAYERS = {'frozen': (), 'unfrozen': ('stage4', 'stage5')}
TOLERANCE = 1e-9  # of maps, losses, statistics
OF_GRADIENTS = 1e-6
ZERO = 1e-13


def forward(variables, z, x, *, train_layers=(), train=False):
  """Predictions and new statistics of our network."""
  model = SiamKPN(**SETTINGS, dtype=str(x.dtype))
  return jax.jit(functools.partial(
      model.apply, train=train, train_layers=train_layers,
      mutable=['batch_stats']))(variables, z, x)


@functools.cache
def variables():
  """Random weights; statistics nearly those of the crops; ReLU6s that bend.

  One step of the running statistics is linear: what the crops have themselves
  follows from it.
  """
  rng = np.random.default_rng(0)

  def vary(path, leaf):
    name = path[-1].key
    if name == 'scale':
      return rng.uniform(0.5, 3, leaf.shape)
    if name == 'bias' and path[-2].key == 'bn':
      return rng.normal(0, 0.5, leaf.shape)
    return leaf + name.endswith('_weight') * rng.normal(0, 0.5, leaf.shape)

  fresh = jax.device_get(init_variables(SiamKPN(**SETTINGS), 0))
  params = jax.tree.map(
      np.float32, jax.tree_util.tree_map_with_path(vary, fresh['params']))
  fresh = {'params': params, 'batch_stats': fresh['batch_stats']}
  _, moved = forward(
      fresh, *map(np.float32, crops.crops()), train=True,
      train_layers=BACKBONES[SETTINGS['arch']])
  # Template and search crop each moved them by a tenth of the way.
  stats = jax.tree.map(
      lambda old, new: (np.asarray(new) - 0.81 * old) / 0.19
      * rng.uniform(0.8, 1.2, old.shape).astype(np.float32),
      fresh['batch_stats'], moved['batch_stats'])
  return {'params': params, 'batch_stats': stats}


def pytorch_network():
  """The reference with the same weights; every name is in both."""
  from tests.reference import torch_network
  model = torch_network.SiamKPN(**SETTINGS)
  state, _ = to_state(variables(), name_table(SiamKPN(**SETTINGS)))
  model.load_state_dict({name: torch.from_numpy(np.array(value))
                         for name, value in state.items()}, strict=True)
  return model


@pytest.mark.slow
@pytest.mark.parametrize('phase', ['tracking', *LAYERS])
def test_maps(phase):
  """Of every stage; statistics given, of the batch, of both."""
  from tests.reference import torch_network
  from tests.reference.torch_tracker import to_tensor
  layers = LAYERS.get(phase, ())
  wide = jax.tree.map(np.float64, (variables(), *crops.crops()))
  with jax.enable_x64(True):
    ours, _ = jax.device_get(forward(
        *wide, train=phase in LAYERS, train_layers=layers))
  model = pytorch_network().double()
  if phase in LAYERS:
    torch_network.freeze(model, layers)
  else:
    model.eval()
  with torch.no_grad():
    expected = model(*(to_tensor(part).double() for part in crops.crops()))
  for s, (mine, other) in enumerate(zip(ours, expected, strict=True)):
    for task, value in other.items():
      assert value.std() > 1e-3, f'{task} of stage {s + 1} is flat'
      assert_close(networks.nchw(getattr(mine, task)), value.numpy(),
                   f'{task} of stage {s + 1}', TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize('phase', LAYERS)
def test_step(phase):
  layers = LAYERS[phase]
  losses, named = our_step(SETTINGS, variables(), layers, 'float64')
  expected, gradients, statistics, before = their_step(
      pytorch_network(), layers, 'float64')
  assert_losses(losses, expected, TOLERANCE)
  assert_small(errors(named, statistics), TOLERANCE)
  # A bias that a convolution of 1x1 carries into the batch's mean has none.
  zeros = {name for name, value in gradients.items()
           if np.abs(value).max() < ZERO}
  assert zeros == {f'backbone.stage4.{n}.project.bn.bias' for n in range(3)
                   if layers}
  assert all(np.abs(named[name]).max() < ZERO for name in zeros)
  assert_small(errors(named, {name: value for name, value in gradients.items()
                              if name not in zeros}), OF_GRADIENTS)
  assert_trains(named, gradients, before, layers)


def test_relu6_bends_at_both_ends():
  """So that the comparison means something: stage 4 reaches 0 and 6."""
  from tests.reference.torch_tracker import to_tensor
  model, found = pytorch_network().eval(), []
  for module in model.backbone.stage4.modules():
    if isinstance(module, torch.nn.ReLU6):
      module.register_forward_hook(lambda _, __, y: found.append(y.clone()))
  with torch.no_grad():
    model.features(to_tensor(crops.crops()[1]))
  for y in found:
    assert 0.02 < (y == 0).float().mean() < 0.9
  assert max((y == 6).float().mean() for y in found) > 1e-3
