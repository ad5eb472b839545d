"""What the package promises from outside."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import pytest

import siamkpn_jax
from siamkpn_jax.checkpoints.weights_file import save_weights_file
from siamkpn_jax.models.siamkpn import build_model, init_variables
from tests.optional import import_or_skip
from tests.training.tiny import tiny_config

ROOT = Path(__file__).parents[1]


def test_public_api():
  """The names, and a clear error for others."""
  for name in siamkpn_jax.__all__:
    assert getattr(siamkpn_jax, name).__name__ == name
  with pytest.raises(AttributeError, match='nonsense'):
    _ = siamkpn_jax.nonsense


@pytest.mark.parametrize('module', ['track', 'evaluate', 'score', 'compare',
                                    'tracking.batch_tracker', 'trax'])
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


def test_no_orbax_for_a_weights_file(tmp_path):
  """Which saves its import, and works where it is broken or missing."""
  config = tiny_config()
  variables = jax.jit(lambda key: init_variables(
      build_model(config.model), key))(jax.random.key(0))
  path = tmp_path / 'model.safetensors'
  save_weights_file(path, config, variables, {})
  code = ('import sys; sys.modules["orbax"] = None; import siamkpn_jax; '
          'from siamkpn_jax.evaluation.run.load import load_batch_tracker; '
          'siamkpn_jax.load_tracker(sys.argv[1]); '
          'load_batch_tracker(sys.argv[1], [3]); '
          'assert not [m for m in sys.modules if m.startswith("orbax.")]')
  subprocess.run([sys.executable, '-c', code, path], check=True, cwd=ROOT)


def test_wheel_holds_the_weights(tmp_path):
  """Whatever lies in their folder, besides every module."""
  import_or_skip('setuptools', 'needs setuptools: it builds the package')
  for name in ('setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
    shutil.copy(ROOT / name, tmp_path)
  package = tmp_path / 'siamkpn_jax'
  shutil.copytree(ROOT / 'siamkpn_jax', package,
                  ignore=shutil.ignore_patterns('__pycache__'))
  (package / 'weights' / 'one_more.safetensors').write_bytes(b'weights')
  wanted = {str(path.relative_to(tmp_path)) for path in package.rglob('*')
            if path.is_file()}
  code = 'from setuptools import build_meta; build_meta.build_wheel(".")'
  subprocess.run([sys.executable, '-c', code], check=True, cwd=tmp_path,
                 capture_output=True)
  (wheel,) = tmp_path.glob('*.whl')
  with zipfile.ZipFile(wheel) as file:
    found = {n for n in file.namelist() if n.startswith('siamkpn_jax/')}
    assert file.read('siamkpn_jax/weights/one_more.safetensors') == b'weights'
  assert found == wanted
