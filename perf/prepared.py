"""What the scripts here run: a step, its state and its batch, ready to go."""

import dataclasses

import jax

from siamkpn_jax.config.settings import Config
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.loader import Batch
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training import trainer
from siamkpn_jax.training.state import TrainState, init_state
from siamkpn_jax.training.step import TrainStep


class FromCrops(TrainStep):
  """The step without augmentation and labels: its batch is what they made."""

  def prepare(self, batch):
    """See `TrainStep`."""
    return batch


def from_crops(step: TrainStep) -> FromCrops:
  """The same step, for batches that are the result of `step.prepare`."""
  return FromCrops(**{field.name: getattr(step, field.name)
                      for field in dataclasses.fields(step)})


def fresh_state(config: Config, step: TrainStep,
                mesh: jax.sharding.Mesh) -> TrainState:
  """The state that a training without given weights starts from."""
  abstract = trainer.abstract_state(config, step, mesh)
  return jax.jit(
      lambda: init_state(step.model, step.optimizer,
                         config.seed,
                         ema=config.train.ema_decay > 0),
      out_shardings=sharding.placement(abstract))()


def rendered_batch(config: Config, step: TrainStep) -> Batch:
  """The first batch on rendered videos, whatever data are configured."""
  config = config.updated(data={
      'sets': ('synthetic',), 'ratios': (1.0,), 'ranges': (30,),
      'loader': 'threads'})
  loader = trainer.build_loader(
      config, step, catalog.open_sources(config.data, config.seed))
  return loader.pairs(0, config.train.batch_size)
