"""A run that nothing has stopped, once in a process for all that need it."""

import pytest

from tests.training.processes import environment
from tests.training.survival.runs import whole_run


@pytest.fixture(scope='session')
def env(compilation_cache):
  """Of a process with one device."""
  return environment(compilation_cache, JAX_NUM_CPU_DEVICES='1')


@pytest.fixture(scope='session')
def uninterrupted(tmp_path_factory, env):
  """Its workdir."""
  return whole_run(tmp_path_factory.mktemp('uninterrupted'), env)
