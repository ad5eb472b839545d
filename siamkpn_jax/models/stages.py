"""What every backbone does with its stages: freezes, runs, collects."""

from collections.abc import Callable, Collection, Sequence

import flax.linen as nn
import jax

from siamkpn_jax.models.layers import call


def run_stages(x: jax.Array, layers: Sequence[str],
               blocks_of: Callable[[str, int], list[nn.Module]], *,
               levels: Sequence[str], train_layers: Collection[str],
               remat: bool) -> dict[str, jax.Array]:
  """Runs the blocks of a backbone up to its last level.

  Args:
    x: [b, h, w, c] output of the stem.
    layers: names of the stem and of the stages.
    blocks_of: stage, channels of its input -> its blocks, which take `train`.
    levels: the stages whose outputs are returned.
    train_layers: the layers whose batch normalization uses and updates batch
      statistics; no gradient flows below the lowest of them. A suffix of
      `layers` or nothing.
    remat: see `layers.call`; frozen blocks have no gradient.

  Returns:
    For each level [b, h', w', c'].
  """
  features = {}
  train = layers[0] in train_layers
  for stage in layers[1:]:
    if not train and stage in train_layers:
      x = jax.lax.stop_gradient(x)
    train = stage in train_layers
    for block in blocks_of(stage, x.shape[-1]):
      x = call(type(block).__call__, block, x, train=train,
               remat=remat and train)
    if stage in levels:
      features[stage] = x if train else jax.lax.stop_gradient(x)
    if stage == levels[-1]:
      break
  return features
