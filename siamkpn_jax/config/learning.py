"""Training settings: targets, losses, optimization and validation."""

import dataclasses
import math

from siamkpn_jax.config.section import (
  COUNT,
  Range,
  Section,
  above,
  at_least,
  between,
  one_of,
  setting,
)
from siamkpn_jax.core import geometry

_WEIGHT = 1e4  # of a part of the loss, at most
_LOSS = 1e12  # that is still far from the largest float32
_PAIRS = 2**32  # numbers of the pairs of a run


@dataclasses.dataclass(frozen=True)
class TargetsConfig(Section):
  """Training targets (SPEC 5).

  Attributes:
    sigma: standard deviation of the first stage's Gaussian, cells.
    rho: factor by which it shrinks from stage to stage.
    heatmap_radius: distance in cells beyond which the heatmap is zero; None or
      infinity for the paper's untruncated Gaussian.
    heatmap_shrink: 'cascade' (each stage has its own Gaussian, as in the paper)
      or 'released' (all stages have that of the last one).
    offset_target: 'released' (distance to the center at every cell of the
      circle, in units of 64 pixels) or 'paper' (quantization error of the
      stride at the center cell, in cells).
  """

  sigma: float = setting(geometry.MAP_SIZE / 16, between(0.01, 1000))
  rho: float = setting(0.9, between(0.1, 10))
  heatmap_radius: float | None = setting(
      geometry.MAP_SIZE / 8, Range(
          lambda r: 0 < r <= 1000 or r == math.inf,
          'more than 0, at most 1000, or infinity'))
  heatmap_shrink: str = setting('cascade', one_of('cascade', 'released'))
  offset_target: str = setting('released', one_of('released', 'paper'))


@dataclasses.dataclass(frozen=True)
class LossConfig(Section):
  """Losses and their weights (SPEC 6).

  Attributes:
    alpha: focusing exponent of the heatmap loss.
    beta: exponent that reduces the loss at cells near the center.
    gamma: weight of the negative cells.
    positive_weight: weight of the center cell: 1 (released) or 0.95 = 1 - gamma
      (paper, equation 5).
    offsets_weight: weight of the offset loss, lambda 1 of the paper.
    size_weight: weight of the size loss, lambda 2 of the paper.
  """

  alpha: float = setting(2.0, at_least(0, 100))
  beta: float = setting(4.0, at_least(0, 100))
  gamma: float = setting(0.05, at_least(0, _WEIGHT))
  positive_weight: float = setting(1.0, at_least(0, _WEIGHT))
  offsets_weight: float = setting(1.0, at_least(0, _WEIGHT))
  size_weight: float = setting(0.05, at_least(0, _WEIGHT))


@dataclasses.dataclass(frozen=True)
class TrainConfig(Section):
  """Optimization, memory, logging and checkpoints (SPEC 7).

  Attributes:
    batch_size: pairs per step, over all devices.
    accumulate: number of parts that a batch is processed in, to save memory.
    shard_optimizer: shard Adam's moments over the devices.
    remat: 'none', or 'blocks' to recompute activations in the backward pass.
    epochs: number of epochs.
    pairs_per_epoch: pairs per epoch.
    schedule: learning rate schedule, see `optimizer.learning_rate`.
    peak_lr: peak learning rate of 'cosine'.
    freeze_epochs: number of first epochs with a frozen backbone.
    backbone_layers: backbone layers to train after that, always the last ones.
    backbone_lr_scale: their learning rate as a fraction of the head's.
    clip_norm: largest norm of the gradient.
    ema_decay: decay of the moving average of the weights that is used for
      tracking, such as 0.9998; 0 to use the last weights.
    max_loss: steps with a larger or non-finite loss are skipped.
    max_skipped: most steps that may be skipped between two log lines; 0 for no
      limit.
    log_every: steps between log lines.
    save_every: steps between checkpoints.
    keep_checkpoints: number of newest checkpoints to keep.
  """

  batch_size: int = setting(80, at_least(1, 2**20))
  accumulate: int = setting(1, at_least(1, 2**20))
  shard_optimizer: bool = False
  remat: str = setting('none', one_of('none', 'blocks'))
  epochs: int = setting(20, at_least(1))
  pairs_per_epoch: int = setting(450_000, at_least(1))
  schedule: str = setting('released', one_of('paper', 'released', 'cosine'))
  peak_lr: float = setting(1e-3, at_least(0, 10))
  freeze_epochs: int = setting(10, at_least(0))
  backbone_layers: tuple[str, ...] = ('layer2', 'layer3', 'layer4')
  backbone_lr_scale: float = setting(0.1, at_least(0, 100))
  clip_norm: float = setting(10.0, above(0, _LOSS))
  ema_decay: float = setting(
      0.0, Range(lambda x: 0 <= x < 1, '0 or more, below 1'))
  max_loss: float = setting(1e4, above(0, _LOSS))
  max_skipped: int = setting(0, at_least(0))
  log_every: int = setting(50, at_least(1))
  save_every: int = setting(2_000, at_least(1))
  keep_checkpoints: int = setting(3, at_least(1))

  def _check(self) -> None:
    if self.batch_size % self.accumulate:
      raise self.wrong('accumulate', 'a divisor of config.train.batch_size, '
                       f'{self.batch_size}')
    if self.total_steps > COUNT:
      raise self.wrong('epochs', f'no more than {COUNT} steps in all')
    if self.total_steps * self.batch_size > _PAIRS:
      raise self.wrong('epochs', f'no more than {_PAIRS} pairs in all')

  @property
  def steps_per_epoch(self) -> int:
    """Steps per epoch: whole batches, at least 1."""
    return max(1, self.pairs_per_epoch // self.batch_size)

  @property
  def total_steps(self) -> int:
    """Number of steps of the whole run."""
    return self.epochs * self.steps_per_epoch

  @property
  def unfreeze_step(self) -> int:
    """The last step with a frozen backbone, 0 if there is none."""
    return self.freeze_epochs * self.steps_per_epoch


@dataclasses.dataclass(frozen=True)
class ValidationConfig(Section):
  """Validation by tracking, at every checkpoint.

  Attributes:
    data: folder of sequences in OTB layout; '' for rendered videos.
    zero_based: names of sequences in it whose annotations are 0-based.
    sequences: number of sequences, the first ones; 0 for no validation.
    rendered: number of rendered videos in addition to `data`, scored
      separately.
    frames: number of frames of each sequence, the first ones; 0 for all.
  """

  data: str = ''
  zero_based: tuple[str, ...] = ()
  sequences: int = setting(8, at_least(0))
  rendered: int = setting(0, at_least(0, 100_000))
  frames: int = setting(60, at_least(0))

  def _check(self) -> None:
    if self.rendered and not (self.data and self.sequences):
      raise self.wrong(
          'rendered', '0 if config.validation.data is empty (all videos are '
          'rendered then) or config.validation.sequences is 0')
