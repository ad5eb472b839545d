"""Folded variables give what the others give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from siamkpn_jax.models import blocks, inference
from siamkpn_jax.models.inference import inference_variables
from siamkpn_jax.models.layers import WINOGRAD
from siamkpn_jax.models.siamkpn import SiamKPN, init_variables

COMPACT = {'arch': 'efficientnet_lite0', 'width': 8, 'channels': 8,
           'levels': ('stage3', 'stage5'), 'num_stages': 2,
           'head_conv': 'separable'}
RESNET = {'arch': 'resnet10', 'width': 4, 'channels': 8, 'num_stages': 2,
          'levels': ('layer2', 'layer4')}


def lively(variables):
  """Every statistic and weight is another than at the start."""
  rng = np.random.default_rng(3)

  def draw(path, leaf):
    name = path[-1].key
    if name in ('scale', 'var'):
      return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
    if name == 'kernel':
      return np.asarray(leaf)
    return rng.normal(0, 0.5, leaf.shape).astype(np.float32)
  return jax.tree_util.tree_map_with_path(draw, variables)


def assert_same_predictions(model, folded, variables, tolerance=2e-5):
  rng = np.random.default_rng(0)
  z, x = (jnp.asarray(rng.integers(0, 256, (2, side, side, 3)), jnp.float32)
          for side in (127, 255))
  run = jax.jit(lambda v: model.apply(v, z, x, train=False))
  for ours, expected in zip(jax.tree.leaves(run(folded)),
                            jax.tree.leaves(run(variables)), strict=True):
    np.testing.assert_allclose(
        ours, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize('settings', [
    COMPACT | {'head_sharing': 'shared'},
    COMPACT | {'head_sharing': 'per_task', 'levels': ('stage4',)},
    RESNET | {'head_sharing': 'shared', 'level_fusion': 'mean'}])
def test_same_predictions(settings):
  model = SiamKPN(**settings)
  variables = lively(init_variables(model, 0))
  before = jax.tree.map(np.copy, variables)
  folded = inference_variables(model, variables)
  jax.tree.map(np.testing.assert_array_equal, variables, before)
  assert list(folded) == ['params']
  assert len(jax.tree.leaves(folded)) < len(jax.tree.leaves(variables)) / 2
  assert_same_predictions(model, folded, variables)


def names(variables):
  return ['/'.join(path) for path in flatten_dict(variables['params'])]


@pytest.mark.parametrize('levels', [('stage3', 'stage5'), ('stage4',)])
def test_projections_have_no_bias(levels):
  """Those of a later level and of an earlier one are not mixed up."""
  model = SiamKPN(**COMPACT | {'levels': levels})
  folded = inference_variables(model, lively(init_variables(model, 0)))
  assert not any('project/bn' in name for name in names(folded))
  assert 'backbone/stage3_1/expand/bn/bias' in names(folded)


@pytest.mark.parametrize('levels', [('stage3', 'stage5'), ('stage4',)])
def test_in_blocks(levels, monkeypatch):
  """Of stride 1 and several channels; elsewhere nothing changes."""
  monkeypatch.setattr(blocks, '_BYTES', 4 * 5 * 5 * 20)
  model = SiamKPN(**COMPACT | {'levels': levels})
  variables = lively(init_variables(model, 0))
  folded = inference_variables(model, variables, cpu=True)
  found = {name.split('/')[1]: value.shape[0] for name, value in (
      ('/'.join(path), leaf) for path, leaf in flatten_dict(
          folded['params']).items()) if name.endswith('blocks/kernel')}
  # Channels 60, 120 and 168 of at most 20, or 55 of a 3x3 kernel.
  expected = {'stage3_1': 3, 'stage4_1': 3, 'stage4_2': 3}
  if 'stage5' in levels:
    expected |= {'stage5_0': 6, 'stage5_1': 12, 'stage5_2': 12}
  assert found == expected
  assert_same_predictions(model, folded, variables)


@pytest.mark.parametrize('arch', ['resnet18', 'resnet50'])
def test_winograd(arch, monkeypatch):
  """Every kind of 3x3: dilated, padded or not, of all layers; none strided."""
  monkeypatch.setattr(inference, '_WIDE', {32: 4, 4: 2})
  model = SiamKPN(arch=arch, width=4, channels=8, num_stages=2,
                  levels=('layer2', 'layer3', 'layer4'))
  variables = lively(init_variables(model, 0))
  folded = inference_variables(model, variables, cpu=True)
  found = {'/'.join(path): len(leaf) for path, leaf in flatten_dict(
      folded['params']).items() if path[-1] == WINOGRAD}
  assert {4**2, 6**2} == set(found.values())
  assert 'backbone/layer4_0/downsample/conv/winograd' in found
  assert not any('layer2_0' in name for name in found)
  assert_same_predictions(model, folded, variables, 1e-4)


@pytest.mark.parametrize('settings', [RESNET, COMPACT])
def test_forms_of_a_cpu_suit_float32_alone(settings, monkeypatch):
  monkeypatch.setattr(inference, '_WIDE', {4: 2})
  monkeypatch.setattr(blocks, '_BYTES', 4 * 5 * 5 * 20)
  model = SiamKPN(**settings, dtype='bfloat16')
  folded = inference_variables(model, init_variables(model, 0), cpu=True)
  assert not any(form in name.split('/') for name in names(folded)
                 for form in (WINOGRAD, blocks.NAME))
