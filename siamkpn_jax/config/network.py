"""Settings needed to track with a checkpoint: network and decoding."""

import dataclasses

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

_MOST_CELLS = geometry.map_size(geometry.SEARCH_SIZES[-1])**2  # of a map


@dataclasses.dataclass(frozen=True)
class ModelConfig(Section):
  """The network, and the weights that training starts from (SPEC 2-4).

  Attributes:
    arch: backbone, a key of `architectures.LAYERS`.
    width: channels of the backbone's first layer.
    levels: backbone layers whose features are used, in order.
    channels: channels of neck and head.
    num_stages: number of cascade stages.
    head_sharing: whether each level has template and search convolutions per
      task ('per_task'), or one set for all tasks ('shared').
    head_conv: 'full', or 'separable' for a tenth of the computation.
    level_fusion: how levels are combined: by learned weights ('softmax') or
      equally ('mean').
    dtype: type of the computation; parameters, batch statistics and predictions
      are always float32.
    weights: checkpoint that training starts from; '' for random weights.
    backbone_weights: checkpoint that only the backbone is taken from.
  """

  arch: str = setting('resnet50', Range(
      architectures.LAYERS.__contains__,
      f'one of {", ".join(architectures.LAYERS)}'))
  width: int = setting(64, at_least(1, 4096))
  levels: tuple[str, ...] = ('layer2', 'layer3', 'layer4')
  channels: int = setting(256, at_least(1, 2**14))
  num_stages: int = setting(3, at_least(1, 16))
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
          'set; expected only one, as the whole network includes a backbone: '
          'unset the other')
    allowed = architectures.levels_of(self.arch)
    if not self.levels or self.levels != tuple(
        layer for layer in allowed if layer in self.levels):
      raise self.wrong('levels', f'some of {allowed}, in order, of {self.arch}')


@dataclasses.dataclass(frozen=True)
class TrackingConfig(Section):
  """How a box is chosen (SPEC 8); defaults: three stages on VOT2018.

  Attributes:
    penalty_k: strength of the penalty on changes of scale and aspect ratio.
    window_influence: weight of the window that favors small displacements.
    size_lr: rate at which the box size follows the prediction.
    topk_max: largest number of candidates.
    topk_min: number of best candidates that are kept whatever their score.
    threshold: score that any further candidate must exceed.
    search_size: side of the search crop, pixels, at the scale at which the
      template has 127. A network of any weights takes all of them: a smaller
      one is faster, a larger one sees a target that moves further in a frame.
    box_correction: part of the difference between the network's box and the
      given one, as measured in the first frame, that is taken off later boxes.
  """

  penalty_k: float = setting(0.10, at_least(0, 1000))
  window_influence: float = setting(0.54, between(0, 1))
  size_lr: float = setting(0.59, between(0, 1))
  topk_max: int = setting(16, between(1, _MOST_CELLS))
  topk_min: int = setting(4, between(1, _MOST_CELLS))
  threshold: float = setting(0.15, between(0, 1))
  search_size: int = setting(geometry.SEARCH_SIZE, Range(
      geometry.SEARCH_SIZES.__contains__,
      f'{geometry.SEARCH_SIZES[0]}, {geometry.SEARCH_SIZES[1]}, ... or '
      f'{geometry.SEARCH_SIZES[-1]} (steps of {geometry.SEARCH_SIZES.step})'))
  box_correction: float = setting(0.0, between(0, 1))

  def _check(self) -> None:
    cells = geometry.map_size(self.search_size)**2
    if self.topk_max > cells:
      raise self.wrong('topk_max', f'1 to {cells}, the cells of a map of '
                       f'config.tracking.search_size {self.search_size}')
    if self.topk_min > self.topk_max:
      raise self.wrong(
          'topk_min', f'1 to config.tracking.topk_max, {self.topk_max}')
