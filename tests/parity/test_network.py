"""Every block against the PyTorch reference, and against its golden values."""

import functools

import jax
import numpy as np
import pytest

from tests.models.capture import TOLERANCE, assert_close, run_captured
from tests.optional import import_or_skip
from tests.parity import crops, networks
from tests.parity.summaries import largest_error, summarize

pytestmark = pytest.mark.usefixtures('optimized')


@functools.cache
def ours(name, num_stages):
  """Predictions, and {released module name: outputs in order of the calls}."""
  model, variables = networks.jax_network(name, num_stages)
  z, x = (part[:1].astype(np.float32) for part in crops.crops())
  maps, blocks = jax.device_get(jax.jit(
      functools.partial(run_captured, model))(variables, z, x))
  return maps, {
      networks.module_name(path, list(model.levels)): [
          networks.nchw(value) for value in values]
      for path, values in blocks.items()
      if '/' in path and not path.endswith(('/conv', '/bn'))}


@pytest.mark.parametrize(('name', 'num_stages'), networks.CASES)
def test_equals_golden(name, num_stages):
  """Without PyTorch: eight numbers of every block, and the whole maps."""
  maps, blocks = ours(name, num_stages)
  golden = networks.golden(f'network/{name}{num_stages}')
  assert {key for key in golden if not key.startswith('maps/')} == set(blocks)
  for key, expected in golden.items():
    if key.startswith('maps/'):
      actual = networks.nchw(getattr(maps[-1], key.removeprefix('maps/')))
      assert_close(actual, expected, key)
      continue
    assert len(blocks[key]) == len(expected), key
    for value, summary in zip(blocks[key], expected, strict=True):
      error = largest_error(summarize(value), summary)
      assert error < TOLERANCE, f'{key}: {error:.1e}'


@pytest.mark.parametrize(('name', 'num_stages'), networks.CASES)
def test_equals_pytorch(name, num_stages):
  """Whole arrays, both crops, within 1e-4 of the largest value."""
  torch = import_or_skip('torch', 'the reference is in PyTorch')
  from tests.reference import torch_network
  from tests.reference.torch_tracker import to_tensor
  maps, blocks = ours(name, num_stages)
  model = networks.torch_network(name, num_stages)
  with torch.no_grad():
    expected, activations = torch_network.record(
        model, *(to_tensor(part[:1]) for part in crops.crops()))
  assert set(activations) == set(blocks)
  for module, values in activations.items():
    assert len(values) == len(blocks[module]), module
    for actual, value in zip(blocks[module], values, strict=True):
      assert_close(actual, value.numpy(), module)
  for stage, expected_stage in zip(maps, expected, strict=True):
    for task, value in expected_stage.items():
      assert_close(networks.nchw(getattr(stage, task)), value.numpy(), task)
