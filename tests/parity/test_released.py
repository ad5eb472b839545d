"""Against numbers that the authors' own program gave.

The other tests of parity compare with a reference that was written from the
same specification as the package, and share its errors; these do not. The
network is that of the paper in full size, its weights take the way of a user's:
a file, `siamkpn_jax.convert`, a checkpoint.
"""

import functools

import cv2
import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.settings import LossConfig, TargetsConfig
from siamkpn_jax.conversion.run import to_jax
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.training.losses import siamkpn_losses, smooth_l1
from siamkpn_jax.training.targets import make_targets
from tests.models.capture import assert_close, run_captured
from tests.parity import networks, released

pytestmark = pytest.mark.usefixtures('optimized')
TASKS = {'heatmap': 'heatmap', 'offsets': 'offsets', 'objsize': 'size'}


@pytest.fixture(scope='module', params=[
    pytest.param(1, marks=pytest.mark.slow),
    pytest.param(2, marks=pytest.mark.slow), 3])
def num_stages(request):
  return request.param


@pytest.fixture(scope='module')
def converted(real_data, num_stages, tmp_path_factory):
  """A checkpoint, as a user makes it of a released file."""
  folder = tmp_path_factory.mktemp(f'kpn{num_stages}s')
  np.savez(folder / 'released.npz',
           **released.state_dict(real_data, num_stages))
  to_jax(folder / 'released.npz', folder / 'weights', 'network')
  return folder / 'weights'


@pytest.mark.slow
@pytest.mark.realdata
def test_maps(real_data, num_stages, converted):
  """Of every stage, fused over the levels; in float64.

  What is left is the rounding of the original: 9e-5 in the second stage.
  """
  golden = released.load(real_data, f'kpn{num_stages}s')
  config, variables = load_model(converted)
  with jax.enable_x64(True):
    model = build_model(config.model).clone(dtype='float64')
    wide = lambda tree: jax.tree.map(np.float64, tree)
    maps, blocks = jax.device_get(jax.jit(
        functools.partial(run_captured, model))(
            wide(variables), *(wide(golden[name])[None]
                               for name in ('template', 'search'))))
  for n, level in enumerate(model.levels):
    neck = blocks[f'neck/{level}'][1]  # the search crop comes second
    assert_close([neck.mean(), neck.std()],
                 golden[f'neck_search_{n}_mean_std'], level)
  assert len(maps) == num_stages
  for s, stage in enumerate(maps):
    for theirs, ours in TASKS.items():
      name = f'{theirs}_stage{s + 1}'
      assert_close(networks.nchw(getattr(stage, ours))[0], golden[name], name)


@pytest.mark.realdata
def test_boxes_and_scores(real_data, num_stages, converted):
  """Crop, fill color, network, penalty, window, smoothing, clamped centers."""
  golden = released.load(real_data, f'kpn{num_stages}s')
  (sequence,) = load_otb(real_data / 'sequences', names=[released.FRAMES])
  frames = [cv2.imread(str(path))
            for path in sequence.frames[:len(golden['boxes'])]]
  tracker = load_tracker(converted, engine='jax')
  tracker.init(frames[0], golden['boxes'][0])
  for n, frame in enumerate(frames[1:], 1):
    state = golden['states'][n]
    target = tracker._batch._targets[tracker._target]
    target.center, target.size = np.float32(state[:2]), np.float32(state[2:])
    _, box = tracker.update(frame)
    np.testing.assert_allclose(
        box, golden['boxes'][n], rtol=0, atol=0.01, err_msg=f'frame {n}')
    assert tracker.score == pytest.approx(golden['scores'][n], abs=1e-4)
  # The target moves and changes its size: nothing of it is trivial.
  assert np.abs(np.diff(golden['boxes'], axis=0)).max(axis=1).min() > 0.5


def labels(golden, num_stages):
  """Ours, of the boxes of the golden batch."""
  left, top, right, bottom = golden['corners'].T
  boxes = np.stack([(left + right) / 2, (top + bottom) / 2, right - left,
                    bottom - top], axis=1)
  return make_targets(np.float32(boxes), golden['negative'], num_stages,
                      TargetsConfig(heatmap_shrink='released'))


@pytest.mark.parametrize('stages', [1, 3])
def test_labels(stages):
  """The figures of the original are copied; they need no frames."""
  golden = networks.golden(f'released_labels/kpn{stages}s')
  targets = labels(golden, stages)
  for ours, name in ((targets.heatmaps, 'heatmap_labels'),
                     (np.moveaxis(targets.offsets, 3, 1), 'offset_labels'),
                     (np.moveaxis(targets.size, 3, 1), 'size_labels')):
    np.testing.assert_allclose(ours, golden[name], rtol=0, atol=1e-6)


def misaligned_offset_loss(maps, targets, mask):
  """The offset loss with the released program's weights.

  Its masked errors are in the order example, channel, cell; the labels that
  weigh them are in the order example, cell, once for each channel. That fits
  for a single example only.
  """
  b, y, x = np.nonzero(mask)
  channel = lambda values, n, c: values[n, y[b == n], x[b == n], c]
  ordered = lambda values: np.concatenate([
      channel(values, n, c) for n in np.unique(b) for c in range(2)])
  order = ordered(np.arange(np.prod((*mask.shape, 2))).reshape(*mask.shape, 2))
  flat = lambda values: values.reshape(-1)[order]
  losses = []
  for stage, label in zip(maps, targets.heatmaps, strict=True):
    weight = np.tile(np.asarray(label)[mask], 2)
    losses.append(smooth_l1(weight * flat(stage.offsets),
                            weight * flat(targets.offsets)).mean())
  return sum(losses) / len(losses)


def test_one_example_is_aligned():
  """There the imitated loss, which the golden numbers fix, is the package's."""
  golden = networks.golden('released_labels/kpn3s')
  rng = np.random.default_rng(3)
  for n in (0, 1):
    one = {name: golden[name][n:n + 1] for name in ('corners', 'negative')}
    targets = jax.tree.map(np.asarray, labels(one, 3))
    maps = [Predictions(*(rng.normal(0, 0.6, (1, 31, 31, c)).astype(np.float32)
                   for c in (1, 2, 2))) for _ in range(3)]
    ours = siamkpn_losses(maps, targets, LossConfig())['offsets']
    assert float(ours) == pytest.approx(float(misaligned_offset_loss(
        maps, targets, targets.offsets_mask)), rel=1e-5)


@functools.cache
def trained(folder, stages):
  """Losses, and {released name: norm of the gradient} of the golden batch."""
  golden = released.load(folder, f'kpn{stages}s_training')
  model, table, variables = released.network(folder, stages)
  targets = labels(golden, stages)
  targets = jax.tree.map(np.asarray, targets)
  config = LossConfig()

  def loss_fn(params):
    maps, _ = model.apply(
        variables | {'params': params},
        *(golden[name].astype(np.float32) for name in ('template', 'search')),
        train=True, mutable=['batch_stats'])
    losses = siamkpn_losses(maps, targets, config)
    losses['offsets'] = misaligned_offset_loss(
        maps, targets, targets.offsets_mask)
    total = (losses['heatmap'] + config.offsets_weight * losses['offsets'] +
             config.size_weight * losses['size'])
    return total, losses | {'loss': total}

  gradients, losses = jax.device_get(jax.jit(
      jax.grad(loss_fn, has_aux=True))(variables['params']))
  norms = {}
  for entry in table:
    if entry.path[0] == 'params':
      leaf = gradients
      for name in entry.path[1:]:
        leaf = leaf[name]
      norms[entry.key] = np.linalg.norm(leaf)
  return losses, norms


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize('stages', [1, 3])
def test_training(real_data, stages):
  """Losses and gradients of one batch, the backbone frozen, in float32."""
  golden = released.load(real_data, f'kpn{stages}s_training')
  losses, norms = trained(real_data, stages)
  for ours, theirs in (('heatmap', 'heatmap'), ('size', 'objsize'),
                       ('offsets', 'offsets'), ('loss', 'total')):
    assert losses[ours] == pytest.approx(
        float(golden[f'{theirs}_loss']), rel=1e-4), ours
  expected = dict(zip(golden['grad_names'].tolist(), golden['grad_norms'],
                      strict=True))
  assert {name for name in norms if not name.startswith('backbone')} == set(
      expected)
  for name, norm in expected.items():
    assert norms[name] == pytest.approx(norm, rel=1e-2), name
