"""Settings: their defaults, ranges, arguments; what is stored of them."""

import dataclasses
import json
import math
import typing

import pytest

from siamkpn_jax.config import architectures
from siamkpn_jax.config.published import kpn_config
from siamkpn_jax.config.section import types_of
from siamkpn_jax.config.settings import (
  Config,
  DataConfig,
  TrainConfig,
  config_differences,
  config_from_dict,
  flatten,
  to_plain,
)
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.resnet import ARCHITECTURES
from siamkpn_jax.models.siamkpn import build_model


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
  for both in ('got10k,synthetic', 'released,paper', 'otb,paper,paper'):
    with pytest.raises(UserError, match='expected one of them'):
      kpn_config(3, both)


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
  section, name = key.split('.')
  named = 'data.sets' if key == 'data.ranges' else key
  with pytest.raises(UserError, match=f'config.{named} is') as info:
    Config().updated(**{section: {name: WRONG[key]}})
  assert '; expected ' in str(info.value)
  assert '\n' not in str(info.value)


def _numbers():
  """Every setting of numbers: section, name, and whether it is a tuple."""
  for key in flatten(Config()):
    section, _, name = key.rpartition('.')
    kind = types_of(type(getattr(Config(), section) if section else Config())
                    )[name]
    if kind not in (str, bool, tuple[str, ...]):
      yield pytest.param(section, name, typing.get_origin(kind) is tuple,
                         id=key)


@pytest.mark.parametrize(('section', 'name', 'several'), [*_numbers()])
def test_every_number_has_a_range(section, name, several):
  """No NaN, nothing infinite, nothing absurd, in a tuple neither."""
  for value in (math.nan, math.inf, -math.inf, -1e30, 1e30, -1, -10**400,
                10**400, 10**30):
    if (name, value) == ('heatmap_radius', math.inf):
      continue  # the paper's
    default = getattr(getattr(Config(), section) if section else Config(), name)
    given = (*default[:-1], value) if several else value
    with pytest.raises(UserError, match=rf'config.*{name} is .*; exp') as info:
      Config().updated(**{section: {name: given}} if section else {name: given})
    assert len(str(info.value)) < 400
  allowed = getattr(Config(), section) if section else Config()
  assert any(field.name == name and field.metadata.get('allowed')
             for field in dataclasses.fields(allowed))


def test_absurd_together():
  """Steps are counted in int32."""
  with pytest.raises(UserError, match='config.train.epochs is .* steps in all'):
    Config().updated(train={'epochs': 10**9})


@pytest.mark.parametrize('key', [
    key for key in flatten(Config()) if key.count('.') == 1])
def test_wrong_types_are_named(key):
  section, name = key.split('.')
  for value in ({}, ({},), b''):
    with pytest.raises(UserError, match=f'config.{key} is .*; expected '):
      Config().updated(**{section: {name: value}})


def test_whole_numbers_pass_as_numbers():
  """But a truth value is no number."""
  config = Config().updated(train={'peak_lr': 1}, targets={'sigma': 2})
  assert isinstance(config.train.peak_lr, float)
  with pytest.raises(UserError, match='config.train.peak_lr is True'):
    Config().updated(train={'peak_lr': True})
  with pytest.raises(UserError, match='config.seed is -1; expected 0 or more'):
    Config().updated(seed=-1)


@pytest.mark.parametrize('name', ['/data/coco', '../coco', 'a/../../b'])
def test_folders_lie_below_the_root(name):
  with pytest.raises(UserError, match='data.sets is .*in config.data.root'):
    DataConfig(sets=(name,), ratios=(1.0,), ranges=(1,))
  with pytest.raises(UserError, match='data.cutouts is .*in config.data'):
    DataConfig(sets=('cutouts',), ratios=(1.0,), ranges=(1,), cutouts=(name,))


def test_one_start_alone():
  with pytest.raises(UserError, match='both set; expected only one'):
    Config().updated(model={'weights': 'a', 'backbone_weights': 'b'})


def test_every_architecture_is_a_choice():
  """With its own names of layers; every ResNet's blocks are known."""
  assert set(ARCHITECTURES) < set(architectures.LAYERS)
  for arch in architectures.LAYERS:
    levels = architectures.levels_of(arch)
    Config().updated(model={'arch': arch, 'levels': levels},
                     train={'backbone_layers': levels})


def test_one_line_is_another_resnet(monkeypatch):
  with pytest.raises(UserError, match="arch is 'resnet101'; expected one of "):
    Config().updated(model={'arch': 'resnet101'})
  monkeypatch.setitem(ARCHITECTURES, 'resnet101', (True, (3, 4, 23, 3)))
  assert 'resnet101' in architectures.LAYERS
  model = Config().updated(model={'arch': 'resnet101'}).model
  assert build_model(model).arch == 'resnet101'


def test_every_setting_has_its_meaning():
  """In the docstring of its section."""
  for section, kind in types_of(Config).items():
    if dataclasses.is_dataclass(kind):
      for name in types_of(kind):
        assert f'\n    {name}: ' in typing.cast(str, kind.__doc__), (
            section, name)


def test_stored_and_read_again():
  """Through JSON; what came later has its default."""
  config = kpn_config(2, 'otb').updated(targets={'heatmap_radius': None})
  stored = json.loads(json.dumps(to_plain(config)))
  assert config_from_dict(stored) == config
  assert hash(config_from_dict(stored)) == hash(config)
  del stored['loss'], stored['train']['accumulate']
  assert config_from_dict(stored) == config
  assert config_from_dict({}) == Config()


def test_stored_by_another_version():
  """Old names are known; only what decides about tracking must be."""
  stored = to_plain(Config())
  stored['data']['grey_fraction'] = 0.25
  del stored['data']['gray_fraction']
  assert config_from_dict(stored).data.gray_fraction == 0.25
  stored['train']['later'] = 1
  stored['git_revision'] = 'abc'
  assert config_from_dict(stored).train == Config().train
  for section in ('model', 'targets', 'tracking'):
    with pytest.raises(UserError, match=f'config.{section}: unknown later=1; '
                       'expected a configuration'):
      config_from_dict({section: {'later': 1}})
  with pytest.raises(UserError, match='config.model is 5; expected a section'):
    config_from_dict({'model': 5})
  for name in ('name', 'seed'):
    with pytest.raises(UserError, match=f'config.{name} is'):
      config_from_dict({name: {'epochs': 2}})


def test_differences():
  """Of a configuration, and of a plain one as stored with a run."""
  config = kpn_config(2, 'got10k').updated(targets={'heatmap_radius': None})
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
  assert config_differences(Config()) == {}


@pytest.mark.parametrize(('pairs', 'batch', 'expected'), [
    (450_000, 80, 5625), (87, 8, 10), (3, 8, 1)])
def test_steps_per_epoch(pairs, batch, expected):
  train = TrainConfig(
      pairs_per_epoch=pairs, batch_size=batch, epochs=3, freeze_epochs=2)
  assert train.steps_per_epoch == expected
  assert train.total_steps == 3 * expected
  assert train.unfreeze_step == 2 * expected
