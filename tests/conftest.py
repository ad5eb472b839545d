"""Set-up of all tests: four virtual CPU devices, and the real data.

Compiling takes most of the time, so the compiler is told to hurry, except in
modules that use the fixture `optimized`.
"""

import functools
import os
import signal
from pathlib import Path

import jax
import pytest

from tests import commands

# As siamkpn_jax.tracking.video does, which a test may import too late.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
os.environ['SIAMKPN_CACHE'] = 'off'  # a test keeps nothing for the next one
jax.config.update('jax_num_cpu_devices', 4)
jax.config.update('jax_disable_most_optimizations', True)


def pytest_configure(config: pytest.Config) -> None:
  """Programs that several tests compile are compiled once, and kept."""
  if config.pluginmanager.hasplugin('cacheprovider'):
    jax.config.update('jax_compilation_cache_dir', str(
        config.cache.mkdir('jax')))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


@pytest.fixture(scope='module')
def optimized():
  """A module's programs are as users have them, where rounding matters."""
  jax.clear_caches()
  jax.config.update('jax_disable_most_optimizations', False)
  yield
  jax.clear_caches()
  jax.config.update('jax_disable_most_optimizations', True)


@pytest.fixture(scope='session')
def compilation_cache(tmp_path_factory) -> Path:
  """The folder of compiled programs, for processes that tests start."""
  return Path(jax.config.jax_compilation_cache_dir or
              tmp_path_factory.mktemp('jax'))


@pytest.fixture(scope='session')
def real_data() -> Path:
  """The folder of real data beside the repository; skips where it is unset."""
  folder = os.environ.get('SIAMKPN_TEST_DATA')
  if not folder:
    pytest.skip('needs real data: set SIAMKPN_TEST_DATA to its folder')
  return Path(folder)


@pytest.fixture
def command(capfd):
  """command('track', '--input', ...): runs it here; see tests/commands.py."""
  return functools.partial(commands.run, capfd)


@pytest.fixture
def ctrl_c_interrupts():
  """As at a terminal; background jobs start with the signal ignored."""
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  yield
  assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
  signal.signal(signal.SIGINT, before)
