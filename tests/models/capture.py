"""All activations of a network, and their comparison."""

import flax
import numpy as np

TOLERANCE = 1e-4  # relative to the largest value of the compared array


def assert_close(actual, expected, what, tolerance=TOLERANCE):
  """Compares relative to the largest value."""
  actual, expected = np.asarray(actual), np.asarray(expected)
  assert actual.shape == expected.shape, what
  error = np.abs(actual - expected).max() / np.abs(expected).max()
  assert error < tolerance, f'{what}: relative error {error:.2e}'


def run_captured(model, variables, z, x):
  """Predictions, and {path: outputs in order of the calls} of every block."""
  recorded = lambda unused_module, method: method in (
      '__call__', 'template', 'search')
  maps, state = model.apply(
      variables, z, x, train=False, capture_intermediates=recorded,
      mutable=['intermediates'])
  flat = flax.traverse_util.flatten_dict(state['intermediates'], sep='/')
  blocks = {}
  for path, values in flat.items():
    if path.endswith('/__call__'):
      blocks[path.removesuffix('/__call__')] = values
    elif '_stage' in path and path.endswith('/search'):
      blocks[path.removesuffix('search') + 'response'] = [
          response for response, _ in values]
  return maps, blocks
