"""EfficientNet-Lite0 as a backbone: converted, and on the maps' grid."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.settings import Config
from siamkpn_jax.conversion.run import to_jax
from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.efficientnet import EfficientNet
from siamkpn_jax.models.neck import Neck, to_cells
from siamkpn_jax.models.siamkpn import SiamKPN, init_variables
from tests.models.capture import assert_close
from tests.optional import import_or_skip

STAGES = ('stage3', 'stage4', 'stage5')


def port_state(width, seed=0):
  """Random arrays as the PyTorch port names them; all ReLU6s bend."""
  from tests.reference import torch_efficientnet as reference
  rng = np.random.default_rng(seed)

  def draw(name, shape):
    if name.endswith(('running_var', '.weight')) and len(shape) == 1:
      return rng.uniform(0.5, 2, shape)
    if len(shape) == 4:
      return rng.normal(0, np.sqrt(4 / np.prod(shape[1:])), shape)
    return rng.normal(0, 0.5, shape)
  state = {name: draw(name, shape).astype(np.float32)
           for name, shape in reference.shapes(width).items()}
  return state | {'_fc.weight': np.zeros((3, 4), np.float32)}


@pytest.mark.parametrize(('side', 'cells'), [(255, (31, 16, 16)),
                                             (127, (15, 8, 8))])
def test_converted_equals_pytorch(tmp_path, side, cells):
  """Of the raw BGR crop, what PyTorch gives of normalized RGB."""
  torch = import_or_skip('torch', 'the reference is in PyTorch')
  from tests.reference import torch_efficientnet as reference
  state = port_state(8)
  np.savez(tmp_path / 'lite.npz', **state)
  to_jax(tmp_path / 'lite.npz', tmp_path / 'lite', 'backbone')
  _, variables = load_model(tmp_path / 'lite', 'backbone')
  crop = np.random.default_rng(1).integers(0, 256, (1, side, side, 3))
  with jax.enable_x64(True):  # random weights magnify rounding
    network = EfficientNet(
        'efficientnet_lite0', 8, STAGES, remat=False, dtype='float64')
    ours = jax.device_get(jax.jit(
        functools.partial(network.apply, train_layers=()))(
            {name: jax.tree.map(np.float64, tree['backbone'])
             for name, tree in variables.items()}, crop.astype(np.float64)))
  rgb = (crop[..., ::-1].astype(np.float64) - 127) / 128
  with torch.no_grad():
    expected = reference.features(
        reference.to_tensors(state),
        torch.from_numpy(rgb.transpose(0, 3, 1, 2).copy()), reference.TRACKER)
  for stage, size in zip(STAGES, cells, strict=True):
    assert ours[stage].shape[1:3] == (size, size)
    assert_close(np.asarray(ours[stage]).transpose(0, 3, 1, 2),
                 expected[stage].numpy(), stage)


@pytest.mark.parametrize('side', [255, 207])
def test_cells_lie_on_the_grid(side):
  """A pixel changes the maps most at the cell that lies on it."""
  network = EfficientNet(
      'efficientnet_lite0', 8, ('stage3', 'stage5'), remat=False)
  x = np.zeros((1, side, side, 3), np.float32)
  variables = jax.jit(functools.partial(network.init, train_layers=()))(
      jax.random.key(0), x)
  boxes = jax.tree.map(lambda w: jnp.full(  # all weights alike
      w.shape, 1 / np.prod(w.shape[:-1]) if w.ndim == 4 else 1.0 * (w[0] == 1)),
                       variables['params'])
  apply = jax.jit(lambda x: {
      level: to_cells(value) if level == 'stage5' else value
      for level, value in network.apply(
          variables | {'params': boxes}, x, train_layers=()).items()})
  i, j = 12, 20
  row, column = side // 2 + geometry.cell_shifts(
      geometry.map_size(side))[[i, j]]
  x[0, row, column] = 1.0
  for level, value in apply(x).items():
    change = np.abs(np.asarray(value)[0]).sum(-1)
    middle = np.argwhere(change >= change.max() * (1 - 1e-5)).mean(0)
    np.testing.assert_allclose(middle, (i, j), atol=1e-6, err_msg=level)


@pytest.mark.parametrize(('cells', 'sides'), [(31, (31, 16)), (15, (15, 8)),
                                              (25, (13, 25)), (15, (8, 8))])
def test_levels_are_of_all_cells_whatever_their_names(cells, sides):
  """Another backbone's layers have names of their own (CONTRIBUTING.md)."""
  maps = {f'stage{k}': jnp.zeros((1, n, n, 3)) for k, n in enumerate(sides, 3)}
  found, _ = jax.eval_shape(lambda: Neck(4).init_with_output(
      jax.random.key(0), maps, cells, train=False))
  assert {x.shape for x in found.values()} == {(1, cells, cells, 4)}


def test_cells_between_are_linear():
  line = jnp.arange(16.0)[None, :, None, None] + 3 * jnp.arange(16.0)[:, None]
  np.testing.assert_allclose(
      to_cells(line)[0, :, :, 0],
      np.arange(31)[:, None] / 2 + 3 * np.arange(31) / 2, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('sharing', ['shared', 'per_task'])
def test_network_of_separable_heads(sharing):
  """Sizes, a head near the identity, and gradients of all that trains."""
  model = SiamKPN(arch='efficientnet_lite0', width=4,
                  levels=('stage3', 'stage5'), channels=8, num_stages=2,
                  head_sharing=sharing, head_conv='separable')
  variables = init_variables(model, 0)
  z, x = (np.random.default_rng(side).uniform(
      0, 255, (2, side, side, 3)).astype(np.float32) for side in (127, 255))
  layers = ('stage4', 'stage5')

  def loss(params):
    maps, _ = model.apply(variables | {'params': params}, z, x, train=True,
                          train_layers=layers, mutable=['batch_stats'])
    return sum(jnp.square(m - 1).sum() for m in jax.tree.leaves(maps)), maps
  gradients, maps = jax.jit(jax.grad(loss, has_aux=True))(variables['params'])
  assert [m.size.shape for m in maps] == [(2, 31, 31, 2)] * 2
  for name, tree in gradients['backbone'].items():
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(tree))
    assert (largest > 0) == name.startswith(layers), name
  kernel = next(tree for name, tree in variables['params']['head'].items()
                if name.endswith('stage1'))['search_conv']
  depth = np.asarray(kernel['depthwise']['kernel'])[:, :, 0]
  assert (depth[1, 1] > 0.4).all()  # near the identity


def test_levels_and_layers_of_the_backbone():
  with pytest.raises(UserError, match=r'model.levels.*stage3.*of efficientn'):
    Config().updated(model={'arch': 'efficientnet_lite0'})
  model = {'arch': 'efficientnet_lite0', 'levels': ('stage3', 'stage5')}
  with pytest.raises(UserError, match=r'train.backbone_layers.*stem'):
    Config().updated(model=model)
  Config().updated(
      model=model, train={'backbone_layers': ('stage4', 'stage5')})
