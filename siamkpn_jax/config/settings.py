"""The whole configuration with its defaults; files in configs/ change some.

The defaults are the paper's three-stage model. `default_config()` is locked: a
key that is not here cannot be set, in a config file or on the command line.
"""

import math
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict, config_dict

from siamkpn_jax.config import architectures
from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError


def default_config() -> ConfigDict:
  """The configuration of SiamKPN-3s (SPEC 2-8)."""
  config = ConfigDict()
  config.name = 'kpn3s'
  config.seed = 0
  config.model = _model()
  config.targets = _targets()
  config.loss = ConfigDict(dict(
      alpha=2.0, beta=4.0, gamma=0.05, positive_weight=1.0,
      offsets_weight=1.0, size_weight=0.05))
  config.data = _data()
  config.augment = ConfigDict(dict(
      template_shift=4.0, template_scale=0.05,
      search_shift=64.0, search_scale=0.18, search_blur=0.2,
      # For real videos (docs/training.md). On the device: a probability, then
      # strengths.
      flip=0.0,
      brightness=0.0, contrast=0.0, gamma=0.0, white_balance=0.0, noise=0.0,
      # On the host: probabilities.
      padding=0.0, warp=0.0, motion_blur=0.0, occlusion=0.0,
      low_resolution=0.0, jpeg=0.0))
  config.train = _train()
  config.validation = ConfigDict(dict(  # at every checkpoint, by tracking
      data='',  # folder in OTB layout; '': rendered videos of their own
      zero_based=(),  # its sequences whose boxes count pixels from 0
      sequences=8,  # the first ones; 0: no validation
      rendered=0,  # rendered videos beside those of data, scored apart
      frames=60))  # of each, the first ones; 0: all
  config.tracking = ConfigDict(dict(  # VOT2018's, see SPEC 8
      penalty_k=0.10, window_influence=0.54, size_lr=0.59,
      topk_max=16, topk_min=4, threshold=0.15))
  return config.lock()


def _model() -> ConfigDict:
  return ConfigDict(dict(
      arch='resnet50', width=64, levels=('layer2', 'layer3', 'layer4'),
      channels=256, num_stages=3, head_sharing='per_task',
      head_conv='full',  # or 'separable': a tenth of the work
      level_fusion='softmax', dtype='float32',
      # Checkpoints that training starts from; '': fresh weights.
      weights='', backbone_weights=''))


def _targets() -> ConfigDict:
  config = ConfigDict(dict(
      sigma=geometry.MAP_SIZE / 16, rho=0.9, heatmap_shrink='cascade',
      offset_target='released'))
  config.heatmap_radius = config_dict.placeholder(float)  # None: untruncated
  config.heatmap_radius = geometry.MAP_SIZE / 8
  return config


def _data() -> ConfigDict:
  return ConfigDict(dict(
      # Sets (see datasets/catalog.py), how often each is drawn, and how many
      # labeled frames may lie between template and search.
      sets=('youtube_bb', 'lasot', 'got10k', 'coco'),
      ratios=(4.0, 2.0, 2.0, 1.0),
      ranges=(3, 300, 100, 0),
      root='',  # folder that holds the sets; '': $SIAMKPN_DATA
      cutouts=(),  # folders below it that the set 'cutouts' is made of
      negative_fraction=0.2,
      gray_fraction=0.0,
      loader='threads',  # or 'tf': the same batches by tf.data
      workers=0,  # reading threads; 0: one per core
      prefetch=4,  # batches
      cache_mb=0))  # image files that are kept in memory once read, MiB


def _train() -> ConfigDict:
  return ConfigDict(dict(
      batch_size=80,
      accumulate=1,  # parts of the batch, one after the other: less memory
      shard_optimizer=False,  # each device keeps a part of Adam's moments
      remat='none',  # or 'blocks': computes again what it does not keep
      epochs=20,
      pairs_per_epoch=450_000,
      schedule='released',  # 'paper', 'released' or 'cosine'
      peak_lr=1e-3,  # 'cosine' only
      # The backbone is frozen for the first epochs; then these layers train,
      # at a fraction of the rate.
      freeze_epochs=10,
      backbone_layers=('layer2', 'layer3', 'layer4'),
      backbone_lr_scale=0.1,
      clip_norm=10.0,
      # Tracking gets a moving average of the weights with this share of the
      # old (such as 0.9998) after every step; 0: the last weights.
      ema_decay=0.0,
      max_loss=1e4,  # a step whose loss is larger or not finite is skipped
      max_skipped=0,  # in the steps between two log lines; 0: any number
      log_every=50,  # steps
      save_every=2_000,  # steps
      keep_checkpoints=3))


_CHOICES = {
    'model.arch': tuple(architectures.LAYERS),
    'model.head_sharing': ('per_task', 'shared'),
    'model.head_conv': ('full', 'separable'),
    'model.level_fusion': ('softmax', 'mean'),
    'model.dtype': ('float32', 'bfloat16'),
    'targets.heatmap_shrink': ('cascade', 'released'),
    'targets.offset_target': ('released', 'paper'),
    'data.loader': ('threads', 'tf'),
    'train.remat': ('none', 'blocks'),
    'train.schedule': ('paper', 'released', 'cosine'),
}
_LEAST = {  # smallest value allowed
    'model.width': 1, 'model.channels': 1, 'model.num_stages': 1,
    'data.workers': 0, 'data.prefetch': 0, 'data.cache_mb': 0,
    'augment.brightness': 0, 'augment.contrast': 0, 'augment.gamma': 0,
    'augment.white_balance': 0, 'augment.noise': 0, 'train.batch_size': 1,
    'train.accumulate': 1, 'train.epochs': 1, 'train.pairs_per_epoch': 1,
    'train.freeze_epochs': 0, 'train.max_skipped': 0, 'train.log_every': 1,
    'train.save_every': 1, 'train.keep_checkpoints': 1,
    'validation.sequences': 0, 'validation.rendered': 0,
    'validation.frames': 0,
}
_PROBABILITIES = tuple(f'augment.{name}' for name in (
    'search_blur', 'flip', 'padding', 'warp', 'motion_blur', 'occlusion',
    'low_resolution', 'jpeg'))


_TRACKING_RANGES = {
    'penalty_k': (0, math.inf), 'window_influence': (0, 1), 'size_lr': (0, 1),
    'threshold': (0, 1), 'topk_max': (1, geometry.MAP_SIZE**2)}


def check_config(config: ConfigDict) -> None:
  """Checks values that a typing mistake could have spoiled.

  Raises:
    UserError: names the first setting that is wrong, and what it may be.
  """
  get = lambda key: config[key.split('.')[0]][key.split('.')[1]]
  for key, choices in _CHOICES.items():
    if get(key) not in choices:
      raise _wrong(key, get(key), f'one of {", ".join(choices)}')
  for key, least in _LEAST.items():
    if get(key) < least:
      raise _wrong(key, get(key), f'{least} or more')
  for key in _PROBABILITIES:
    if not 0 <= get(key) <= 1:
      raise _wrong(key, get(key), 'a probability, 0 to 1')
  _check_model(config.model)
  _check_train(config.train, config.model.arch)
  _check_data(config.data)
  validation = config.validation
  if validation.rendered and not (validation.data and validation.sequences):
    raise _wrong('validation.rendered', validation.rendered,
                 '0 without config.validation.data (then all are rendered) '
                 'and where config.validation.sequences is 0')
  _check_tracking(config.tracking)


def _check_tracking(tracking: ConfigDict) -> None:
  for key, (low, high) in _TRACKING_RANGES.items():
    if not low <= tracking[key] <= high or math.isinf(tracking[key]):
      raise _wrong(f'tracking.{key}', tracking[key],
                   f'{low:g} to {high:g}' if math.isfinite(high) else
                   f'a number, {low:g} or more')
  if not 1 <= tracking.topk_min <= tracking.topk_max:
    raise _wrong('tracking.topk_min', tracking.topk_min,
                 f'1 to config.tracking.topk_max, {tracking.topk_max}')


def _check_model(model: ConfigDict) -> None:
  if model.weights and model.backbone_weights:
    raise UserError(
        'config.model.weights and config.model.backbone_weights are both '
        'given; expected one: the whole network has its own backbone')
  levels = tuple(model.levels)
  allowed = architectures.levels_of(model.arch)
  if not levels or levels != tuple(
      layer for layer in allowed if layer in levels):
    raise _wrong('model.levels', levels,
                 f'some of {allowed}, in order, of {model.arch}')


def _check_train(train: ConfigDict, arch: str) -> None:
  layers = tuple(train.backbone_layers)
  allowed = architectures.LAYERS[arch]
  if layers != allowed[len(allowed) - len(layers):]:
    raise _wrong('train.backbone_layers', layers,
                 f'the last of {allowed}: gradients reach a layer through '
                 'those above it')
  if not 0 <= train.ema_decay < 1:
    raise _wrong('train.ema_decay', train.ema_decay, '0 or more, below 1')
  if train.batch_size % train.accumulate:
    raise _wrong('train.accumulate', train.accumulate,
                 f'a divisor of config.train.batch_size, {train.batch_size}')


def _check_data(data: ConfigDict) -> None:
  if not data.sets or not (
      len(data.sets) == len(data.ratios) == len(data.ranges)):
    raise _wrong('data.sets', data.sets, 'at least one set, with as many '
                 'data.ratios and data.ranges')
  for name in (*data.sets, *data.cutouts):
    if Path(name).is_absolute() or '..' in Path(name).parts:
      raise _wrong('data.sets' if name in data.sets else 'data.cutouts', name,
                   'the name of a folder below config.data.root: link it there')
  if min(data.ratios) < 0 or max(data.ratios) <= 0:
    raise _wrong('data.ratios', data.ratios, 'none negative, one positive')
  if min(data.ranges) < 0:
    raise _wrong('data.ranges', data.ranges, 'numbers of frames')
  if ('cutouts' in data.sets) != bool(data.cutouts):
    raise _wrong('data.cutouts', data.cutouts, 'folders below data.root if '
                 "'cutouts' is in data.sets, else ()")


def _wrong(key: str, value: object, expected: str) -> UserError:
  return UserError(f'config.{key} is {value!r}; expected {expected}')


# Published tracking settings (SPEC 8): stages -> benchmark -> penalty_k,
# window_influence, size_lr.
_TRACKING = {
    1: {'vot': (0.17, 0.61, 0.27), 'otb': (0.19, 0.53, 0.37)},
    2: {'vot': (0.03, 0.42, 0.38), 'otb': (0.06, 0.51, 0.37)},
    3: {'vot': (0.10, 0.54, 0.59), 'otb': (0.10, 0.52, 0.42)},
}


def kpn_config(num_stages: int, arg: str) -> ConfigDict:
  """The paper's model with a number of stages, in a variant.

  Args:
    num_stages: 1, 2 or 3.
    arg: any of 'otb', 'got10k', 'paper', 'released', 'synthetic', separated by
      commas; see configs/kpn3s.py.

  Raises:
    UserError: unknown argument.
  """
  config = default_config()
  config.name = '_'.join([f'kpn{num_stages}s', *filter(None, arg.split(','))])
  config.model.num_stages = num_stages
  benchmark = 'vot'
  for word in filter(None, arg.split(',')):
    if word == 'otb':
      benchmark = 'otb'
      config.data.gray_fraction = 0.2
    elif word == 'got10k':
      _only(config.data, 'got10k', 100)
    elif word == 'synthetic':
      _only(config.data, 'synthetic', 30)
    elif word in ('paper', 'released'):
      config.train.schedule = word
    else:
      raise UserError(
          f"unknown argument '{word}' of the configuration; expected otb, "
          'got10k, paper, released or synthetic')
  tracking = _TRACKING[num_stages][benchmark]
  (config.tracking.penalty_k, config.tracking.window_influence,
   config.tracking.size_lr) = tracking
  return config


def _only(data: ConfigDict, name: str, reach: int) -> None:
  """Trains on one set."""
  data.sets, data.ratios, data.ranges = (name,), (1.0,), (reach,)


def to_plain(config: ConfigDict | dict[str, Any]) -> dict[str, Any]:
  """The configuration as a plain dict that JSON can hold."""
  return {
      key: to_plain(value) if isinstance(value, ConfigDict) else
      list(value) if isinstance(value, tuple) else value
      for key, value in config.items()}


def flatten(config: ConfigDict | dict[str, Any],
            prefix: str = '') -> dict[str, Any]:
  """{'train': {'epochs': 2}} -> {'train.epochs': 2}."""
  out: dict[str, Any] = {}
  for key, value in config.items():
    if isinstance(value, ConfigDict | dict):
      out |= flatten(value, f'{prefix}{key}.')
    else:
      out[prefix + key] = value
  return out


def config_differences(config: ConfigDict | dict[str, Any]) -> dict[str, Any]:
  """{'model.num_stages': 2, ...}: where a configuration is not the default.

  Args:
    config: a configuration, or a plain one as stored with a run. Settings that
      this version does not know count as different.
  """
  default = flatten(to_plain(default_config()))
  plain = flatten(to_plain(config))
  return {key: value for key, value in flatten(config).items()
          if key not in default or plain[key] != default[key]}


def steps_per_epoch(config: ConfigDict | dict[str, Any]) -> int:
  """Whole batches in an epoch, at least 1; of a plain configuration, too."""
  train = config['train']
  return max(1, train['pairs_per_epoch'] // train['batch_size'])


def unfreeze_step(config: ConfigDict | dict[str, Any]) -> int:
  """The last step whose backbone is frozen, 0 if none is."""
  return config['train']['freeze_epochs'] * steps_per_epoch(config)
