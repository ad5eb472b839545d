"""What the package promises from outside."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from siamkpn_jax.checkpoints.weights_file import save_weights_file
from siamkpn_jax.models.siamkpn import build_model, init_variables
from tests.optional import import_or_skip
from tests.training.tiny import tiny_config

ROOT = Path(__file__).parents[1]


# What only training, evaluation and development need: extras of setup.cfg.
_OPTIONAL = ('optax', 'orbax', 'ml_collections', 'tensorboardX', 'fsspec',
             'matplotlib', 'tensorflow', 'tensorflow_datasets', 'torch',
             'optuna')


def test_tracking_needs_no_extra(tmp_path):
  """The commands that track and score start without them; a video is tracked.

  One that needs an extra says which, in one line.
  """
  code = f'''
import sys
sys.modules.update(dict.fromkeys({_OPTIONAL}))
from siamkpn_jax import compare, evaluate, inspect, load_benchmark, score, track
from siamkpn_jax import trax, load_tracker
import siamkpn_jax.track as track_command, siamkpn_jax.train as unused
import siamkpn_jax.tracking.batch_tracker, siamkpn_jax.evaluation.run.evaluation
from siamkpn_jax.datasets import synthetic

synthetic.write_otb('.', seed=0, count=1, length=3)
code = track_command.main(['--input=synthetic_000/img', '--box=50,50,40,40',
                           '--boxes=boxes.txt'])
assert code == 0, code
assert len(open('boxes.txt').readlines()) == 3
import siamkpn_jax.cli.siamkpn as siamkpn
sys.exit(siamkpn.main(['train', '--config=demo', '--workdir=new']))
'''
  done = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True,
      check=False, cwd=tmp_path, env=os.environ | {'PYTHONPATH': str(ROOT)})
  assert done.returncode == 2, done.stderr
  assert done.stderr.splitlines()[-1] == (
      'error: this command needs the package ml_collections, which is not '
      "installed: pip install 'siamkpn_jax[train]'")


def test_the_training_loop_needs_no_tensorflow_and_no_matplotlib():
  """It draws a page only; machines made for training may lack it."""
  code = ('import sys; sys.modules.update(dict.fromkeys('
          '["tensorflow", "matplotlib"])); import pathlib, siamkpn_jax.export; '
          'import siamkpn_jax.training.trainer as trainer; '
          'trainer._write_page(pathlib.Path("nowhere"))')
  subprocess.run([sys.executable, '-c', code], check=True, timeout=120,
                 cwd=ROOT)


def test_no_orbax_for_a_weights_file(tmp_path):
  """Which saves its import, and works where it is broken or missing."""
  config = tiny_config()
  variables = init_variables(build_model(config.model), 0)
  path = tmp_path / 'model.safetensors'
  save_weights_file(path, config, variables, {})
  code = ('import sys; sys.modules["orbax"] = None; import siamkpn_jax; '
          'from siamkpn_jax.evaluation.run.load import load_for_sequences; '
          'siamkpn_jax.load_tracker(sys.argv[1]); '
          'load_for_sequences(sys.argv[1], [3]); '
          'assert not [m for m in sys.modules if m.startswith("orbax.")]')
  subprocess.run([sys.executable, '-c', code, path], check=True, cwd=ROOT)


def test_wheel(tmp_path):
  """Every module, all weights and configurations, in use outside of here."""
  import_or_skip('setuptools', 'needs setuptools: it builds the package')
  source, home = tmp_path / 'source', tmp_path / 'home'
  source.mkdir()
  for name in ('setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
    shutil.copy(ROOT / name, source)
  package = source / 'siamkpn_jax'
  shutil.copytree(ROOT / 'siamkpn_jax', package,
                  ignore=shutil.ignore_patterns('__pycache__'))
  (package / 'weights' / 'one_more.safetensors').write_bytes(b'weights')
  wanted = {str(path.relative_to(source)) for path in package.rglob('*')
            if path.is_file()}
  code = 'from setuptools import build_meta; build_meta.build_wheel(".")'
  subprocess.run([sys.executable, '-c', code], check=True, cwd=source,
                 capture_output=True)
  (wheel,) = source.glob('*.whl')
  with zipfile.ZipFile(wheel) as file:
    file.extractall(home)
  assert wanted == {str(path.relative_to(home)) for path in home.rglob('*')
                    if path.is_file() and path.relative_to(
                        home).parts[0] == 'siamkpn_jax'}
  assert {'siamkpn_jax/py.typed', 'siamkpn_jax/configs/demo.py',
          'siamkpn_jax/weights/one_more.safetensors'} <= wanted
  (entry,) = home.glob('*.dist-info/entry_points.txt')
  assert 'siamkpn = siamkpn_jax.cli.siamkpn:program' in entry.read_text()
  # The data of kpn3s_nano are missing here: its configuration was found.
  code = ('import siamkpn_jax.cli.siamkpn as it; '
          'it.main(["train-demo", "--config.seed=x"]); '
          'it.main(["train", "--config", "kpn3s_nano"])')
  done = subprocess.run(
      [sys.executable, '-c', code], check=True, cwd=tmp_path, text=True,
      capture_output=True, env=os.environ | {'PYTHONPATH': str(home)})
  first, second = done.stderr.splitlines()
  assert 'config.seed=x' in first and 'no such file' not in first
  assert 'data sets not found' in second


def test_what_the_image_is_built_of():
  """What is copied is there, let through, and enough to install from."""
  text = (ROOT / 'Dockerfile').read_text()
  copied = [name for line in re.findall(r'^COPY (.*) \S+$', text, re.MULTILINE)
            for name in line.split()]
  let_through = {line[1:] for line in (
      ROOT / '.dockerignore').read_text().split() if line.startswith('!')}
  assert let_through == {*copied}
  assert all((ROOT / name).exists() for name in copied)
  for name in re.findall(r'file: (\S+)', (ROOT / 'setup.cfg').read_text()):
    assert name in copied
  assert text.index('\nUSER siamkpn') < text.index('\nENTRYPOINT')
  assert '\nSTOPSIGNAL SIGINT\n' in text  # as process 1 it ignores SIGTERM
