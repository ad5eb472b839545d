"""The public API: its examples run, and its names mean what they say."""

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import siamkpn_jax
from siamkpn_jax.core.errors import UserError

# Also entry points.
CLASHING = ['train', 'evaluate', 'score', 'convert', 'export']
FUNCTIONS = [
    *CLASHING, 'load_batch_tracker', 'load_benchmark', 'load_tracker',
    'packaged_weights', 'use_compilation_cache']
CLASSES = ['BatchTracker', 'SiamKPN', 'Tracker']


def test_the_error_of_users_can_be_caught():
  assert siamkpn_jax.UserError is UserError
  assert 'UserError' in siamkpn_jax.__all__


def test_names():
  """Each is there, and a clear error for others."""
  for name in siamkpn_jax.__all__:
    assert getattr(siamkpn_jax, name).__name__ == name
    assert name in dir(siamkpn_jax)
  with pytest.raises(AttributeError, match='nonsense'):
    _ = siamkpn_jax.nonsense


@pytest.mark.filterwarnings('default')  # of Orbax
@pytest.mark.parametrize('name', [
    pytest.param('train', marks=pytest.mark.slow),
    *(name for name in FUNCTIONS + CLASSES if name != 'train')])
def test_example(name, monkeypatch, tmp_path):
  """What the docstring shows is what comes out."""
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  function = getattr(siamkpn_jax, name)
  tests = doctest.DocTestFinder().find(function, name, globs={})
  runner = doctest.DocTestRunner()
  assert tests[0].examples
  for test in tests:
    runner.run(test)
  assert not runner.failures


@pytest.mark.parametrize('name', FUNCTIONS)
def test_typed_and_documented(name):
  function = getattr(siamkpn_jax, name)
  signature = inspect.signature(function)
  assert signature.return_annotation is not inspect.Signature.empty
  for parameter in signature.parameters.values():
    assert parameter.annotation is not inspect.Parameter.empty
    assert re.search(rf'    (\*\*)?{parameter.name}: ', function.__doc__)


@pytest.mark.parametrize('name', CLASHING)
def test_name_of_a_function_and_of_an_entry_point(name):
  """`import siamkpn_jax.train` makes the module no attribute."""
  module = importlib.import_module(f'siamkpn_jax.{name}')
  assert sys.modules[f'siamkpn_jax.{name}'] is module
  assert callable(module.main)
  importlib.reload(module)
  scope = {}
  exec(f'import siamkpn_jax.{name}\nfrom siamkpn_jax import {name}', scope)
  assert inspect.isfunction(scope[name])
  assert inspect.isfunction(getattr(siamkpn_jax, name))


def test_names_after_a_command():
  """Also where the entry point was imported before anything else."""
  code = ('import siamkpn_jax.train, siamkpn_jax.score; '
          'siamkpn_jax.__dict__.get("train") is None or exit("attribute"); '
          'import siamkpn_jax.cli.train; '
          'from siamkpn_jax import score, train; '
          'train.__module__ == score.__module__ == "siamkpn_jax.api" '
          'or exit("module"); import siamkpn_jax.train as again; '
          'again is train or exit("as")')
  subprocess.run([sys.executable, '-c', code], check=True,
                 cwd=Path(__file__).parents[1])


def test_mistakes(tmp_path):
  with pytest.raises(UserError, match='chess.*expected one of'):
    siamkpn_jax.score('chess', tmp_path, tmp_path)
  with pytest.raises(UserError, match='chess.*expected one of'):
    siamkpn_jax.load_benchmark('chess', tmp_path)
  with pytest.raises(UserError, match="to='onnx': expected"):
    siamkpn_jax.convert(tmp_path, tmp_path / 'x', to='onnx')


@pytest.mark.parametrize(('call', 'words'), [
    (lambda path: siamkpn_jax.train(
        siamkpn_jax.Config(), path, overrides=['train.epochs=1']),
     'overrides: only with the name or path'),
    (lambda path: siamkpn_jax.convert('kpn3s_nano', path / 'a.npz', to='torch',
                                      part='head'),
     "part='head': expected 'network' or 'backbone'"),
    (lambda path: siamkpn_jax.score('otb', path, path, shift=float('nan')),
     'expected a finite number of pixels')])
def test_arguments_that_do_not_fit(call, words, tmp_path):
  with pytest.raises(UserError, match=words):
    call(tmp_path)
  assert not list(tmp_path.iterdir())
