"""The whole configuration: every setting, its default, meaning and range.

The defaults describe the paper's three-stage model. The sections are defined in
network.py, pairs.py and learning.py; the files in configs/ modify the defaults.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from siamkpn_jax.config import architectures
from siamkpn_jax.config.learning import (
  LossConfig,
  TargetsConfig,
  TrainConfig,
  ValidationConfig,
)
from siamkpn_jax.config.network import ModelConfig, TrackingConfig
from siamkpn_jax.config.pairs import AugmentConfig, DataConfig
from siamkpn_jax.config.section import Section, at_least, setting, types_of
from siamkpn_jax.core.errors import UserError

__all__ = [
    'AugmentConfig', 'Config', 'DataConfig', 'LossConfig', 'ModelConfig',
    'TargetsConfig', 'TrackingConfig', 'TrainConfig', 'ValidationConfig',
    'config_differences', 'config_from_dict', 'flatten', 'to_plain',
    'unknown_key', 'with_new_names']

# Names that settings had in what earlier versions have stored.
_OLD_NAMES = {'data.grey_fraction': 'gray_fraction'}
# A setting of these that is not known may change what is tracked.
_NEEDED = ('model', 'targets', 'tracking')


@dataclasses.dataclass(frozen=True)
class Config(Section):
  """All settings; the defaults are SiamKPN-3s as published (SPEC 2-8).

  Attributes:
    name: name of the run and of its default workdir.
    seed: random seed of weights, data order and augmentation.
    model: the network.
    targets: training targets.
    loss: loss weights.
    data: training data.
    augment: augmentation of training pairs.
    train: optimization, logging and checkpoints.
    validation: validation by tracking.
    tracking: how boxes are chosen.
  """

  name: str = 'kpn3s'
  seed: int = setting(0, at_least(0, 2**32 - 1))
  model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
  targets: TargetsConfig = dataclasses.field(default_factory=TargetsConfig)
  loss: LossConfig = dataclasses.field(default_factory=LossConfig)
  data: DataConfig = dataclasses.field(default_factory=DataConfig)
  augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
  train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
  validation: ValidationConfig = dataclasses.field(
      default_factory=ValidationConfig)
  tracking: TrackingConfig = dataclasses.field(default_factory=TrackingConfig)

  def _check(self) -> None:
    allowed = architectures.LAYERS[self.model.arch]
    layers = self.train.backbone_layers
    if layers != allowed[len(allowed) - len(layers):]:
      raise self.train.wrong(
          'backbone_layers', f'the last of {allowed}: gradients reach a layer '
          'through those above it')

  def updated(self, **changes: Any) -> 'Config':
    """A copy with some settings changed, then validated.

    Args:
      **changes: new values, such as `seed=1, train={'epochs': 2}`.

    Raises:
      UserError: a value that its setting does not allow.
      TypeError: an unknown setting.
    """
    return dataclasses.replace(self, **{
        key: dataclasses.replace(getattr(self, key), **value)
        if isinstance(value, Mapping) else value
        for key, value in changes.items()})


_SECTIONS = {field.name for field in dataclasses.fields(Config)
             if isinstance(getattr(Config(), field.name), Section)}


def to_plain(config: Config | Mapping[str, Any]) -> dict[str, Any]:
  """The configuration as a plain dict that can be written as JSON."""
  if isinstance(config, Config):
    config = dataclasses.asdict(config)
  return {
      key: to_plain(value) if isinstance(value, Mapping) else
      list(value) if isinstance(value, tuple) else value
      for key, value in config.items()}


def config_from_dict(plain: Mapping[str, Any]) -> Config:
  """Restores a configuration that was stored with a run or with weights.

  Settings that were added since then get their defaults.

  Args:
    plain: a dict as from `to_plain`. Unknown settings of training, data or
      validation are ignored, as are keys outside of the sections.

  Raises:
    UserError: an unknown setting of network, targets or tracking, or a value
      that its setting does not allow.
  """
  known = {field.name for field in dataclasses.fields(Config)}
  return Config(**{
      key: _read_section(key, value)
      if isinstance(value, Mapping) and key in _SECTIONS else value
      for key, value in with_new_names(plain).items() if key in known})


def _read_section(section: str, stored: Mapping[str, Any]) -> Any:
  default = getattr(Config(), section)
  if not isinstance(default, Section):
    return stored  # which its type refuses
  known = types_of(type(default))
  unknown = [f'{key}={value!r}'[:100] for key, value in stored.items()
             if key not in known][:5]
  if unknown and section in _NEEDED:
    raise UserError(
        f'config.{section}: unknown {", ".join(unknown)}; expected a '
        'configuration or checkpoint of this version: train or convert again')
  settings = {key: value for key, value in stored.items() if key in known}
  return dataclasses.replace(default, **settings)


def with_new_names(plain: Mapping[str, Any]) -> dict[str, Any]:
  """A stored configuration with old setting names replaced."""
  return {
      section: {_OLD_NAMES.get(f'{section}.{key}', key): value
                for key, value in settings.items()}
      if isinstance(settings, Mapping) else settings
      for section, settings in plain.items()}


def flatten(config: Config | Mapping[str, Any],
            prefix: str = '') -> dict[str, Any]:
  """{'train': {'epochs': 2}} -> {'train.epochs': 2}."""
  if isinstance(config, Config):
    config = dataclasses.asdict(config)
  out: dict[str, Any] = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      out |= flatten(value, f'{prefix}{key}.')
    else:
      out[prefix + key] = value
  return out


def config_differences(config: Config | Mapping[str, Any]) -> dict[str, Any]:
  """Settings that differ from the defaults, as {'model.num_stages': 2, ...}.

  Args:
    config: a configuration, or a plain one as stored with a run, whose unknown
      settings count as different.
  """
  default = flatten(to_plain(Config()))
  plain = flatten(to_plain(config))
  return {key: value for key, value in flatten(config).items()
          if key not in default or plain[key] != default[key]}


def unknown_key(key: str) -> UserError:
  """The error for an unknown key, such as 'train.epoch'."""
  known = flatten(Config())
  near = difflib.get_close_matches(key, known, 1) or [
      name for name in known for last in difflib.get_close_matches(
          key, [name.rpartition('.')[2]], 1)]
  meant = f"; did you mean '{near[0]}'?" if near else ''
  return UserError(f"unknown configuration key '{key}'{meant}; "
                   'docs/reference/configuration.md lists all keys')
