"""Labels: shrinking Gaussian heatmaps, offsets and sizes (SPEC 5)."""

import flax
import jax
import jax.numpy as jnp

from siamkpn_jax.config.settings import TargetsConfig
from siamkpn_jax.core import geometry

# The offsets and the size are learned in this circle around the center.
REGRESSION_RADIUS = geometry.MAP_SIZE / 8  # cells


@flax.struct.dataclass
class Targets:
  """Labels of a batch.

  Attributes:
    heatmaps: [s, b, 31, 31] one per stage, in [0, 1], 1 at the center cell.
    offsets: [b, 31, 31, 2] x, y.
    size: [b, 31, 31, 2] width, height in search-crop pixels.
    offsets_mask: [b, 31, 31] where offsets are defined.
    size_mask: [b, 31, 31] where sizes are defined.
  """

  heatmaps: jax.Array
  offsets: jax.Array
  size: jax.Array
  offsets_mask: jax.Array
  size_mask: jax.Array


def make_targets(cxcywh: jax.Array, negative: jax.Array, num_stages: int,
                 config: TargetsConfig) -> Targets:
  """Labels of boxes in search crops.

  Args:
    cxcywh: [b, 4] boxes, search-crop pixels.
    negative: [b] bool; the target is not in the crop, all maps are zero.
    num_stages: of the cascade.
    config: the variants of SPEC 5.
  """
  cells = jnp.asarray(geometry.cell_positions(), jnp.float32)  # 31
  to_center_x = cxcywh[:, 0, None, None] - cells[None, None, :]  # b x 1 x 31
  to_center_y = cxcywh[:, 1, None, None] - cells[None, :, None]  # b x 31 x 1
  to_center = jnp.stack(
      jnp.broadcast_arrays(to_center_x, to_center_y), -1)  # b x 31 x 31 x 2
  distance2 = jnp.sum((to_center / geometry.STRIDE)**2, -1)  # b x 31 x 31
  present = ~negative[:, None, None]
  center = _center_cell(cxcywh) & present
  inside = (distance2 < REGRESSION_RADIUS**2) & present

  heatmaps = jnp.stack([
      jnp.where(center, 1.0, present * _gaussian(distance2, s, config))
      for s in _stage_exponents(num_stages, config)])
  size = jnp.where(inside[..., None], cxcywh[:, None, None, 2:], 0.0)
  # Reference: the paper defines the offset at the center cell only.
  offsets_mask = inside if config.offset_target == 'released' else center
  offsets = jnp.where(
      offsets_mask[..., None],
      to_center / geometry.offset_unit(config.offset_target), 0.0)
  return Targets(heatmaps, offsets, size, offsets_mask, inside)


def _stage_exponents(num_stages: int, config: TargetsConfig) -> list[int]:
  """Power of rho of every stage."""
  if config.heatmap_shrink == 'cascade':
    return list(range(num_stages))
  # Reference: the released program puts one array three times into its list of
  # heatmaps, so every stage is trained with the last stage's Gaussian.
  return [num_stages - 1] * num_stages


def _gaussian(distance2: jax.Array, exponent: int,
              config: TargetsConfig) -> jax.Array:
  sigma = config.rho**exponent * config.sigma
  heatmap = jnp.exp(-distance2 / (2 * sigma**2))
  if config.heatmap_radius is None:
    return heatmap
  # Reference: the released program cuts the Gaussian off, the paper does not.
  return jnp.where(distance2 < config.heatmap_radius**2, heatmap, 0.0)


def _center_cell(cxcywh: jax.Array) -> jax.Array:
  """[b, 4] -> [b, 31, 31] True at the cell nearest to the center."""
  cell = jnp.round(geometry.MAP_CENTER +
                   (cxcywh[:, :2] - geometry.CROP_CENTER) / geometry.STRIDE)
  index = jnp.arange(geometry.MAP_SIZE)
  return ((index[None, None, :] == cell[:, 0, None, None]) &
          (index[None, :, None] == cell[:, 1, None, None]))
