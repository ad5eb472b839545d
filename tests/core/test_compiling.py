"""`Jitted`: the options of the device, and none where there can be none."""

import jax
import jax.numpy as jnp
import pytest

from siamkpn_jax.core import compiling
from siamkpn_jax.core.compiling import Jitted


@pytest.fixture
def fresh():
  compiling._options.cache_clear()
  yield
  compiling._options.cache_clear()


def test_options_that_this_xla_knows():
  """All of them: else a frame would silently take longer."""
  assert compiling._options() == compiling._CPU_OPTIONS


def test_unknown_option_is_left_out(fresh, monkeypatch):
  monkeypatch.setitem(compiling._CPU_OPTIONS, 'xla_cpu_of_another_year', 1)
  assert 'xla_cpu_of_another_year' not in compiling._options()
  assert Jitted(lambda x: x + 1)(1) == 2


def test_wrong_value_is_an_error(fresh, monkeypatch):
  monkeypatch.setitem(
      compiling._CPU_OPTIONS, 'xla_cpu_prefer_vector_width', 'wide')
  with pytest.raises(jax.errors.JaxRuntimeError):
    compiling._options()


def test_other_devices_get_none(fresh, monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert compiling._options() is None


def test_in_another_transformation():
  double = Jitted(lambda x, by: by * x, static_argnames='by')
  assert double(3, by=2) == 6
  assert jax.jit(lambda x: double(x, by=2))(3) == 6
  assert jax.grad(lambda x: double(x, by=2))(3.0) == 2
  assert jax.vmap(lambda x: double(x, by=2))(jnp.arange(3)).tolist() == [
      0, 2, 4]
  assert double.lower(3.0, by=2).compile()(3.0) == 6
