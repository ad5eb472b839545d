"""What is stored of a state, and what may differ when it is read again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.config.settings import to_plain
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training.state import TrainState, from_items, to_items
from tests.training.tiny import tiny_config


def some_state(**changes):
  """A state with the structure of a real one and few numbers."""
  count = lambda k: jnp.asarray(k, jnp.int32)
  fields = {
      'step': count(7), 'skipped': count(2),
      'params': {'head': jnp.arange(16.0).reshape(2, 8)},
      'batch_stats': {'head': jnp.ones(3)},
      'opt_state': {'mu': -jnp.arange(16.0).reshape(2, 8), 'count': count(5)}}
  return TrainState(**fields | changes)


def save(folder, state, config):
  with Checkpoints(folder, config, keep=1) as checkpoints:
    checkpoints.save(int(state.step), to_items(state))


def restore(folder, like, config):
  placement = sharding.replicated(sharding.data_mesh(4))
  abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=placement), like)
  with Checkpoints(folder, config, keep=1) as checkpoints:
    return from_items(checkpoints.restore(to_items(abstract)))


def assert_equal(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  jax.tree.map(np.testing.assert_array_equal, a, b)


def test_settings_added_later_had_their_defaults(tmp_path):
  """A checkpoint from before a setting existed can be continued with it."""
  config = tiny_config()
  older = to_plain(config)
  del older['train']['accumulate']
  older['data']['grey_fraction'] = older['data'].pop('gray_fraction')
  state = some_state()
  save(tmp_path, state, older)
  assert_equal(restore(tmp_path, state, config), state)
  changed = config.updated(train={'accumulate': 2})
  with pytest.raises(UserError, match='accumulate is 1 there, 2 here'):
    restore(tmp_path, state, changed)


def test_free_settings_may_change(tmp_path):
  """How a step is computed is not what makes a run."""
  config, state = tiny_config(), some_state()
  save(tmp_path, state, config)
  other = config.updated(train={'remat': 'blocks', 'shard_optimizer': True})
  assert_equal(restore(tmp_path, state, other), state)
  save(tmp_path / 'other', state, other)
  assert_equal(restore(tmp_path / 'other', state, config), state)
