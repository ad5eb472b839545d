"""What the scripts here run: a step, its state and its batch, ready to go."""

import dataclasses
import time
from typing import Any

import jax
import jax.numpy as jnp

from siamkpn_jax.config.settings import Config
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.loader import Batch
from siamkpn_jax.training import trainer
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


def rendered_batch(config: Config, step: TrainStep) -> Batch:
  """The first batch on rendered videos, whatever data are configured."""
  config = config.updated(data={
      'sets': ('synthetic',), 'ratios': (1.0,), 'ranges': (30,),
      'cutouts': (), 'loader': 'threads'})
  loader = trainer.build_loader(
      config, step, catalog.open_sources(config.data, config.seed))
  return loader.pairs(0, config.train.batch_size)


class Steps:
  """A step on its own copy of a state, again and again on one batch.

  Attributes:
    compile_seconds: that its program took to compile.
    program: that.
  """

  def __init__(self, step: TrainStep, state: Any, batch: Any,
               mesh: jax.sharding.Mesh, *, unfrozen: bool):
    """Compiles it."""
    self._state = jax.tree.map(jnp.copy, state)
    self._batch = batch
    start = time.perf_counter()
    self.program = trainer.jit_step(step, mesh, state, unfrozen=unfrozen).lower(
        self._state, self._batch).compile()
    self.compile_seconds = time.perf_counter() - start

  def __call__(self) -> dict[str, jax.Array]:
    """One step; returns its metrics, which need not be computed yet."""
    self._state, metrics = self.program(self._state, self._batch)
    return metrics
