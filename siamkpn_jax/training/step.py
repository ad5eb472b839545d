"""One training step as a pure function: augment, label, forward, update."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from siamkpn_jax.config.settings import (
  AugmentConfig,
  LossConfig,
  TargetsConfig,
)
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.training import photometric
from siamkpn_jax.training.augment import (
  CropAugment,
  mirrored,
  random_crop,
  search_crops,
  template_crops,
  to_gray,
)
from siamkpn_jax.training.losses import Counts, count_cells, siamkpn_losses
from siamkpn_jax.training.optimizer import scale_by_rate
from siamkpn_jax.training.state import TrainState, moving_average
from siamkpn_jax.training.targets import Targets, make_targets

Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class TrainStep:
  """What a step needs besides state and batch; hashable, hence jittable.

  Attributes:
    model: the network.
    optimizer: see `optimizer.make_optimizer`.
    learning_rate: step -> rate.
    augment: how both crops vary.
    targets: variant of the labels.
    loss: weights of the losses.
    backbone_layers: layers that train when the backbone is unfrozen.
    max_loss: a step with a larger loss, or one not finite, is skipped.
    seed: of the augmentation.
    accumulate: parts that the batch is worked through in, see
      `accumulated_gradients`.
    ema_decay: see `state.moving_average`; 0 for none.
  """

  model: SiamKPN
  optimizer: optax.GradientTransformationExtraArgs
  learning_rate: Callable[[jax.Array], jax.Array]
  augment: AugmentConfig
  targets: TargetsConfig
  loss: LossConfig
  backbone_layers: tuple[str, ...]
  max_loss: float
  seed: int
  accumulate: int
  ema_decay: float

  @property
  def template(self) -> CropAugment:
    """How the template crop varies."""
    return template_crops(self.augment)

  @property
  def search(self) -> CropAugment:
    """How the search crop varies."""
    return search_crops(self.augment)

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
    grads, losses, batch_stats = self.accumulated_gradients(
        state.params, state.batch_stats, batch, unfrozen=unfrozen)
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
    if self.ema_decay:
      average = moving_average(
          state.ema, new_state.variables, self.ema_decay, state.step)
      new_state = dataclasses.replace(
          new_state, ema=keep(average, state.ema))
    metrics = losses | {'learning_rate': rate, 'grad_norm': grad_norm,
                        'skipped': new_state.skipped}
    return new_state, metrics

  def accumulated_gradients(
      self, params: Any, batch_stats: Any, batch: Mapping[str, jax.Array], *,
      unfrozen: bool) -> tuple[Any, Metrics, Any]:
    """`gradients` of a batch, with the memory of one of `accumulate` parts.

    Augmentation and labels of every pair, and what the losses are divided by,
    are those of the undivided batch: where batch normalization is frozen,
    losses and gradients differ by rounding only. Where it is not, each part is
    normalized by its own mean and variance, as a batch of that size would be;
    the running statistics then move once, by the mean of what the parts would
    move them.
    """
    if self.accumulate == 1:
      return self.gradients(
          params, batch_stats, *self.prepare(batch), unfrozen=unfrozen)
    _, _, labels = self.prepare(batch)  # the compiler drops the unused crops
    counts = count_cells(labels)

    def add(totals, part):
      grads, losses, stats = self.gradients(
          params, batch_stats, *self.prepare(part), unfrozen=unfrozen,
          counts=counts)
      # Differences, because those of frozen layers are exactly zero.
      moves = jax.tree.map(jnp.subtract, stats, batch_stats)
      return jax.tree.map(jnp.add, totals, (grads, moves)), losses

    zeros = jax.tree.map(jnp.zeros_like, (params, batch_stats))
    parts = jax.tree.map(self._split, dict(batch))
    (grads, moves), losses = jax.lax.scan(add, zeros, parts)
    losses = jax.tree.map(jnp.sum, losses)
    return grads, losses, jax.tree.map(
        lambda old, move: old + move / self.accumulate, batch_stats, moves)

  def _split(self, x: jax.Array) -> jax.Array:
    """[b, ...] -> [accumulate, b / accumulate, ...].

    Each part takes every n-th example, so that examples stay on the device
    that they are on.
    """
    return x.reshape(-1, self.accumulate, *x.shape[1:]).swapaxes(0, 1)

  def gradients(self, params: Any, batch_stats: Any, z: jax.Array,
                x: jax.Array, labels: Targets, *, unfrozen: bool,
                counts: Counts | None = None) -> tuple[Any, Metrics, Any]:
    """Forward and backward of one batch.

    Args:
      params: of the network.
      batch_stats: running means and variances.
      z: [b, 127, 127, 3] template crops, BGR 0..255.
      x: [b, 255, 255, 3] search crops.
      labels: of the search crops.
      unfrozen: static; whether the backbone trains.
      counts: see `siamkpn_losses`.

    Returns:
      Gradients of the total loss (zero where frozen), all losses, and the
      statistics after the batch.
    """
    def loss_fn(params):
      maps, updates = self.model.apply(
          {'params': params, 'batch_stats': batch_stats}, z, x,
          train=True, mutable=['batch_stats'],
          train_layers=self.backbone_layers if unfrozen else ())
      losses = siamkpn_losses(maps, labels, self.loss, counts)
      return losses['loss'], (losses, updates['batch_stats'])

    grads, (losses, stats) = jax.grad(loss_fn, has_aux=True)(params)
    return grads, losses, stats

  def prepare(self, batch: Mapping[str, jax.Array]
              ) -> tuple[jax.Array, jax.Array, Targets]:
    """Raw patches -> template crops, search crops and labels."""
    def one(example):
      key = jax.random.fold_in(jax.random.key(self.seed), example['index'])
      z_key, x_key = jax.random.split(key)
      z, z_cxcywh = random_crop(
          z_key, example['template'], example['template_wh'], self.template)
      x, cxcywh = random_crop(
          x_key, example['search'], example['search_wh'], self.search)
      # fold_in by 0 or 1 gives a key of the split above, by 0 to 2 one that
      # random_crop has: 2 and 3 are free.
      if self.augment.flip:
        turn = jax.random.bernoulli(
            jax.random.fold_in(key, 2), self.augment.flip)
        choose = lambda a, b: jnp.where(turn, a, b)
        (z, _), (x, cxcywh) = (
            jax.tree.map(choose, mirrored(*given), given)
            for given in ((z, z_cxcywh), (x, cxcywh)))
      z, x = (photometric.vary(jax.random.fold_in(k, 3), crop, self.augment)
              for k, crop in ((z_key, z), (x_key, x)))
      gray = example['gray']
      return (jnp.where(gray, to_gray(z), z),
              jnp.where(gray, to_gray(x), x), cxcywh)
    z, x, cxcywh = jax.vmap(one)(dict(batch))
    labels = make_targets(
        cxcywh, batch['negative'], self.model.num_stages, self.targets)
    return z, x, labels
