"""Counting operations, and what share of a device's peak they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.distributed import sharding
from siamkpn_jax.models.siamkpn import SiamKPN, abstract_variables
from siamkpn_jax.training import throughput, trainer
from siamkpn_jax.training.metrics import LOG_NAME, read_log
from siamkpn_jax.training.throughput import count_flops, peak_flops, step_flops
from tests.training.tiny import BlobSource, tiny_config


@pytest.mark.parametrize(('kind', 'peak'), [  # names as JAX reports them
    ('NVIDIA H100 80GB HBM3', 989), ('NVIDIA H100 PCIe', 756),
    ('NVIDIA H200', 989), ('NVIDIA A100-SXM4-40GB', 312),
    ('Tesla V100-SXM2-16GB', 125), ('TPU v4', 275), ('TPU v5 lite', 197),
    ('TPU v5', 459), ('TPU v5p', 459), ('TPU v6 lite', 918), ('cpu', None),
    ('NVIDIA GeForce RTX 4090', None), ('TPU v3', None)])
def test_peaks(kind, peak):
  """Of the data sheets; others are not guessed."""
  assert peak_flops(kind) == (peak and peak * 1e12)


def test_matrix_product():
  """2 m n k operations."""
  shape = lambda *axes: jax.ShapeDtypeStruct(axes, jnp.float32)
  assert count_flops(jnp.dot, shape(30, 70), shape(70, 50)) == 2 * 30 * 50 * 70


@pytest.mark.slow
def test_backbone_of_the_paper():
  """89 GFLOP: 2 for every weight of a kernel and position of its output."""
  model = SiamKPN()
  variables = abstract_variables(model)
  x = jax.ShapeDtypeStruct((1, 255, 255, 3), jnp.float32)
  params = variables['params']['backbone']
  sides = {'conv1': 125, 'layer1': 63, 'layer2': 31, 'layer3': 31, 'layer4': 31}
  expected = 0
  for path, leaf in jax.tree.leaves_with_path(params):
    if path[-1].key != 'kernel':
      continue
    names = [part.key for part in path]
    side = sides[names[0].split('_')[0]]
    if names[:2] == ['layer2_0', 'conv1']:
      side = 63  # before the stride
    expected += 2 * leaf.size * side**2
  backbone = lambda variables, x: model.apply(
      variables, x, method=lambda m, x: m.backbone(x, train_layers=()))
  found = count_flops(backbone, variables, x)
  np.testing.assert_allclose(expected, 89e9, rtol=0.01)
  # The compiler does not count products with the zeros of the padding.
  assert 0.9 * expected < found < expected


@pytest.mark.slow
def test_step_is_counted_as_a_whole():
  """In parts or rematerialized it is the same; a larger batch counts more."""
  def flops(unfrozen, **changes):
    config = tiny_config(train=changes)
    step = trainer.build_step(config)
    state = trainer.abstract_state(config, step, sharding.data_mesh(4))
    return step_flops(step, state, config.train.batch_size, unfrozen=unfrozen)

  whole = flops(True)
  assert flops(True, accumulate=2, remat='blocks') == whole
  assert 1.9 * whole < flops(True, batch_size=8) <= 2 * whole
  assert flops(False) < whole


@pytest.mark.slow
def test_convolutions_count_as_such():
  """Also those that a CPU computes by Winograd's method, in float32."""
  def flops(dtype):
    config = tiny_config(model={
        'arch': 'resnet10', 'width': 64, 'channels': 16, 'dtype': dtype})
    step = trainer.build_step(config)
    state = trainer.abstract_state(config, step, sharding.data_mesh(4))
    return step_flops(step, state, 4, unfrozen=True)

  assert flops('float32') == flops('bfloat16')


@pytest.mark.slow
def test_log_of_a_known_device(tmp_path, monkeypatch):
  """The share of four devices' peak, in both phases; nothing on others."""
  monkeypatch.setattr(throughput, '_PEAKS', {'cpu': 1e9})
  config = tiny_config()
  state = trainer.train(config, tmp_path, [BlobSource()])
  step = trainer.build_step(config)
  for row in read_log(tmp_path / LOG_NAME):
    flops = step_flops(step, state, 4, unfrozen=row['step'] > 3)
    np.testing.assert_allclose(
        row['mfu'], flops * row['pairs_per_second'] / 4 / 4e9, rtol=1e-6)
  monkeypatch.undo()
  unknown = throughput.Utilization(step, state, 4, 3)
  assert unknown(1, 1.0) == {}
