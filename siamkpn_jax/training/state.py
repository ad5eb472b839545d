"""Everything that training changes."""

import dataclasses
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

from siamkpn_jax.distributed import sharding


@flax.struct.dataclass
class TrainState:
  """The state of training, a pytree.

  Attributes:
    step: () int32, steps done; skipped ones count.
    skipped: () int32, steps whose update was thrown away.
    params: of the network.
    batch_stats: running means and variances.
    opt_state: of the optimizer.
    ema: moving averages {'params', 'batch_stats'}, the better tracker; None
      without `train.ema_decay`.
  """

  step: jax.Array
  skipped: jax.Array
  params: Any
  batch_stats: Any
  opt_state: optax.OptState
  ema: Any = None

  @property
  def variables(self) -> dict[str, Any]:
    """Of the network: {'params', 'batch_stats'}."""
    return {'params': self.params, 'batch_stats': self.batch_stats}

  @property
  def tracking_variables(self) -> dict[str, Any]:
    """Those that one tracks with: the moving averages, if there are any."""
    return self.variables if self.ema is None else self.ema


def init_state(variables: dict[str, Any],
               optimizer: optax.GradientTransformation, *,
               ema: bool = False) -> TrainState:
  """A fresh state; jit it, so that averages are copies.

  Args:
    variables: {'params', 'batch_stats'} of the network to start with.
    optimizer: see `optimizer.make_optimizer`.
    ema: whether the state has moving averages.
  """
  zero = jnp.zeros((), jnp.int32)
  return TrainState(
      step=zero, skipped=zero, params=variables['params'],
      batch_stats=variables['batch_stats'],
      opt_state=optimizer.init(variables['params']),
      ema=variables if ema else None)


def place_state(abstract: TrainState, mesh: jax.sharding.Mesh, *,
                shard_optimizer: bool) -> TrainState:
  """Where every array of a state lies.

  Args:
    abstract: shapes and dtypes.
    mesh: see `sharding.data_mesh`.
    shard_optimizer: each device keeps a part of the optimizer's moments; else
      it keeps all of everything.

  Returns:
    Shapes, dtypes and shardings.
  """
  placed = sharding.place(abstract, lambda shape: sharding.replicated(mesh))
  if not shard_optimizer:
    return placed
  return dataclasses.replace(placed, opt_state=sharding.place(
      abstract.opt_state,
      lambda shape: sharding.over_largest_axis(mesh, shape)))


def to_items(state: TrainState) -> dict[str, Any]:
  """What a checkpoint holds of a state: 'model' to track with, and the rest."""
  training = {'step': state.step, 'skipped': state.skipped,
              'opt_state': state.opt_state}
  if state.ema is not None:
    training |= state.variables
  return {'model': state.tracking_variables, 'training': training}


def from_items(items: dict[str, Any]) -> TrainState:
  """The state of a checkpoint, see `to_items`."""
  model, training = items['model'], items['training']
  if 'params' not in training:
    return TrainState(**model, **training)
  return TrainState(**training, ema=model)


def moving_average(ema: Any, new: Any, decay: float, step: jax.Array) -> Any:
  """The average after a step, per leaf.

  The first steps count more, so that it soon forgets the fresh weights.

  Args:
    ema: before it.
    new: values after the step.
    decay: share of the old average in the long run.
    step: () steps done before this one.
  """
  share = 1 - jnp.minimum(decay, (1 + step) / (10 + step))
  return jax.tree.map(lambda old, new: old + share * (new - old), ema, new)
