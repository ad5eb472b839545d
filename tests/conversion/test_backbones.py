"""Backbones of torchvision and of other trackers."""

import jax
import numpy as np
import pytest

from siamkpn_jax.config.settings import ModelConfig
from siamkpn_jax.conversion.backbones import MEAN, STD, find_backbone
from siamkpn_jax.conversion.names import name_table
from siamkpn_jax.conversion.variables import to_variables
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.resnet import ResNet
from siamkpn_jax.models.siamkpn import SiamKPN
from tests.models.capture import assert_close
from tests.optional import import_or_skip
from tests.reference.weights import random_state


def torchvision_state(arch, width, seed):
  """Names and shapes of torchvision: bare, 1x1 shortcuts, a classifier."""
  entries = name_table(SiamKPN(arch=arch, width=width), 'backbone')
  shapes = {e.key.removeprefix('backbone.'): e.shape for e in entries}
  for name, shape in shapes.items():
    if name.endswith('downsample.0.weight'):
      shapes[name] = (*shape[:2], 1, 1)
  state = random_state(shapes, seed, {})
  return state | {'fc.weight': np.zeros((10, 8), np.float32),
                  'fc.bias': np.zeros(10, np.float32),
                  'bn1.num_batches_tracked': np.asarray(5)}


def normalized_features(torch, state, arch, crop):
  """What torchvision's arrays mean: normalized RGB in, 1x1 shortcuts.

  The strides, paddings and dilations are the tracker's.
  """
  from tests.reference import torch_network

  class Shortcut(torch.nn.Module):
    """1x1; strided, it takes the centers of the unpadded 3x3 windows."""

    def __init__(self, weight, stride):
      super().__init__()
      self.weight, self.stride = weight.double(), stride

    def forward(self, x):
      if self.stride == 2:
        x = x[:, :, 1:-1:2, 1:-1:2]
      return torch.nn.functional.conv2d(x, self.weight)

  width = state['conv1.weight'].shape[0]
  backbone = torch_network.Backbone(arch, width).eval()
  own = backbone.state_dict()
  backbone.load_state_dict({
      name: torch.from_numpy(state[name]) if name in state and
      state[name].shape == tuple(value.shape) else value
      for name, value in own.items()})
  for layer in ('layer2', 'layer3', 'layer4'):
    conv = getattr(backbone, layer)[0].downsample
    conv[0] = Shortcut(
        torch.from_numpy(state[f'{layer}.0.downsample.0.weight']),
        conv[0].stride[0])
  rgb = (crop[..., ::-1] / 255 - MEAN) / STD
  x = torch.from_numpy(rgb.transpose(0, 3, 1, 2).copy()).double()
  with torch.no_grad():
    return {level: value.numpy()
            for level, value in backbone.double()(x).items()}


@pytest.mark.parametrize('arch', ['resnet18', 'resnet34', 'resnet50'])
def test_torchvision_is_folded_exactly(arch):
  """The same features of the raw crop as of the normalized one."""
  torch = import_or_skip('torch', 'the features are of PyTorch')
  state = torchvision_state(arch, 4, seed=1)
  crop = np.random.default_rng(2).uniform(0, 255, (1, 127, 127, 3))
  expected = normalized_features(torch, state, arch, crop)

  folded, kind = find_backbone(state)
  assert 'torchvision' in kind
  variables, mapped = to_variables(
      folded, name_table(SiamKPN(arch=arch, width=4), 'backbone'))
  assert mapped.ignored == ('backbone.bn1.num_batches_tracked',)
  model = ResNet(arch, 4, ModelConfig.levels, remat=False)
  actual = jax.jit(lambda x: model.apply(
      {name: tree['backbone'] for name, tree in variables.items()}, x,
      train_layers=()))(crop.astype(np.float32))
  for level, value in expected.items():
    assert_close(np.asarray(actual[level]).transpose(0, 3, 1, 2), value, level)


@pytest.mark.parametrize('prefix', ['backbone.', ''])
def test_backbones_with_3x3_shortcuts_pass_as_they_are(prefix):
  """Of a tracker (its neck and head fall away) or bare."""
  entries = name_table(SiamKPN(arch='resnet18', width=4), 'backbone')
  state = random_state({e.key: e.shape for e in entries}, 3, {})
  given = {prefix + name.removeprefix('backbone.'): value
           for name, value in state.items()}
  if prefix:
    given['rpn_head.cls2.kernel.0.weight'] = np.zeros((8, 8, 3, 3))
  found, kind = find_backbone(given)
  assert set(found) == set(state) and 'torchvision' not in kind
  for name, value in state.items():
    np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize(('name', 'shape'), [
    ('conv1.weight', (4, 4, 7, 7)), ('conv1.weight', (12,)),
    ('bn1.running_mean', (5,)), ('layer3.0.downsample.0.weight', (16,))])
def test_wrong_shapes_are_left_for_the_report(name, shape):
  state = torchvision_state('resnet18', 4, seed=1)
  state[name] = np.zeros(shape, np.float32)
  folded, _ = find_backbone(state)
  with pytest.raises(UserError, match=rf'backbone\.{name}: shape \({shape[0]}'):
    to_variables(folded, name_table(
        SiamKPN(arch='resnet18', width=4), 'backbone'))


def test_no_backbone():
  state = {'classifier.weight': np.zeros(3)}
  assert find_backbone(state) == (state, '')
