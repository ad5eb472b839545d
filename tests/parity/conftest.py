"""Programs as users have them, where rounding matters."""

import jax
import pytest


@pytest.fixture(scope='module')
def optimized():
  """A module's programs are not compiled in a hurry, as those of others are."""
  jax.clear_caches()
  jax.config.update('jax_disable_most_optimizations', False)
  yield
  jax.clear_caches()
  jax.config.update('jax_disable_most_optimizations', True)
