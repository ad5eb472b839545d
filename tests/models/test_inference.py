"""Folded variables give what the others give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.models.inference import inference_variables
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
  rng = np.random.default_rng(0)
  z, x = (jnp.asarray(rng.integers(0, 256, (2, side, side, 3)), jnp.float32)
          for side in (127, 255))
  run = jax.jit(lambda v: model.apply(v, z, x, train=False))
  for ours, expected in zip(jax.tree.leaves(run(folded)),
                            jax.tree.leaves(run(variables)), strict=True):
    np.testing.assert_allclose(
        ours, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
