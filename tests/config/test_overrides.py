"""Changes of a configuration in words."""

import pytest

from siamkpn_jax.config.files import load_config
from siamkpn_jax.config.overrides import (
    parse_tracking,
    with_changes,
    with_tracking,
)
from siamkpn_jax.config.settings import Config, config_differences
from siamkpn_jax.core.errors import UserError


@pytest.mark.parametrize(('settings', 'expected'), [
    ('', {}),
    ('model.num_stages=1', {'model.num_stages': 1}),
    ('model.head_sharing=shared,targets.rho=1.0',
     {'model.head_sharing': 'shared', 'targets.rho': 1.0}),
    ("model.levels=('layer3','layer4'),train.remat=blocks",
     {'model.levels': ('layer3', 'layer4'), 'train.remat': 'blocks'}),
    ('model.num_stages=1, targets.rho=1.0',
     {'model.num_stages': 1, 'targets.rho': 1.0}),
    ('targets.heatmap_radius=None', {'targets.heatmap_radius': None}),
    ('data.root=a,b=c', {'data.root': 'a,b=c'})])
def test_changes(settings, expected):
  """Of a copy, types as before."""
  assert config_differences(with_changes(Config(), settings)) == expected


@pytest.mark.parametrize(('settings', 'words'), [
    ('num_stages=1', 'expected section.name=value'),
    ('model.num_stages', 'expected section.name=value'),
    ('model.stages=1', 'unknown setting model.stages'),
    ('head.stages=1', 'unknown setting head.stages'),
    ('model.num_stages=one', 'expected a value like 3'),
    ('model.num_stages="1"', 'expected a value like 3'),
    ('train.epochs=True', 'expected a value like 20'),
    ('train.shard_optimizer=1', 'expected a value like False'),
    ('seed.x=1', 'unknown setting seed.x'),
    ('name.t=1', 'unknown setting name.t'),
    ('model.num_stages=0', 'config.model.num_stages is 0; expected 1 or more'),
    ('model.head_sharing=all', 'expected one of per_task, shared')])
def test_mistakes(settings, words):
  """One line each."""
  with pytest.raises(UserError) as info:
    with_changes(Config(), settings)
  assert words in str(info.value) and '\n' not in str(info.value)


def test_tracking():
  """Names alone; the rest stays."""
  config = Config().updated(seed=3)
  given = parse_tracking('penalty_k=0.3, topk_max=8')
  assert given == {'penalty_k': 0.3, 'topk_max': 8}
  assert with_tracking(config, given) == config.updated(tracking=given)
  assert parse_tracking('') == {} and with_tracking(config, {}) == config
  for twice in (lambda: parse_tracking('size_lr=0.3,size_lr=0.4'),
                lambda: with_changes(config, 'loss.alpha=2,loss.alpha=2')):
    with pytest.raises(UserError, match='is already set to .*setting once'):
      twice()
  with pytest.raises(UserError, match='penalti: unknown hyperparameter'):
    parse_tracking('penalti=0.3')
  with pytest.raises(UserError, match='expected name=value, such as penalty_k'):
    parse_tracking('penalty_k')
  with pytest.raises(UserError, match=r'penalti: unknown .* one of penalty_k,'):
    with_tracking(config, {'penalti': 0.3})
  with pytest.raises(UserError, match='tracking.size_lr is 2.*expected 0 to 1'):
    with_tracking(config, {'size_lr': 2})


def test_together():
  """Settings that fit only with each other, in any order."""
  changed = with_changes(Config(), 'train.accumulate=3,train.batch_size=6')
  assert (changed.train.accumulate, changed.train.batch_size) == (3, 6)


@pytest.mark.parametrize('depth', [150, 5000])
def test_deep_nesting(depth):
  """One line, whatever Python's parser makes of it."""
  deep = '(' * depth + '1,' + ')' * depth
  for read in (lambda: with_changes(Config(), f'data.ratios={deep}'),
               lambda: parse_tracking(f'size_lr={deep}'),
               lambda: load_config('kpn3s', [f'data.ratios={deep}'])):
    with pytest.raises(UserError, match='expected') as info:
      read()
    assert len(str(info.value)) < 800 and '\n' not in str(info.value)
