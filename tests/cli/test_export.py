"""`python -m siamkpn_jax.export` with good and with bad flags."""

import functools
import re

import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.cli import export as export_command
from siamkpn_jax.cli.command import execute
from siamkpn_jax.core.announce import announced
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.tracking.export.run import portable
from siamkpn_jax.training.state import TrainState, to_items
from tests.training.tiny import tiny_config


@pytest.fixture
def export(command):
  return functools.partial(command, 'export')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A run of 12 steps whose moving averages differ from its weights."""
  folder = tmp_path_factory.mktemp('run')
  config = tiny_config(data={'root': '/secret/data'})
  model = build_model(config.model)
  first, average = (init_variables(model, seed) for seed in (0, 1))
  zero = jax.numpy.zeros((), 'int32')
  with Checkpoints(folder, config, keep=1) as checkpoints:
    checkpoints.save(12, to_items(TrainState(
        zero, zero, first['params'], first['batch_stats'],
        opt_state={'count': zero}, ema=average)))
  return folder, average


@pytest.mark.filterwarnings('default')  # of Orbax
def test_export(export, trained, tmp_path):
  """The averages, in a file that tells where it comes from, kept if there."""
  folder, average = trained
  output = tmp_path / 'model.safetensors'
  flags = ['--weights', folder, '--output', output]
  done = export(*flags, '--command', 'train it')
  assert done.returncode == 0, done.stderr
  assert f'{output.stat().st_size:,} bytes' in done.stdout
  count = sum(leaf.size for leaf in jax.tree.leaves(average['params']))
  assert f'parameters      {count:,}, plus' in done.stdout
  error = float(re.search(r'rounding error  at most (\S+)', done.stdout)[1])
  assert 1e-4 < error <= 2**-11
  config, variables = weights.load_model(output)
  jax.tree.map(functools.partial(
      np.testing.assert_allclose, rtol=1e-3, atol=1e-3), variables, average)
  assert config == portable(weights.load_model(folder)[0])
  origin = weights.read_origin(output)
  assert origin['step'] == '12' and origin['command'] == 'train it'
  assert re.match('[0-9a-f]{40}|version', origin['git_revision'])
  assert b'secret' not in output.read_bytes()

  before = output.read_bytes()
  again = export(*flags)
  assert again.returncode == 2 and again.stderr.count('\n') == 1
  assert 'already exists' in again.stderr and output.read_bytes() == before
  done = export('--weights', output, '--output', output, '--overwrite',
                 '--command', 'another', '--tracking', 'size_lr=0.07')
  assert done.returncode == 0, done.stderr
  assert 'rounding error  at most 0.00e+00' in done.stdout
  assert weights.read_origin(output) == origin | {'command': 'another'}
  assert weights.load_model(output)[0] == config.updated(
      tracking={'size_lr': 0.07})


def test_places_of_the_machine_are_left_out():
  config = tiny_config(validation={'sequences': 8})
  for weights_ in ('weights', 'backbone_weights'):
    given = config.updated(
        model={weights_: '/a'}, data={'root': '/c'},
        validation={'data': '/d', 'rendered': 4})
    assert portable(given) == config


@pytest.mark.parametrize(('flags', 'message'), [
    (['--output', '{0}/a.safetensors'], '--weights'),
    (['--weights', '{0}'], '--output'),
    (['--weights', '', '--output', '{0}/a.safetensors'], '--weights: empty'),
    (['--weights', '{0}', '--output', ''], '--output: empty'),
    (['--weights', '{0}', '--output', '{0}/a.npz'], 'ends in .safetensors'),
    (['--weights', '{0}', '--output', '{0}/a.safetensors', '--precision',
      'float16'], '--precision float16: of --format onnx alone'),
    (['--weights', '{0}', '--output', '{0}/a.safetensors'],
     'expected the folder of a training')])
def test_mistakes(export, tmp_path, flags, message):
  done = export(*(flag.format(tmp_path) for flag in flags))
  assert done.returncode == 2 and 'Traceback' not in done.stderr
  assert message in done.stderr
  assert not list(tmp_path.iterdir())


def test_long_exports_are_announced(monkeypatch, capsys, tmp_path):
  """They compile for a while before the first line on stdout."""
  monkeypatch.setattr(export_command, 'announced',
                      functools.partial(announced, after=0))
  monkeypatch.setattr('siamkpn_jax.tracking.export.run.export',
                      lambda *args, **kwargs: 'done')
  assert execute('export', ['--weights', 'kpn3s_nano', '--output',
                            str(tmp_path / 'a.safetensors')]) == 0
  assert re.fullmatch(r'exporting \.\.\. \d+\.\d s\n',
                      capsys.readouterr().err)
