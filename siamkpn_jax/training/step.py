"""One training step as a pure function: augment, label, forward, update."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.training import augment
from siamkpn_jax.training.losses import LossConfig, siamkpn_losses
from siamkpn_jax.training.optimizer import scale_by_rate
from siamkpn_jax.training.state import TrainState
from siamkpn_jax.training.targets import TargetConfig, Targets, make_targets

Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class TrainStep:
  """What a step needs besides state and batch; hashable, hence jittable.

  Attributes:
    model: the network.
    optimizer: see `optimizer.make_optimizer`.
    learning_rate: step -> rate.
    template: augmentation of the template crop.
    search: augmentation of the search crop.
    targets: variant of the labels.
    loss: weights of the losses.
    backbone_layers: layers that train when the backbone is unfrozen.
    max_loss: a step with a larger loss, or one not finite, is skipped.
    seed: of the augmentation.
  """

  model: SiamKPN
  optimizer: optax.GradientTransformationExtraArgs
  learning_rate: Callable[[jax.Array], jax.Array]
  template: augment.CropAugment
  search: augment.CropAugment
  targets: TargetConfig
  loss: LossConfig
  backbone_layers: tuple[str, ...]
  max_loss: float
  seed: int

  def __call__(self, state: TrainState, batch: Mapping[str, jax.Array], *,
               unfrozen: bool) -> tuple[TrainState, Metrics]:
    """One step.

    Args:
      state: before it.
      batch: as `Loader` makes them.
      unfrozen: static; whether the backbone trains.

    Returns:
      The state after it, and scalars: the losses, the rate, the norm of the
      gradient, whether the step was skipped.
    """
    z, x, labels = self.prepare(batch)
    grads, losses, batch_stats = self.gradients(
        state.params, state.batch_stats, z, x, labels, unfrozen=unfrozen)
    rate = self.learning_rate(state.step)
    updates, opt_state = self.optimizer.update(
        grads, state.opt_state, state.params, unfrozen=unfrozen)
    params = optax.apply_updates(state.params, scale_by_rate(updates, rate))
    grad_norm = optax.tree.norm(grads)
    good = ((losses['loss'] <= self.max_loss) & jnp.isfinite(losses['loss']) &
            jnp.isfinite(grad_norm))
    keep = lambda new, old: jax.tree.map(
        lambda n, o: jnp.where(good, n, o), new, old)
    new_state = TrainState(
        step=state.step + 1,
        skipped=state.skipped + ~good,
        params=keep(params, state.params),
        batch_stats=keep(batch_stats, state.batch_stats),
        opt_state=keep(opt_state, state.opt_state))
    metrics = losses | {'learning_rate': rate, 'grad_norm': grad_norm,
                        'skipped': new_state.skipped}
    return new_state, metrics

  def gradients(self, params: Any, batch_stats: Any, z: jax.Array,
                x: jax.Array, labels: Targets, *, unfrozen: bool
                ) -> tuple[Any, Metrics, Any]:
    """Forward and backward of one batch.

    Args:
      params: of the network.
      batch_stats: running means and variances.
      z: [b, 127, 127, 3] template crops, BGR 0..255.
      x: [b, 255, 255, 3] search crops.
      labels: of the search crops.
      unfrozen: static; whether the backbone trains.

    Returns:
      Gradients of the total loss (zero where frozen), all losses, and the
      statistics after the batch.
    """
    def loss_fn(params):
      maps, updates = self.model.apply(
          {'params': params, 'batch_stats': batch_stats}, z, x,
          train=True, mutable=['batch_stats'],
          train_layers=self.backbone_layers if unfrozen else ())
      losses = siamkpn_losses(maps, labels, self.loss)
      return losses['loss'], (losses, updates['batch_stats'])

    grads, (losses, stats) = jax.grad(loss_fn, has_aux=True)(params)
    return grads, losses, stats

  def prepare(self, batch: Mapping[str, jax.Array]
              ) -> tuple[jax.Array, jax.Array, Targets]:
    """Raw patches -> template crops, search crops and labels."""
    def one(example):
      key = jax.random.fold_in(jax.random.key(self.seed), example['index'])
      z_key, x_key = jax.random.split(key)
      z, _ = augment.random_crop(
          z_key, example['template'], example['template_wh'], self.template)
      x, cxcywh = augment.random_crop(
          x_key, example['search'], example['search_wh'], self.search)
      grey = example['grey']
      return (jnp.where(grey, augment.to_grey(z), z),
              jnp.where(grey, augment.to_grey(x), x), cxcywh)
    z, x, cxcywh = jax.vmap(one)(dict(batch))
    labels = make_targets(
        cxcywh, batch['negative'], self.model.num_stages, self.targets)
    return z, x, labels
