"""The public API: its examples run, and its names mean what they say."""

import dataclasses
import doctest
import functools
import importlib
import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import siamkpn_jax
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import write_otb
from siamkpn_jax.tracking.targets import TrackResult

# Also entry points.
CLASHING = ['train', 'evaluate', 'score', 'convert', 'export']
FUNCTIONS = [name for name in siamkpn_jax.__all__
             if inspect.isfunction(getattr(siamkpn_jax, name))]
CLASSES = sorted({*siamkpn_jax.__all__} - {*FUNCTIONS, 'Config', 'UserError'})


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
  """Every parameter has a type, and a line in the docstring."""
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


class Recorder:
  """Stands in for functions of a module; notes what they are given."""

  def __init__(self, monkeypatch, module, **answers):
    self.given = {}
    for name, answer in answers.items():
      monkeypatch.setattr(f'siamkpn_jax.{module}.{name}',
                          functools.partial(self._note, name, answer))

  def _note(self, name, answer, *args, **kwargs):
    self.given[name] = (args, kwargs)
    return answer


def test_evaluate_passes_everything_on(monkeypatch):
  run = Recorder(monkeypatch, 'evaluation.run.evaluation', run={'a': 1},
                 make_plan=types.SimpleNamespace(left=lambda: []))
  loads = Recorder(monkeypatch, 'evaluation.run.load',
                   load_for_sequences=('tracker', 'details'))
  assert siamkpn_jax.evaluate(
      'otb', 'data', 'output', weights='weights', protocol='pysot',
      sequences=['Ball'], zero_based=['Car'], batch=3,
      hyperparameters={'penalty_k': 0.3}, engine='onnxruntime',
      precision='int8', long_term=True) == {'a': 1}
  ((request,), _) = run.given['make_plan']
  assert dataclasses.astuple(request) == (
      'otb', Path('data'), Path('output'), 'pysot', ('Ball',), ('Car',), (0, 1))
  assert loads.given['load_for_sequences'] == (('weights', []), {
      'batch': 3, 'hyperparameters': {'penalty_k': 0.3},
      'engine': 'onnxruntime', 'precision': 'int8', 'long_term': True})
  (_, *passed), remarks = run.given['run']
  assert passed == ['tracker', 'details']
  assert remarks == {'remarks': {'checkpoint': 'weights'}}


def test_score_passes_everything_on(monkeypatch):
  scoring = Recorder(monkeypatch, 'evaluation.scoring', score={'a': 1})
  assert siamkpn_jax.score(
      'otb', 'annotations', 'results', protocol='pysot', attributes='att',
      sequences=['Ball'], shift=1) == {'a': 1}
  ((request,), _) = scoring.given['score']
  assert dataclasses.astuple(request) == (
      'otb', Path('annotations'), Path('results'), 'pysot', Path('att'),
      ('Ball',), 1, {})


def test_export_passes_everything_on(monkeypatch):
  run = Recorder(monkeypatch, 'tracking.export.run', export=None)
  assert siamkpn_jax.export(
      'weights', 'output', format='onnx', precision='int8', batch='1',
      overwrite=True, hyperparameters={'size_lr': 0.5}) == Path('output')
  assert run.given['export'] == (('weights', 'output', 'onnx'), {
      'overwrite': True, 'tracking': {'size_lr': 0.5}, 'precision': 'int8',
      'batch': '1'})


def test_convert_passes_everything_on(monkeypatch):
  run = Recorder(monkeypatch, 'conversion.run', to_jax=None, to_torch=None)
  siamkpn_jax.convert('source', 'output', part='backbone', config='kpn1s')
  (*paths, settings), _ = run.given.pop('to_jax')
  assert paths == [Path('source'), Path('output'), 'backbone']
  assert settings.model.num_stages == 1
  siamkpn_jax.convert('source', 'output', to='torch', part='backbone')
  assert run.given == {'to_torch': ((*paths,), {})}


@pytest.mark.parametrize('resume', [False, True])
def test_train_passes_everything_on(monkeypatch, resume):
  Recorder(monkeypatch, 'datasets.catalog', open_sources='sources')
  trainer = Recorder(monkeypatch, 'training.trainer', train=None)
  siamkpn_jax.train('demo', 'workdir', overrides=['train.batch_size=6'],
                    resume=resume)
  (config, *passed), options = trainer.given['train']
  assert config.model.arch == 'resnet10' and config.train.batch_size == 6
  assert passed == [Path('workdir'), 'sources']
  assert options == {'resume': resume}


def test_track_video_passes_everything_on(monkeypatch, tmp_path):
  (name,) = write_otb(tmp_path, seed=0, count=1, length=3)
  class Still:
    def add(self, frame, box_xywh, *, replace):
      self.box_xywh = box_xywh
      return 7

    def update(self, frame):
      return {7: TrackResult(True, self.box_xywh, 0.5)}

    def heatmaps(self, target):
      return 'seen'

    def search_crop(self, target):
      return 'crop'

  loads = Recorder(monkeypatch, 'tracking.load', load_for_targets=Still())
  (first, last) = siamkpn_jax.track_video(
      tmp_path / name, (50, 51, 40, 30), weights='weights',
      engine='onnxruntime', precision='int8', start_frame=2, heatmaps=True,
      long_term=True, penalty_k=0.3)
  assert (first.number, last.number) == (2, 3)
  assert first.targets[1].box_xywh.tolist() == [50, 51, 40, 30]
  assert first.sights == {1: ('seen', 'crop')}
  assert loads.given['load_for_targets'] == (('weights', 1), {
      'engine': 'onnxruntime', 'precision': 'int8', 'every_stage': True,
      'long_term': True, 'penalty_k': 0.3})


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
