"""Settings of the training itself: labels, losses, optimizer, validation."""

import dataclasses

from siamkpn_jax.config.section import (
  POSITIVE,
  Range,
  Section,
  at_least,
  one_of,
  setting,
)
from siamkpn_jax.core import geometry


@dataclasses.dataclass(frozen=True)
class TargetsConfig(Section):
  """What the network is taught (SPEC 5).

  Attributes:
    sigma: standard deviation of the first stage's Gaussian, cells.
    rho: factor by which it shrinks from stage to stage.
    heatmap_radius: distance, in cells, from which on the heatmap is zero; None
      or infinity for the paper's untruncated form.
    heatmap_shrink: 'cascade' (each stage its own Gaussian, as the paper says)
      or 'released' (every stage the last one's).
    offset_target: 'released' (distance to the center for every cell of the
      circle, in units of 64 pixels) or 'paper' (what rounding to the stride
      loses, at the center cell, in cells).
  """

  sigma: float = setting(geometry.MAP_SIZE / 16, POSITIVE)
  rho: float = setting(0.9, POSITIVE)
  heatmap_radius: float | None = setting(geometry.MAP_SIZE / 8, POSITIVE)
  heatmap_shrink: str = setting('cascade', one_of('cascade', 'released'))
  offset_target: str = setting('released', one_of('released', 'paper'))


@dataclasses.dataclass(frozen=True)
class LossConfig(Section):
  """Weights of the losses (SPEC 6).

  Attributes:
    alpha: focusing exponent of the heatmap loss.
    beta: exponent that spares the neighbors of the center.
    gamma: weight of the negative cells.
    positive_weight: weight of the center cell: 1 (released), 0.95 = 1 - gamma
      (paper, equation 5).
    offsets_weight: lambda 1.
    size_weight: lambda 2.
  """

  alpha: float = setting(2.0, at_least(0))
  beta: float = setting(4.0, at_least(0))
  gamma: float = setting(0.05, at_least(0))
  positive_weight: float = setting(1.0, at_least(0))
  offsets_weight: float = setting(1.0, at_least(0))
  size_weight: float = setting(0.05, at_least(0))


@dataclasses.dataclass(frozen=True)
class TrainConfig(Section):
  """Steps, rates, memory, and what is logged and saved (SPEC 7).

  Attributes:
    batch_size: pairs of a step, on all devices together.
    accumulate: parts of the batch, one after the other: less memory.
    shard_optimizer: each device keeps a part of Adam's moments.
    remat: 'none', or 'blocks': computes again what it does not keep.
    epochs: of the run.
    pairs_per_epoch: in each of them.
    schedule: of the learning rate, see `optimizer.learning_rate`.
    peak_lr: its peak, 'cosine' only.
    freeze_epochs: the first epochs, in which the backbone rests.
    backbone_layers: its layers that train after that, the last ones.
    backbone_lr_scale: their rate, as a fraction of the head's.
    clip_norm: largest norm of the gradient.
    ema_decay: tracking gets a moving average of the weights with this share of
      the old (such as 0.9998) after every step; 0 for the last weights.
    max_loss: a step whose loss is larger or not finite is skipped.
    max_skipped: in the steps between two log lines; 0 for any number.
    log_every: steps.
    save_every: steps.
    keep_checkpoints: how many of the newest are kept.
  """

  batch_size: int = setting(80, at_least(1))
  accumulate: int = setting(1, at_least(1))
  shard_optimizer: bool = False
  remat: str = setting('none', one_of('none', 'blocks'))
  epochs: int = setting(20, at_least(1))
  pairs_per_epoch: int = setting(450_000, at_least(1))
  schedule: str = setting('released', one_of('paper', 'released', 'cosine'))
  peak_lr: float = setting(1e-3, at_least(0))
  freeze_epochs: int = setting(10, at_least(0))
  backbone_layers: tuple[str, ...] = ('layer2', 'layer3', 'layer4')
  backbone_lr_scale: float = setting(0.1, at_least(0))
  clip_norm: float = setting(10.0, POSITIVE)
  ema_decay: float = setting(
      0.0, Range(lambda x: 0 <= x < 1, '0 or more, below 1'))
  max_loss: float = setting(1e4, POSITIVE)
  max_skipped: int = setting(0, at_least(0))
  log_every: int = setting(50, at_least(1))
  save_every: int = setting(2_000, at_least(1))
  keep_checkpoints: int = setting(3, at_least(1))

  def _check(self) -> None:
    if self.batch_size % self.accumulate:
      raise self.wrong('accumulate', 'a divisor of config.train.batch_size, '
                       f'{self.batch_size}')

  @property
  def steps_per_epoch(self) -> int:
    """Whole batches in an epoch, at least 1."""
    return max(1, self.pairs_per_epoch // self.batch_size)

  @property
  def total_steps(self) -> int:
    """Of the run."""
    return self.epochs * self.steps_per_epoch

  @property
  def unfreeze_step(self) -> int:
    """The last step whose backbone is frozen, 0 if none is."""
    return self.freeze_epochs * self.steps_per_epoch


@dataclasses.dataclass(frozen=True)
class ValidationConfig(Section):
  """Validation by tracking, at every checkpoint.

  Attributes:
    data: folder of sequences in OTB layout; '' for rendered videos.
    zero_based: its sequences whose boxes count pixels from 0.
    sequences: the first ones; 0 for no validation.
    rendered: rendered videos beside those of data, scored apart.
    frames: of each sequence, the first ones; 0 for all.
  """

  data: str = ''
  zero_based: tuple[str, ...] = ()
  sequences: int = setting(8, at_least(0))
  rendered: int = setting(0, at_least(0))
  frames: int = setting(60, at_least(0))

  def _check(self) -> None:
    if self.rendered and not (self.data and self.sequences):
      raise self.wrong(
          'rendered', '0 without config.validation.data (then all are '
          'rendered) and where config.validation.sequences is 0')
