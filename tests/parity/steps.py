"""One training step of both programs from the same weights, and differences."""

import dataclasses

import jax
import numpy as np
import pytest

from siamkpn_jax.config.settings import Config
from siamkpn_jax.conversion.names import name_table
from siamkpn_jax.training import trainer
from siamkpn_jax.training.targets import Targets
from tests.parity import crops


def our_step(settings, variables, layers, dtype):
  """Losses, and gradients and statistics by PyTorch's name.

  Args:
    settings: what differs from the default in `config.model`.
    variables: of that network.
    layers: of the backbone that train; () for none.
    dtype: 'float32' or 'float64'.
  """
  with jax.enable_x64(dtype == 'float64'):
    config = Config().updated(
        model=settings, train={'backbone_layers': layers})
    step = trainer.build_step(config)
    model = step.model
    step = dataclasses.replace(step, model=model.clone(dtype=dtype))
    cast = lambda tree: jax.tree.map(lambda x: x.astype(dtype), tree)
    labels = crops.labels(model.num_stages)
    targets = Targets(
        *cast((labels['heatmaps'], labels['offsets'], labels['size'])),
        labels['mask'], labels['mask'])
    grads, losses, stats = jax.device_get(jax.jit(
        step.gradients, static_argnames='unfrozen')(
            cast(variables['params']), cast(variables['batch_stats']),
            *cast(crops.crops()), targets, unfrozen=bool(layers)))
  assert losses['loss'].dtype == dtype
  named = {}
  for entry in name_table(model):
    tree = grads if entry.path[0] == 'params' else stats
    for part in entry.path[1:]:
      tree = tree[part]
    named[entry.key] = entry.to_torch(tree)
  return losses, named


def their_step(model, layers, dtype):
  """Losses, gradients and statistics of the reference, and all before.

  Args:
    model: a torch_network.SiamKPN.
    layers: as for `our_step`.
    dtype: as for `our_step`.
  """
  import torch

  from tests.reference import torch_training
  from tests.reference.torch_tracker import to_tensor
  dtype = getattr(torch, dtype)
  model = model.to(dtype)
  before = {k: v.clone().numpy() for k, v in model.state_dict().items()}
  labels = {name: value if value.dtype == torch.bool else value.to(dtype)
            for name, value in crops.torch_labels(
                model.kpn_head.num_stages).items()}
  losses, gradients, state = torch_training.train_step(
      model, *(to_tensor(part).to(dtype) for part in crops.crops()), labels,
      layers)
  statistics = {name: value.numpy() for name, value in state.items()
                if 'running' in name}
  return (losses, {k: v.numpy() for k, v in gradients.items()}, statistics,
          before)


def errors(actual, expected, reduce=np.asarray):
  """{name: largest difference / largest value}."""
  return {
      name: np.abs(reduce(actual[name]) - value).max() / np.abs(value).max()
      for name, value in expected.items()}


def assert_losses(actual, expected, tolerance):
  """Relative to each loss."""
  for task, value in expected.items():
    assert actual[task] == pytest.approx(value, rel=tolerance), task


def assert_small(values, tolerance):
  """Of `errors`."""
  bad = {name: value for name, value in values.items()
         if not value < tolerance}  # catches NaN too
  assert not bad


def assert_trains(named, gradients, before, layers):
  """What should train has a gradient and new statistics; nothing else has."""
  trains = lambda name: not name.startswith('backbone') or (
      name.split('.')[1] in layers)
  for name, value in named.items():
    if 'running' in name:
      assert np.any(value != before[name]) == trains(name), name
    else:
      assert (name in gradients) == trains(name)
      assert trains(name) or not value.any(), name
