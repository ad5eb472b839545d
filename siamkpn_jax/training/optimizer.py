"""Adam in two groups, the freeze boundary, and the rate of every step (SPEC 7).

One optimizer for the whole run. While the backbone is frozen its part of the
optimizer rests, so that Adam's bias correction starts when its training does.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

# First and last rate of the steps over the first quarter of the epochs, then
# of the exponential decay over the others.
_RATES = {
    'paper': ((5e-3, 2e-3), (2e-3, 5e-4)),
    'released': ((2.5e-4, 1e-4), (1e-4, 2.5e-5)),
}
_WARMUP = 0.05  # of all steps, 'cosine' only


def learning_rate(schedule: str, epochs: int, steps_per_epoch: int,
                  peak_lr: float) -> Callable[[jax.Array], jax.Array]:
  """Step -> learning rate of the head.

  Args:
    schedule: 'paper' (the text's rates), 'released' (those of the released
      configuration, 20 times lower), both constant inside an epoch, or
      'cosine' (linear warm-up to `peak_lr`, then a half cosine to zero).
    epochs: of the run.
    steps_per_epoch: steps in each of them.
    peak_lr: 'cosine' only.

  Raises:
    ValueError: unknown schedule.
  """
  steps = epochs * steps_per_epoch
  if schedule == 'cosine':
    warmup = min(max(1, round(_WARMUP * steps)), steps - 1)
    return optax.warmup_cosine_decay_schedule(0.0, peak_lr, warmup, steps)
  if schedule not in _RATES:
    raise ValueError(f"schedule '{schedule}'; expected 'paper', 'released' or "
                     "'cosine'")
  first, rest = _RATES[schedule]
  quarter = max(1, round(epochs / 4))
  table = np.concatenate([np.geomspace(*first, quarter),
                          np.geomspace(*rest, max(1, epochs - quarter))])
  rates = jnp.asarray(table[:epochs], jnp.float32)
  return lambda step: rates[jnp.minimum(step // steps_per_epoch, epochs - 1)]


def param_groups(params: Any, backbone_layers: Sequence[str]) -> Any:
  """Labels every parameter 'head', 'backbone' or 'frozen'.

  Args:
    params: of a SiamKPN.
    backbone_layers: the layers that train once the backbone is unfrozen.
  """
  def group(path, unused_leaf):
    if path[0].key != 'backbone':
      return 'head'
    layer = path[1].key.split('_')[0]  # 'layer3_0' -> 'layer3'
    return 'backbone' if layer in backbone_layers else 'frozen'
  return jax.tree.map_with_path(group, params)


def make_optimizer(
    backbone_layers: Sequence[str], backbone_lr_scale: float,
    clip_norm: float) -> optax.GradientTransformationExtraArgs:
  """The update direction for a rate of 1; `scale_by_rate` applies the rate.

  `update` takes the keyword `unfrozen`: whether the backbone trains.

  Args:
    backbone_layers: the layers that ever train, the last ones of a backbone.
    backbone_lr_scale: their rate as a part of the head's.
    clip_norm: largest norm of the gradient over all that trains.
  """
  layers = tuple(backbone_layers)
  resting = optax.transforms.conditionally_mask(
      optax.chain(optax.scale_by_adam(), optax.scale(backbone_lr_scale)),
      lambda step, unfrozen, **unused: unfrozen, forward_extra_args=True)
  return optax.chain(
      optax.clip_by_global_norm(clip_norm),
      optax.partition(
          {'head': optax.scale_by_adam(), 'backbone': resting,
           'frozen': optax.set_to_zero()},
          lambda params: param_groups(params, layers)))


def scale_by_rate(updates: Any, rate: jax.Array) -> Any:
  """Directions -> parameter changes."""
  return jax.tree.map(lambda u: -rate * u, updates)
