"""The whole configuration: every setting, its default, meaning and range.

The defaults are the paper's three-stage model. The sections lie in network.py,
pairs.py and learning.py; files in configs/ change some settings.
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
  """The configuration of SiamKPN-3s (SPEC 2-8), if nothing is changed.

  Attributes:
    name: of the run, and of its folder.
    seed: of weights, data and augmentation.
  """

  name: str = 'kpn3s'
  seed: int = setting(0, at_least(0))
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
    """A copy with other settings, checked when all are changed.

    Args:
      **changes: as `seed=1, train={'epochs': 2}`.

    Raises:
      UserError: a value that a setting cannot have.
      TypeError: a setting that is not known.
    """
    return dataclasses.replace(self, **{
        key: dataclasses.replace(getattr(self, key), **value)
        if isinstance(value, Mapping) else value
        for key, value in changes.items()})


def to_plain(config: Config | Mapping[str, Any]) -> dict[str, Any]:
  """The configuration as a plain dict that JSON can hold."""
  if isinstance(config, Config):
    config = dataclasses.asdict(config)
  return {
      key: to_plain(value) if isinstance(value, Mapping) else
      list(value) if isinstance(value, tuple) else value
      for key, value in config.items()}


def config_from_dict(plain: Mapping[str, Any]) -> Config:
  """The configuration that is stored with a run or with weights.

  A setting that came after it was written has its default.

  Args:
    plain: as from `to_plain`. What is not a setting of training, data or
      validation today is left out; so is what is beside the sections.

  Raises:
    UserError: a setting of network, targets or tracking that this version does
      not have, or a value that a setting cannot have.
  """
  known = {field.name for field in dataclasses.fields(Config)}
  return Config(**{
      key: _read_section(key, value) if isinstance(value, Mapping) else value
      for key, value in with_new_names(plain).items() if key in known})


def _read_section(section: str, stored: Mapping[str, Any]) -> Any:
  default = getattr(Config(), section)
  known = types_of(type(default))
  unknown = [f'{key}={value!r}' for key, value in stored.items()
             if key not in known]
  if unknown and section in _NEEDED:
    raise UserError(
        f'config.{section} has {", ".join(unknown)}, which this version does '
        'not know; expected a configuration or checkpoint of this version: '
        'train or convert again')
  settings = {key: value for key, value in stored.items() if key in known}
  if section == 'validation' and not settings.get('data'):
    settings.pop('rendered', None)  # exported weights name no folders
  return dataclasses.replace(default, **settings)


def with_new_names(plain: Mapping[str, Any]) -> dict[str, Any]:
  """A stored configuration with the names that settings have today."""
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
  """{'model.num_stages': 2, ...}: where a configuration is not the default.

  Args:
    config: a configuration, or a plain one as stored with a run. Settings that
      this version does not know count as different.
  """
  default = flatten(to_plain(Config()))
  plain = flatten(to_plain(config))
  return {key: value for key, value in flatten(config).items()
          if key not in default or plain[key] != default[key]}


def unknown_key(key: str) -> UserError:
  """The error of a key, such as 'train.epoch', that no setting has."""
  known = flatten(Config())
  near = difflib.get_close_matches(key, known, 1) or [
      name for name in known for last in difflib.get_close_matches(
          key, [name.rpartition('.')[2]], 1)]
  meant = f"did you mean '{near[0]}'? " if near else ''
  return UserError(f"unknown configuration key '{key}'; {meant}"
                   'siamkpn_jax/config/settings.py lists all keys')
