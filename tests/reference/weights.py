"""Random weights of realistic spread under the released names.

Drawn by numpy's RandomState, whose stream is frozen, from sorted names: the
same seed gives the same network with and without PyTorch. The scale of every
layer's output on photographs is given, so that activations stay in the order of
1 and the maps look like a trained network's; the head's kernels are near the
identity, so that the heatmap is high where search and template are alike.
"""

import numpy as np

OUTPUTS = {  # mean and spread of the maps
    'heatmap': (-3.0, 0.15), 'offsets': (0.0, 0.02), 'objsize': (64.0, 3.0)}


def random_state(shapes, seed, scales):
  """Random arrays for the names of a state dict, without the counters.

  Args:
    shapes: {name: shape}.
    seed: of the random numbers.
    scales: {module: root mean square of what the convolution before a
      normalization gives, or spread of what an output convolution gives}.
  """
  rng = np.random.RandomState(seed)
  return {name: _draw(rng, name, shapes[name], scales).astype(np.float32)
          for name in sorted(shapes) if 'num_batches' not in name}


def _draw(rng, name, shape, scales):
  module, _, leaf = name.rpartition('.')
  scale = scales.get(module, 1.0)
  if leaf == 'running_mean':
    return rng.normal(0, 0.3, shape) * scale
  if leaf == 'running_var':
    return rng.uniform(0.5, 2, shape) * scale**2
  if name.endswith('_weight'):  # of the levels
    return rng.normal(1, 0.5, shape)
  if is_output(module):
    mean, spread = OUTPUTS[name.split('.')[2]]
    if leaf == 'bias':
      return mean + rng.normal(0, 0.2 * spread, shape)
    weight = rng.normal(0, spread / scale, shape)
    return abs(weight) if mean < 0 else weight  # alike: the target is there
  if leaf == 'bias':
    return rng.normal(0, 0.2, shape)
  if len(shape) == 1:
    return rng.uniform(0.5, 1.5, shape)
  weight = rng.normal(0, np.prod(shape[1:])**-0.5, shape)
  if name.startswith('kpn_head'):
    weight *= 0.3
    weight[:, :, shape[2] // 2, shape[3] // 2] += np.eye(*shape[:2])
  if shape[2] > 1 and not name.startswith('backbone.layer'):
    weight -= weight.mean(axis=(2, 3), keepdims=True)  # sees structure only
  return weight


def is_output(module):
  """Whether a module is one of the head's output convolutions."""
  return '.head' in module and module.endswith('.1')
