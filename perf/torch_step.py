"""The same training step in PyTorch, with the same weights and crops.

In the forms that are fast there: channels last in memory, grouped convolutions,
a fused Adam.
"""

from typing import Any

import jax
import numpy as np
import torch

from siamkpn_jax.config.settings import Config, config_differences
from siamkpn_jax.conversion.names import name_table
from siamkpn_jax.conversion.variables import to_state
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.training.targets import Targets
from tests.reference import torch_network, torch_training
from tests.reference.torch_weights import load

# What the PyTorch code knows in one variant only: the default one.
_FIXED = {
    'model': ('level_fusion', 'dtype'),
    'targets': ('offset_target',),
    'loss': ('alpha', 'beta', 'gamma', 'positive_weight'),
    'train': ('accumulate', 'remat'),
}


def find_unknown(config: Config) -> str:
  """The first setting that the PyTorch step cannot follow; '' if it can."""
  differing = config_differences(config)
  return next((f'{section}.{name}' for section, names in _FIXED.items()
               for name in names if f'{section}.{name}' in differing), '')


def build(config: Config, model: SiamKPN, variables: Any,
          device: str = 'cpu') -> torch_training.Trainer:
  """The PyTorch network with given variables, and its optimizer.

  Args:
    config: a configuration.
    model: its network.
    variables: {'params', 'batch_stats'} of it; their dtype is taken over.
    device: of PyTorch.
  """
  net = network(config, model, variables).to(device)
  return torch_training.Trainer(
      net, config.train.backbone_layers,
      backbone_lr_scale=config.train.backbone_lr_scale,
      clip_norm=config.train.clip_norm,
      offsets_weight=config.loss.offsets_weight,
      size_weight=config.loss.size_weight,
      ema_decay=config.train.ema_decay)


def network(config: Config, model: SiamKPN,
            variables: Any) -> torch_network.SiamKPN:
  """The PyTorch network with given variables; arguments as of `build`."""
  net = torch_network.SiamKPN(
      config.model.num_stages, arch=config.model.arch,
      width=config.model.width, channels=config.model.channels,
      levels=config.model.levels,
      head_sharing=config.model.head_sharing,
      head_conv=config.model.head_conv)
  state = to_torch(model, variables)
  net.to(torch.from_numpy(state['kpn_head.heatmap_weight']).dtype,
         memory_format=torch.channels_last)
  load(net, state)
  return net


def to_torch(model: SiamKPN, variables: Any) -> dict[str, np.ndarray]:
  """{name in PyTorch: array} of variables, copied."""
  state, _ = to_state(jax.tree.map(np.array, jax.device_get(variables)),
                      name_table(model))
  return {name: value for name, value in state.items()
          if 'num_batches' not in name}


def tensors(z: Any, x: Any, labels: Targets,
            device: str = 'cpu') -> tuple[Any, ...]:
  """Crops [b, h, w, 3] and their labels as `torch_training` takes them.

  Channels come first in the shape and last in memory.
  """
  plain = lambda array: torch.from_numpy(np.array(array)).to(device)
  first = lambda array: plain(array).permute(0, 3, 1, 2)
  return first(z), first(x), {
      'heatmaps': plain(labels.heatmaps), 'offsets': first(labels.offsets),
      'size': first(labels.size), 'mask': plain(labels.size_mask)}
