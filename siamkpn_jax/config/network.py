"""Settings that a checkpoint is tracked with: the network, and its decoding."""

import dataclasses
import math

from siamkpn_jax.config import architectures
from siamkpn_jax.config.section import (
  Range,
  Section,
  at_least,
  between,
  one_of,
  setting,
)
from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class ModelConfig(Section):
  """The network, and the weights that its training starts from (SPEC 2-4).

  Attributes:
    arch: backbone, a key of `architectures.LAYERS`.
    width: channels of the backbone's first layer.
    levels: backbone layers that are used, in order.
    channels: of neck and head.
    num_stages: length of the cascade.
    head_sharing: 'per_task' or 'shared': whether the template and search
      convolutions of a level serve one task or all.
    head_conv: 'full', or 'separable': a tenth of the work.
    level_fusion: 'softmax' of learned weights, or the 'mean' of the levels.
    dtype: of the computation; parameters, batch statistics and predictions are
      float32.
    weights: checkpoint that training starts from; '' for fresh weights.
    backbone_weights: the same, of which the backbone alone is taken.
  """

  arch: str = setting('resnet50', one_of(*architectures.LAYERS))
  width: int = setting(64, at_least(1))
  levels: tuple[str, ...] = ('layer2', 'layer3', 'layer4')
  channels: int = setting(256, at_least(1))
  num_stages: int = setting(3, at_least(1))
  head_sharing: str = setting('per_task', one_of('per_task', 'shared'))
  head_conv: str = setting('full', one_of('full', 'separable'))
  level_fusion: str = setting('softmax', one_of('softmax', 'mean'))
  dtype: str = setting('float32', one_of('float32', 'bfloat16'))
  weights: str = ''
  backbone_weights: str = ''

  def _check(self) -> None:
    if self.weights and self.backbone_weights:
      raise UserError(
          'config.model.weights and config.model.backbone_weights are both '
          'given; expected one: the whole network has its own backbone')
    allowed = architectures.levels_of(self.arch)
    if not self.levels or self.levels != tuple(
        layer for layer in allowed if layer in self.levels):
      raise self.wrong('levels', f'some of {allowed}, in order, of {self.arch}')


@dataclasses.dataclass(frozen=True)
class TrackingConfig(Section):
  """How a box is chosen (SPEC 8); VOT2018's settings of three stages.

  Attributes:
    penalty_k: strength of the penalty on changes of scale and aspect ratio.
    window_influence: weight of the window that favors small displacements.
    size_lr: rate at which the size follows the prediction.
    topk_max: candidates at most.
    topk_min: candidates at least, whatever their scores.
    threshold: score that the other candidates must exceed.
  """

  penalty_k: float = setting(
      0.10, Range(lambda k: 0 <= k < math.inf, 'a number, 0 or more'))
  window_influence: float = setting(0.54, between(0, 1))
  size_lr: float = setting(0.59, between(0, 1))
  topk_max: int = setting(16, between(1, geometry.MAP_SIZE**2))
  topk_min: int = 4
  threshold: float = setting(0.15, between(0, 1))

  def _check(self) -> None:
    if not 1 <= self.topk_min <= self.topk_max:
      raise self.wrong(
          'topk_min', f'1 to config.tracking.topk_max, {self.topk_max}')
