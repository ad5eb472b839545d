"""What the package promises from outside."""

import subprocess
import sys

import pytest

import siamkpn_jax


def test_public_api():
  """The three names, and a clear error for others."""
  for name in siamkpn_jax.__all__:
    assert getattr(siamkpn_jax, name).__name__ == name
  with pytest.raises(AttributeError, match='nonsense'):
    _ = siamkpn_jax.nonsense


@pytest.mark.parametrize('module', ['track', 'evaluate', 'score', 'compare',
                                    'tracking.lockstep', 'benchmarks.trax'])
def test_no_configuration_library(module):
  """A checkpoint is tracked with and scored without ml_collections."""
  code = ('import sys; sys.modules["ml_collections"] = None; '
          f'import siamkpn_jax.{module}')
  subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('module', ['track', 'evaluate', 'training.trainer'])
def test_no_tensorflow(module):
  """Tracking, evaluation and the training loop work without TensorFlow."""
  code = ('import sys; sys.modules["tensorflow"] = None; '
          f'import siamkpn_jax.{module}')
  subprocess.run([sys.executable, '-c', code], check=True)
