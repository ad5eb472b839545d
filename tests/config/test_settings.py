"""Configurations: the files in configs/, their arguments, wrong values."""

import importlib.util
import json
from pathlib import Path

import pytest

from siamkpn_jax.config import architectures
from siamkpn_jax.config.settings import (
  check_config,
  config_differences,
  default_config,
  kpn_config,
  steps_per_epoch,
  to_plain,
)
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.resnet import ARCHITECTURES
from siamkpn_jax.training import trainer

CONFIGS = sorted((Path(__file__).parents[2] / 'configs').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_files_are_valid(path):
  """Each makes a training step and survives JSON."""
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  config = module.get_config()
  check_config(config)
  assert config.is_locked
  trainer.build_step(config)
  assert json.loads(json.dumps(to_plain(config))) == to_plain(config)


@pytest.mark.parametrize(('stages', 'arg', 'expected'), [
    (1, '', (0.17, 0.61, 0.27)), (1, 'otb', (0.19, 0.53, 0.37)),
    (2, '', (0.03, 0.42, 0.38)), (2, 'otb', (0.06, 0.51, 0.37)),
    (3, '', (0.10, 0.54, 0.59)), (3, 'otb', (0.10, 0.52, 0.42))])
def test_published_tracking_settings(stages, arg, expected):
  """SPEC 8."""
  tracking = kpn_config(stages, arg).tracking
  assert (tracking.penalty_k, tracking.window_influence,
          tracking.size_lr) == expected


def test_arguments():
  """What each word changes, alone and together."""
  assert kpn_config(3, 'otb').data.gray_fraction == 0.2
  assert kpn_config(3, '').data.gray_fraction == 0.0
  assert kpn_config(3, 'got10k').data.sets == ('got10k',)
  assert kpn_config(3, 'synthetic').data.sets == ('synthetic',)
  both = kpn_config(2, 'otb,paper')
  assert (both.train.schedule, both.name) == ('paper', 'kpn2s_otb_paper')
  with pytest.raises(UserError, match="'vot'"):
    kpn_config(3, 'vot')


WRONG = {
    'model.arch': 'resnet99', 'model.head_sharing': 'per-task',
    'model.level_fusion': 'softmx', 'model.dtype': 'float99',
    'targets.heatmap_shrink': 'cascde', 'targets.offset_target': 'papper',
    'train.schedule': 'linear', 'train.batch_size': 0, 'train.log_every': 0,
    'train.epochs': 0, 'data.prefetch': -1, 'data.workers': -1,
    'data.loader': 'tensorflow', 'train.accumulate': 3, 'train.remat': 'all',
    'train.ema_decay': 1.0, 'train.max_skipped': -1,
    'model.levels': ('layer3', 'layer2'),
    'train.backbone_layers': ('layer4', 'layer3'), 'data.ratios': (0.0,) * 4,
    'data.ranges': (1, 2), 'data.sets': (), 'validation.rendered': 4,
    'tracking.penalty_k': float('inf'), 'tracking.window_influence': 1.1,
    'tracking.size_lr': float('nan'), 'tracking.threshold': -0.1,
    'tracking.topk_max': 962, 'tracking.topk_min': 17,
    'augment.flip': 1.5, 'augment.jpeg': -0.1, 'augment.warp': float('nan'),
    'augment.noise': -1.0, 'augment.gamma': -0.5, 'data.cache_mb': -1,
}


@pytest.mark.parametrize('key', WRONG)
def test_wrong_values_are_named(key):
  """One line with the setting and its value."""
  config = default_config()
  section, name = key.split('.')
  config[section][name] = WRONG[key]
  named = 'data.sets' if key == 'data.ranges' else key
  with pytest.raises(UserError, match=f'config.{named} is') as info:
    check_config(config)
  assert '; expected ' in str(info.value)
  assert '\n' not in str(info.value)


@pytest.mark.parametrize('name', ['/data/coco', '../coco', 'a/../../b'])
def test_folders_lie_below_the_root(name):
  config = default_config()
  config.data.update(sets=(name,), ratios=(1.0,), ranges=(1,))
  with pytest.raises(UserError, match='data.sets is .*below config.data.root'):
    check_config(config)
  config.data.update(sets=('cutouts',), cutouts=(name,))
  with pytest.raises(UserError, match='data.cutouts is .*below config.data'):
    check_config(config)


def test_every_architecture_is_a_choice():
  """With its own names of layers; every ResNet's blocks are known."""
  assert set(ARCHITECTURES) < set(architectures.LAYERS)
  for arch in architectures.LAYERS:
    config = default_config()
    config.model.update(arch=arch, levels=architectures.levels_of(arch))
    config.train.backbone_layers = architectures.levels_of(arch)
    check_config(config)


def test_differences():
  """Of a configuration, and of a plain one as stored with a run."""
  config = kpn_config(2, 'got10k')
  config.targets.heatmap_radius = None
  expected = {
      'name': 'kpn2s_got10k', 'model.num_stages': 2, 'data.sets': ('got10k',),
      'data.ratios': (1.0,), 'data.ranges': (100,),
      'targets.heatmap_radius': None, 'tracking.penalty_k': 0.03,
      'tracking.window_influence': 0.42, 'tracking.size_lr': 0.38}
  assert config_differences(config) == expected
  stored = json.loads(json.dumps(to_plain(config)))
  plain = {key: list(value) if isinstance(value, tuple) else value
           for key, value in expected.items()}
  assert config_differences(stored) == plain
  stored['train']['later'] = None  # a setting of another version
  stored['metadata'] = {'a': {'b': 1}}
  del stored['tracking']
  later = {'train.later': None, 'metadata.a.b': 1}
  assert config_differences(stored) == later | {
      key: value for key, value in plain.items() if 'tracking' not in key}
  assert config_differences(default_config()) == {}


@pytest.mark.parametrize(('pairs', 'batch', 'expected'), [
    (450_000, 80, 5625), (87, 8, 10), (3, 8, 1)])
def test_steps_per_epoch(pairs, batch, expected):
  config = default_config()
  config.train.update(pairs_per_epoch=pairs, batch_size=batch)
  assert steps_per_epoch(config) == expected
  assert steps_per_epoch(to_plain(config)) == expected
