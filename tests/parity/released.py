"""What the authors' program computes, and the weights that it computed it with.

The numbers lie in the real data's `released_goldens` (its README has the rule
by which the weights are drawn from their names). They are independent of this
package and of SPEC.md: nothing but the rule is repeated here.
"""

import functools
import zlib

import numpy as np

from siamkpn_jax.conversion.names import name_table
from siamkpn_jax.conversion.variables import to_variables
from siamkpn_jax.models.siamkpn import SiamKPN

FRAMES = 'davis_car-shadow'


@functools.cache
def load(folder, name):
  """{array name: array} of one of the files."""
  with np.load(folder / 'released_goldens' / f'{name}.npz') as arrays:
    return {key: arrays[key] for key in arrays.files}


def state_dict(folder, num_stages):
  """{released name: array} of the network of 1, 2 or 3 stages."""
  golden = load(folder, f'kpn{num_stages}s')
  shapes = {entry.key: entry.shape
            for entry in name_table(SiamKPN(num_stages=num_stages))}
  return {name: golden[f'bn/{name}'] if 'running' in name else
          _draw(name, shape) for name, shape in shapes.items()}


def network(folder, num_stages):
  """The model, its released names, and its variables."""
  model = SiamKPN(num_stages=num_stages)
  table = name_table(model)
  return model, table, to_variables(state_dict(folder, num_stages), table)[0]


def _draw(name, shape):
  stream = np.random.PCG64(zlib.crc32(name.encode()))
  x = np.random.Generator(stream).standard_normal(shape)
  output = '.head' in name and name.endswith(('.1.weight', '.1.bias'))
  if len(shape) == 4:
    x = (x * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
    factors = {'heatmap': 0.5, 'offsets': 0.1, 'objsize': 1}
    return x * np.float32(factors[name.split('.')[2]]) if output else x
  if output:
    x = 0.1 * x + (64 if name.split('.')[2] == 'objsize' else 0)
  elif name.endswith('_weight'):  # of the levels
    x = 1 + 0.3 * x
  elif name.endswith('weight'):
    x = np.clip(1 + 0.15 * x, 0.5, 1.5)
  else:
    x = 0.1 * x
  return x.astype(np.float32)
