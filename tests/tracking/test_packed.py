"""Variables as few arrays."""

import jax
import numpy as np

from siamkpn_jax.tracking.packed import pack_variables, unpack_variables


def test_variables_come_back():
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
  variables = {'params': {
      'a': {'kernel': draw(1, 1, 2, 3), 'bias': draw(3)},
      'b': {'bias': draw(2), 'kernel': draw(3, 3, 1, 2)},
      'c': {'matrix': draw(2, 2)}}}
  packed = pack_variables(jax.device_put(variables))
  assert len(jax.tree.leaves(packed)) == 1 + 3
  assert packed.biases.shape == (5,)
  back = jax.jit(unpack_variables)(packed)
  jax.tree.map(np.testing.assert_array_equal, back, variables)
