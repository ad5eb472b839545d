"""Whole conversions: folders, reports, configurations, commands."""

import functools
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.architectures import LAYERS, levels_of
from siamkpn_jax.config.files import typed
from siamkpn_jax.config.published import kpn_config
from siamkpn_jax.config.settings import Config, to_plain
from siamkpn_jax.conversion import run
from siamkpn_jax.conversion.backbones import find_backbone
from siamkpn_jax.conversion.files import sha256, write_state
from siamkpn_jax.conversion.names import name_table
from siamkpn_jax.conversion.variables import to_variables
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.training import trainer
from tests.conversion import small
from tests.conversion.small import read_state
from tests.conversion.test_backbones import torchvision_state
from tests.optional import import_or_skip
from tests.training.tiny import BlobSource, tiny_config


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  """A released checkpoint of the small network."""
  path = tmp_path_factory.mktemp('source') / 'released.npz'
  write_state(path, {f'module.{k}': v for k, v in small.state().items()})
  return path


@pytest.fixture(scope='module')
def converted(source, tmp_path_factory):
  output = tmp_path_factory.mktemp('converted') / 'deep' / 'weights'
  return output, run.to_jax(source, output, 'network')


def drop(state):
  """A state dict without PyTorch's batch counters."""
  return {k: v for k, v in state.items() if 'num_batches' not in k}


def load_config(path):
  scope = {'__file__': str(path)}
  exec(compile(path.read_text(), path, 'exec'), scope)
  return typed(scope['get_config']())


def test_checkpoint(converted):
  """The architecture is read off the names, the arrays are the file's."""
  output, _ = converted
  config, variables = load_model(output)
  assert {k: getattr(config.model, k) for k in small.SETTINGS} == small.SETTINGS
  assert config.model.head_sharing == 'per_task'
  small.assert_same_tree(
      variables, to_variables(small.state(), small.table())[0])
  assert {p.name for p in output.iterdir()} == {
      'checkpoints', 'config.py', 'conversion.json'}
  assert [p.name for p in output.parent.iterdir()] == ['weights']


def test_published_settings_by_stages(converted):
  expected = kpn_config(2, '').tracking
  tracking = load_model(converted[0])[0].tracking
  assert tracking == expected
  tracker = load_tracker(converted[0], engine='jax')
  assert tracker._batch._config.penalty_k == 0.03


def test_report(source, converted):
  output, report = converted
  stored = json.loads((output / 'conversion.json').read_text())
  assert stored['sha256'] == sha256(source) == report.sha256
  assert stored['mapped']['tensors'] == len(small.table())
  assert '2 stages' in report.text() and 'resnet18 of width 4' in report.text()
  assert f'{report.mapped.parameters:,} parameters' in report.text()


def test_written_configuration(converted):
  """It trains from the weights beside it, wherever the folder is moved."""
  config = load_config(converted[0] / 'config.py')
  assert config.model.weights == str(converted[0])
  assert config.model.num_stages == 2 and config.model.arch == 'resnet18'
  assert config.tracking.penalty_k == 0.03


def test_given_configuration(source, tmp_path):
  config = Config().updated(model=small.SETTINGS, tracking={'penalty_k': 0.5})
  run.to_jax(source, tmp_path / 'w', 'network', config)
  assert load_model(tmp_path / 'w')[0].tracking.penalty_k == 0.5
  assert config.model.weights == ''
  config = config.updated(targets={'offset_target': 'paper'})
  with pytest.raises(UserError, match=r"offset_target is 'paper', expected"):
    run.to_jax(source, tmp_path / 'v', 'network', config)
  config = config.updated(
      targets={'offset_target': 'released'},
      model={'num_stages': 3})
  with pytest.raises(UserError, match=r'num_stages is 3, the weights have 2'):
    run.to_jax(source, tmp_path / 'v', 'network', config)
  assert not (tmp_path / 'v').exists()


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors', '.npz'])
def test_round_trip(source, converted, tmp_path, suffix):
  """Bit for bit, in the released program's names."""
  if suffix == '.pth':
    import_or_skip('torch', 'reads and writes .pth')
  path = tmp_path / f'back{suffix}'
  report = run.to_torch(converted[0], path, 'network')
  small.assert_same(drop(read_state(path)), drop(read_state(source)))
  assert set(read_state(path)) == set(read_state(source))
  assert 'its backbones are 64 wide' in report.text()
  with pytest.raises(UserError, match='already exists'):  # a tracker, say
    run.to_torch(converted[0], path, 'network')


def test_the_reference_program_loads_it(converted, tmp_path):
  """Strictly, so every name, shape and counter is there."""
  torch = import_or_skip('torch', 'the reference is in PyTorch')
  from tests.reference import torch_network
  run.to_torch(converted[0], tmp_path / 'back.pth', 'network')
  settings = dict(small.SETTINGS)
  model = torch_network.SiamKPN(settings.pop('num_stages'), **settings)
  model.load_state_dict(
      torch.load(tmp_path / 'back.pth', weights_only=True), strict=True)


def save(folder, offset_target='released', **changes):
  """A checkpoint of the small network, with other settings."""
  from siamkpn_jax.checkpoints.weights import save_model
  from siamkpn_jax.models.siamkpn import build_model, init_variables
  model = small.SETTINGS | changes
  config = Config().updated(
      model=model, train={'backbone_layers': levels_of(model['arch'])},
      targets={'offset_target': offset_target})
  variables = init_variables(build_model(config.model), 0)
  save_model(folder, config, variables)
  return folder, variables


@pytest.mark.slow
def test_mean_of_levels_becomes_equal_weights(tmp_path):
  folder, _ = save(tmp_path / 'w', level_fusion='mean')
  run.to_torch(folder, tmp_path / 'w.npz', 'network')
  state = read_state(tmp_path / 'w.npz')
  assert set(state) == set(small.state())
  np.testing.assert_array_equal(state['kpn_head.objsize_weight'], [1, 1, 1])


@pytest.mark.slow
def test_setting_of_another_version(tmp_path):
  """Refused: what it meant there is not known here (once, a head's ReLU)."""
  from siamkpn_jax.checkpoints.weights import load_model, save_model
  _, variables = save(tmp_path / 'w')
  config = to_plain(Config())
  config['model'] |= small.SETTINGS | {'head_relu': False}
  save_model(tmp_path / 'old', config, variables)
  with pytest.raises(UserError, match='head_relu=False.*convert again'):
    load_model(tmp_path / 'old')
  with pytest.raises(UserError, match='head_relu=False.*convert again'):
    train_from(tmp_path, weights=str(tmp_path / 'old'))


@pytest.mark.parametrize('changes', [
    {'head_sharing': 'shared'}, {'offset_target': 'paper'}])
def test_what_the_released_program_is_not(tmp_path, changes):
  """Refused as a whole; the backbone can be written."""
  folder, variables = save(tmp_path / 'w', **changes)
  with pytest.raises(UserError, match=f'{next(iter(changes))} is'):
    run.to_torch(folder, tmp_path / 'w.npz', 'network')
  run.to_torch(folder, tmp_path / 'w.npz', 'backbone')
  state = read_state(tmp_path / 'w.npz')
  assert all(name.startswith('backbone.') for name in state)
  np.testing.assert_array_equal(
      state['backbone.bn1.running_var'],
      variables['batch_stats']['backbone']['conv1']['bn']['var'])


def test_existing_output_is_kept(source, tmp_path):
  (tmp_path / 'mine').write_text('x')
  for output in (tmp_path, tmp_path / 'mine'):
    with pytest.raises(UserError, match='already exists'):
      run.to_jax(source, output, 'network')
  assert [p.name for p in tmp_path.iterdir()] == ['mine']
  (tmp_path / 'empty').mkdir()
  run.to_jax(source, tmp_path / 'empty', 'network')


@pytest.mark.parametrize(('state', 'message'), [
    ({'a': np.zeros(3)}, r'no names.*backbone.*found a;.*--part backbone'),
    ({'backbone.conv1.weight': np.zeros((4, 3, 7, 7))},
     r'no names that start with kpn_head.*--part backbone'),
    ({'backbone.conv1.weight': np.zeros((4, 3, 7, 7)),
      'kpn_head.kpn0.heatmap.head1.1.bias': np.zeros(1)}, 'problems:')])
def test_something_else(tmp_path, state, message):
  write_state(tmp_path / 'w.npz', state)
  with pytest.raises(UserError, match=message):
    run.to_jax(tmp_path / 'w.npz', tmp_path / 'out', 'network')
  assert not (tmp_path / 'out').exists()


@pytest.fixture
def backbone(tmp_path):
  """Torchvision's arrays; they are converted to the folder `out`."""
  state = torchvision_state('resnet18', 4, seed=5)
  write_state(tmp_path / 'r18.npz', state)
  run.to_jax(tmp_path / 'r18.npz', tmp_path / 'out', 'backbone')
  return state


def test_backbone(backbone, tmp_path):
  """A checkpoint that training takes, tracking refuses; and back again."""
  config = load_config(tmp_path / 'out' / 'config.py')
  assert config.model.backbone_weights == str(tmp_path / 'out')
  assert config.model.arch == 'resnet18'
  with pytest.raises(UserError, match=r'--config\.model\.backbone_weights='):
    load_tracker(tmp_path / 'out')
  run.to_torch(tmp_path / 'out', tmp_path / 'back.npz', 'backbone')
  small.assert_same(drop(read_state(tmp_path / 'back.npz')),
                    drop(find_backbone(backbone)[0]))
  with pytest.raises(UserError, match='holds only a backbone'):
    run.to_torch(tmp_path / 'out', tmp_path / 'x.npz', 'network')


@pytest.mark.parametrize(('arch', 'levels'), [
    *((arch, levels_of(arch)) for arch in LAYERS),
    ('resnet10', ('layer2', 'layer3')), ('efficientnet_lite0', ('stage3',))])
def test_every_backbone_there_and_back(tmp_path, arch, levels):
  folder, variables = save(tmp_path / 'w', arch=arch, levels=levels)
  run.to_torch(folder, tmp_path / 'b.npz', 'backbone')
  report = run.to_jax(tmp_path / 'b.npz', tmp_path / 'back', 'backbone')
  assert f'{arch} of width 4, levels {", ".join(levels)}' in report.text()
  config, back = load_model(tmp_path / 'back', 'backbone')
  assert (config.model.arch, config.model.levels) == (arch, levels)
  small.assert_same_tree(back, {
      kind: {'backbone': tree['backbone']}
      for kind, tree in variables.items()})


@pytest.mark.parametrize('levels', [('stage3', 'stage5'), ('stage4',)])
def test_network_of_another_backbone_there_and_back(tmp_path, levels):
  folder, variables = save(
      tmp_path / 'w', arch='efficientnet_lite0', levels=levels)
  run.to_torch(folder, tmp_path / 'n.npz', 'network')
  run.to_jax(tmp_path / 'n.npz', tmp_path / 'back', 'network')
  config, back = load_model(tmp_path / 'back')
  assert config.model.levels == levels
  small.assert_same_tree(back, variables)


def test_output_in_an_empty_folder(source, tmp_path, monkeypatch):
  """As `--output .` there; a name with quotes spoils no configuration."""
  odd = tmp_path / 'a"""\\.npz'
  odd.write_bytes(source.read_bytes())
  (tmp_path / 'here').mkdir()
  monkeypatch.chdir(tmp_path / 'here')
  config = Config().updated(
      model=small.SETTINGS,
      targets={'heatmap_radius': float('inf')})
  run.to_jax(odd, Path(), 'network', config)
  stored = load_config(tmp_path / 'here' / 'config.py')
  assert stored.targets.heatmap_radius == float('inf')


def train_from(tmp_path, **model):
  """The state after training at a rate of zero."""
  config = tiny_config(
      model={**small.SETTINGS, 'levels': ('layer2', 'layer3', 'layer4'),
             'head_sharing': 'per_task', **model},
      train={'peak_lr': 0.0, 'epochs': 1, 'pairs_per_epoch': 4})
  return jax.device_get(
      trainer.train(config, tmp_path / 'run', [BlobSource()]))


@pytest.mark.slow
def test_training_starts_from_the_network(converted, tmp_path, capsys):
  state = train_from(tmp_path, weights=str(converted[0]))
  small.assert_same_tree(state.params, load_model(converted[0])[1]['params'])
  assert 'starting from the network of' in capsys.readouterr().err
  # Resumed, the run no longer needs them, wherever they are.
  assert int(train_from(tmp_path, weights='moved').step) == 1
  assert 'ignores config.model.weights' in capsys.readouterr().err


@pytest.mark.slow
def test_training_starts_from_the_backbone(backbone, tmp_path):
  """Its last layer is not used by this network."""
  trained = train_from(tmp_path, backbone_weights=str(tmp_path / 'out'),
                       levels=('layer2', 'layer3'))
  expected, _ = to_variables(
      find_backbone(backbone)[0],
      name_table(SiamKPN(arch='resnet18', width=4), 'backbone'))
  for name in ('params', 'batch_stats'):
    found = getattr(trained, name)['backbone']
    assert set(found) == {block for block in expected[name]['backbone']
                          if not block.startswith('layer4')}
    small.assert_same_tree(
        found, {k: expected[name]['backbone'][k] for k in found})


def test_weights_that_do_not_fit(converted, tmp_path):
  for key, value in (('channels', 4), ('head_sharing', 'shared')):
    with pytest.raises(UserError, match=rf'another arch.*model.{key} is'):
      train_from(tmp_path, weights=str(converted[0]), **{key: value})
  for key, value in (('width', 8), ('arch', 'resnet10')):
    with pytest.raises(UserError, match=rf'another arch.*model.{key} is'):
      train_from(tmp_path, backbone_weights=str(converted[0]), **{key: value})
  shutil.rmtree(tmp_path / 'run')
  with pytest.raises(UserError, match='no such checkpoint'):
    train_from(tmp_path, weights='mistyped')
  assert not (tmp_path / 'run').exists()
  with pytest.raises(UserError, match='both set'):
    train_from(tmp_path, weights='a', backbone_weights='b')


def test_converted_weights_are_no_run(converted):
  """They are not taken for a damaged one, and stay."""
  with pytest.raises(UserError, match=r'not a run.*--config\.model\.weights='):
    trainer.train(tiny_config(), converted[0], [BlobSource()])
  load_model(converted[0])


@pytest.fixture
def convert(command):
  return functools.partial(command, 'convert')


def test_command(convert, source, tmp_path):
  done = convert(f'--input={source}', f'--output={tmp_path / "w"}')
  assert done.returncode == 0, done.stderr
  assert ('train with: python -m siamkpn_jax.train --config '
          f'{tmp_path}/w/config.py') in done.stdout
  done = convert('--to=torch', f'--input={tmp_path / "w"}',
                 f'--output={tmp_path / "back.npz"}')
  assert done.returncode == 0 and 'sha256' in done.stdout
  done = convert(f'--input={source}', f'--output={tmp_path / "w"}')
  assert done.returncode == 2
  assert done.stderr.startswith('error: --output')
  assert done.stderr.count('\n') == 1
