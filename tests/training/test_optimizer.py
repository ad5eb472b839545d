"""Groups, the freeze boundary and Adam against plain numpy (SPEC 7)."""


import jax
import numpy as np
import pytest

from siamkpn_jax.config import architectures
from siamkpn_jax.models.siamkpn import SiamKPN, abstract_variables
from siamkpn_jax.training.optimizer import (
    make_optimizer,
    param_groups,
    scale_by_rate,
)

LAYERS = architectures.LAYERS['resnet50']
PAPER_LAYERS = ('layer2', 'layer3', 'layer4')
UNFREEZE, STEPS, RATE = 4, 8, 0.01
# Names as in a network, few numbers.
PARAMS = {
    'backbone': {layer: {'conv': np.zeros((2, 3), np.float32)} for layer in (
        'conv1', 'layer1_0', 'layer2_0', 'layer3_1', 'layer4_0')},
    'neck': {'layer2': {'conv': np.zeros(4, np.float32)}},
    'head': {'heatmap_weight': np.zeros(3, np.float32)}}


class NumpyAdam:
  """Adam with bias correction from its own first step."""

  def __init__(self):
    self.m = self.v = 0.0
    self.t = 0

  def __call__(self, g):
    self.t += 1
    self.m = 0.9 * self.m + 0.1 * g
    self.v = 0.999 * self.v + 0.001 * g * g
    m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
    return m / (np.sqrt(v) + 1e-8)


def group_of(path):
  if path[0].key != 'backbone':
    return 'head'
  return 'frozen' if path[1].key[:6] in ('conv1', 'layer1') else 'backbone'


def random_grads(step, scale, *, frozen_too=False):
  """As the network gives them: zero where nothing trains."""
  rng = np.random.default_rng(step)

  def draw(path, leaf):
    grad = rng.normal(0, scale, leaf.shape).astype(np.float32)
    group = group_of(path)
    trains = group == 'head' or (group == 'backbone' and step >= UNFREEZE)
    return grad if trains or frozen_too else 0 * grad
  return jax.tree.map_with_path(draw, PARAMS)


def run(scale, clip=10.0, **kwargs):
  """The changes of the parameters in every step."""
  optimizer = make_optimizer(PAPER_LAYERS, 0.1, clip)
  update = jax.jit(optimizer.update, static_argnames='unfrozen')
  state, changes = optimizer.init(PARAMS), []
  for step in range(STEPS):
    updates, state = update(random_grads(step, scale, **kwargs), state, PARAMS,
                            unfrozen=step >= UNFREEZE)
    changes.append(scale_by_rate(updates, RATE))
  return changes


@pytest.mark.parametrize('scale', [0.1, 30.0], ids=['small', 'clipped'])
def test_updates_equal_numpy_adam(scale):
  """The backbone's Adam, bias correction included, starts at the unfreeze."""
  adams = {}
  for step, change in enumerate(run(scale)):
    grads = random_grads(step, scale)
    norm = np.sqrt(sum(
        (np.float64(g)**2).sum() for g in jax.tree.leaves(grads)))
    assert (norm > 10) == (scale > 1)
    for (path, actual), g in zip(
        jax.tree.leaves_with_path(change), jax.tree.leaves(grads),
        strict=True):
      group = group_of(path)
      if group == 'frozen' or (group == 'backbone' and step < UNFREEZE):
        assert not np.any(actual), (step, path)
        continue
      adam = adams.setdefault(jax.tree_util.keystr(path), NumpyAdam())
      rate = RATE * (0.1 if group == 'backbone' else 1)
      expected = -rate * adam(np.float64(g) * min(1, 10 / norm))
      np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-8)
  first = run(scale)[UNFREEZE]['backbone']['layer3_1']['conv']
  np.testing.assert_allclose(np.abs(first), RATE / 10, rtol=1e-4)


def test_frozen_whatever_the_gradient():
  """conv1 and layer1 never change, the rest not before its time."""
  for step, change in enumerate(run(1.0, frozen_too=True)):
    for layer, values in change['backbone'].items():
      moves = step >= UNFREEZE and layer not in ('conv1', 'layer1_0')
      assert np.any(values['conv']) == moves


def test_groups_of_a_network():
  """Every parameter of a real tree is in the right group."""
  model = SiamKPN(arch='resnet18', width=4, channels=8, num_stages=1)
  params = abstract_variables(model)['params']
  groups = param_groups(params, PAPER_LAYERS)
  assert set(jax.tree.leaves(groups['neck'])) == {'head'}
  assert set(jax.tree.leaves(groups['head'])) == {'head'}
  for name, layer in groups['backbone'].items():
    expected = ('backbone' if name.startswith(PAPER_LAYERS) else 'frozen')
    assert set(jax.tree.leaves(layer)) == {expected}, name
  everything = param_groups(params, LAYERS)
  assert set(jax.tree.leaves(everything)) == {'head', 'backbone'}
  nothing = param_groups(params, ())
  assert set(jax.tree.leaves(nothing['backbone'])) == {'frozen'}


@pytest.mark.parametrize('layers', [
    (), ('layer4',), PAPER_LAYERS, LAYERS], ids=str)
def test_valid_layers(layers):
  make_optimizer(layers, 0.1, 10.0)
