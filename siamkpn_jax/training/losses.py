"""Losses of one batch, from logits, with static shapes (SPEC 6)."""

from collections.abc import Sequence

import flax
import jax
import jax.numpy as jnp

from siamkpn_jax.config.settings import LossConfig
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.training.targets import Targets


@flax.struct.dataclass
class Counts:
  """What the losses of a batch are divided by; at least 1 each.

  Attributes:
    positives: [s] float, positive cells of each stage's heatmap.
    offsets: () float, cells in which offsets are learned.
    size: () float, cells in which sizes are learned.
  """

  positives: jax.Array
  offsets: jax.Array
  size: jax.Array


def count_cells(targets: Targets) -> Counts:
  """The counts of a whole batch."""
  least = lambda mask, axis: jnp.maximum(
      mask.sum(axis, dtype=jnp.float32), 1)
  return Counts(least(targets.heatmaps == 1.0, (1, 2, 3)),
                least(targets.offsets_mask, None),
                least(targets.size_mask, None))


def heatmap_loss(logits: jax.Array, labels: jax.Array, config: LossConfig,
                 positives: jax.Array | None = None) -> jax.Array:
  """Weight-balanced focal loss (paper, equation 5).

  Args:
    logits: [b, 31, 31].
    labels: [b, 31, 31] in [0, 1]; exactly 1 marks a positive.
    config: exponents and weights.
    positives: () number to divide by; None for that of the labels.

  Returns:
    Scalar: the sum over cells, divided by the number of positives (at least 1).
  """
  positive = labels == 1.0
  log_p = jax.nn.log_sigmoid(logits)
  log_q = jax.nn.log_sigmoid(-logits)  # log(1 - p)
  # Powers of p as exponentials of logs: exact where p itself rounds to 0 or 1.
  on_positive = jnp.exp(config.alpha * log_q) * log_p
  on_negative = ((1 - labels)**config.beta *
                 jnp.exp(config.alpha * log_p) * log_q)
  # Reference: the paper weighs positives by 1 - gamma, the released program
  # by 1.
  terms = jnp.where(positive, config.positive_weight * on_positive,
                    config.gamma * on_negative)
  if positives is None:
    positives = jnp.maximum(positive.sum(), 1)
  return -terms.sum() / positives


def smooth_l1(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Elementwise smooth-l1 (paper, equation 8)."""
  error = jnp.abs(prediction - target)
  return jnp.where(error < 1, 0.5 * error**2, error - 0.5)


def masked_mean(values: jax.Array, mask: jax.Array,
                cells: jax.Array) -> jax.Array:
  """Sum of [b, h, w, c] values where masked in, / number of cells / c."""
  total = jnp.where(mask[..., None], values, 0.0).sum()
  return total / (cells * values.shape[-1])


def siamkpn_losses(maps: Sequence[Predictions], targets: Targets,
                   config: LossConfig,
                   counts: Counts | None = None) -> dict[str, jax.Array]:
  """All losses of a batch (paper, equation 9).

  Args:
    maps: predictions per stage.
    targets: labels of the same batch.
    config: weights.
    counts: of the batch that these examples are a part of: then the losses of
      all parts add up to those of the batch. None: they are all of it.

  Returns:
    Scalars: 'loss', the total; 'heatmap', 'offsets' and 'size', means over the
    stages; the same per stage as 'stage1/heatmap' and so on.
  """
  counts = counts or count_cells(targets)
  losses: dict[str, jax.Array] = {}
  for s, stage in enumerate(maps):
    label = targets.heatmaps[s]  # b x 31 x 31
    # Reference: as the released program does, the label weighs prediction and
    # target inside the smooth-l1, so that small errors count by its square.
    # That program misaligns the weights for batches larger than 1; here they
    # are aligned. The paper has no weights.
    weight = label[..., None]
    offsets = smooth_l1(weight * stage.offsets, weight * targets.offsets)
    size = smooth_l1(stage.size, targets.size)
    losses |= {
        f'stage{s + 1}/heatmap': heatmap_loss(
            stage.heatmap[..., 0], label, config, counts.positives[s]),
        f'stage{s + 1}/offsets': masked_mean(
            offsets, targets.offsets_mask, counts.offsets),
        f'stage{s + 1}/size': masked_mean(
            size, targets.size_mask, counts.size)}
  for task in ('heatmap', 'offsets', 'size'):
    # Reference: the mean over stages, as released; the paper writes a sum.
    losses[task] = jnp.mean(jnp.stack(
        [losses[f'stage{s + 1}/{task}'] for s in range(len(maps))]))
  losses['loss'] = (losses['heatmap'] +
                    config.offsets_weight * losses['offsets'] +
                    config.size_weight * losses['size'])
  return losses
