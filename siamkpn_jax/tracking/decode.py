"""From the last stage's maps to the next box (SPEC 8)."""

import flax
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.tracking.choice import (
    CandidateRule,
    DecodeConfig,
    Hyperparameters,
    Number,
)

__all__ = ['CandidateRule', 'DecodeConfig', 'Decoded', 'Hyperparameters',
           'decode']

jax.tree_util.register_dataclass(Hyperparameters)


@flax.struct.dataclass
class Decoded:
  """What was found in a search crop.

  Attributes:
    shift: [2] x, y from the last center to the new one, frame pixels.
    size: [2] smoothed width and height, frame pixels.
    score: () heatmap value of the chosen cell, 0..1.
  """

  shift: jax.Array
  size: jax.Array
  score: jax.Array


def decode(maps: Predictions, size: jax.Array | np.ndarray,
           scale: jax.Array | np.ndarray,
           hyperparameters: Hyperparameters, rule: CandidateRule) -> Decoded:
  """Chooses the best candidate of one search crop.

  Args:
    maps: of one stage and one crop, without the batch axis.
    size: [2] the target's last width and height, frame pixels.
    scale: () crop pixels per frame pixel.
    hyperparameters: of this target.
    rule: which cells are candidates.
  """
  cells = maps.heatmap.shape[0]
  score = jax.nn.sigmoid(maps.heatmap[..., 0]).reshape(-1)  # n = cells^2
  shift = _cell_shifts(cells) + rule.offset_unit * maps.offsets.reshape(-1, 2)
  predicted = maps.size.reshape(-1, 2)  # n x 2
  penalty = _penalty(predicted, size * scale, hyperparameters.penalty_k)  # n
  influence = hyperparameters.window_influence
  final = score * penalty * (1 - influence) + _window(cells) * influence
  candidates = _candidates(score, hyperparameters.threshold, rule)
  best = jnp.argmax(jnp.where(candidates, final, -jnp.inf))
  rate = penalty[best] * score[best] * hyperparameters.size_lr
  smoothed = (1 - rate) * size + rate * predicted[best] / scale
  # Before it has learned anything, a network predicts sizes whose penalty
  # comes near the largest float. NaN of the network stays visible.
  overflow = (jnp.isfinite(rate) & jnp.isfinite(predicted[best]).all() &
              ~jnp.isfinite(smoothed).all())
  return Decoded(
      shift=shift[best] / scale,
      size=jnp.where(overflow, size, smoothed),
      score=score[best])


def _candidates(score: jax.Array, threshold: Number,
                rule: CandidateRule) -> jax.Array:
  """[n] -> [n] True for the cells that may be chosen."""
  # Reference: the released program takes at most 16 and at least 4; the
  # paper's text says 32 and 8.
  top, cells = jax.lax.top_k(score, rule.topk_max)
  rank = jnp.arange(rule.topk_max)
  chosen = (top > threshold) | (rank < rule.topk_min)
  return jnp.zeros(score.shape, bool).at[cells].set(chosen)


def _penalty(predicted: jax.Array, last: jax.Array | np.ndarray,
             k: Number) -> jax.Array:
  """[n, 2] sizes against the last [2], crop pixels -> [n], mostly in (0, 1]."""
  # Reference: the paper's equation 10 has neither the minus sign nor the
  # -1, and repeats s1.
  scale = _larger_ratio(_extent(predicted), _extent(last))
  aspect = _larger_ratio(predicted[..., 0] / predicted[..., 1],
                         last[0] / last[1])
  penalty = jnp.exp(-k * (scale * aspect - 1))
  # Reference: sizes that are not positive pass as in the released program,
  # except where the penalty would not be a number: that cell's score counts
  # nothing, so that no NaN reaches the box.
  return jnp.where(jnp.isfinite(penalty), penalty, 0.0)


def _extent(size: jax.Array | np.ndarray) -> jax.Array:
  return geometry.context_side(size[..., 0], size[..., 1])


def _larger_ratio(a: jax.Array, b: jax.Array) -> jax.Array:
  return jnp.maximum(a / b, b / a)


def _cell_shifts(cells: int) -> np.ndarray:
  """[n, 2] x, y of every cell relative to the crop's center, crop pixels."""
  position = geometry.cell_shifts(cells)
  y, x = np.meshgrid(position, position, indexing='ij')
  return np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)


def _window(cells: int) -> np.ndarray:
  """[n] Hanning window over the map."""
  hanning = np.hanning(cells)
  return np.outer(hanning, hanning).reshape(-1).astype(np.float32)
