"""What decides how a box is chosen; free of JAX, which not every engine needs.

`tracking.decode` makes `Hyperparameters` a pytree.
"""

import dataclasses
from typing import TYPE_CHECKING, Union

import numpy as np

from siamkpn_jax.config.learning import TargetsConfig
from siamkpn_jax.config.network import TrackingConfig
from siamkpn_jax.core import geometry

if TYPE_CHECKING:
  import jax

Number = Union['jax.Array', np.ndarray, float]
MIN_SIDE = 10.0  # of a box, pixels
SEARCH_SIZE = 'search_size'  # the hyperparameter that a network is exported for


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
  """Numbers of the choice that are traced: other values compile nothing.

  Attributes:
    penalty_k: () strength of the penalty on changes of scale and aspect ratio.
    window_influence: () weight of the window that favors small displacements.
    size_lr: () rate at which the size follows the prediction.
    threshold: () score that all but the best few candidates must exceed.
  """

  penalty_k: Number
  window_influence: Number
  size_lr: Number
  threshold: Number


def checked(given: Hyperparameters) -> Hyperparameters:
  """The hyperparameters of one target, if all of them are in their ranges.

  Raises:
    UserError: one is not; see `TrackingConfig`.
  """
  TrackingConfig(
      penalty_k=float(given.penalty_k), size_lr=float(given.size_lr),
      window_influence=float(given.window_influence),
      threshold=float(given.threshold))
  return given


@dataclasses.dataclass(frozen=True)
class CandidateRule:
  """The static part of the choice.

  Attributes:
    topk_max: candidates at most.
    topk_min: candidates at least, whatever their scores.
    offset_unit: crop pixels that an offset of 1 stands for.
  """

  topk_max: int
  topk_min: int
  offset_unit: float


@dataclasses.dataclass(frozen=True)
class DecodeConfig:
  """How a box is found: `Hyperparameters`, `CandidateRule`, what is seen.

  Raises:
    UserError: a value that its setting in `TrackingConfig` does not allow.
  """

  penalty_k: float
  window_influence: float
  size_lr: float
  topk_max: int = TrackingConfig.topk_max
  topk_min: int = TrackingConfig.topk_min
  threshold: float = TrackingConfig.threshold
  search_size: int = TrackingConfig.search_size
  box_correction: float = TrackingConfig.box_correction
  offset_unit: float = geometry.offset_unit(TargetsConfig.offset_target)

  def __post_init__(self) -> None:
    """Checks every number."""
    TrackingConfig(**{field.name: getattr(self, field.name)
                      for field in dataclasses.fields(TrackingConfig)})

  @property
  def hyperparameters(self) -> Hyperparameters:
    """Those that are traced."""
    return Hyperparameters(self.penalty_k, self.window_influence, self.size_lr,
                           self.threshold)

  @property
  def rule(self) -> CandidateRule:
    """Those that are compiled in."""
    return CandidateRule(self.topk_max, self.topk_min, self.offset_unit)


def no_heatmaps(config: DecodeConfig) -> np.ndarray:
  """[0, n, n] float32: the maps of a target that was not searched for."""
  side = geometry.map_size(config.search_size)
  return np.zeros((0, side, side), np.float32)
