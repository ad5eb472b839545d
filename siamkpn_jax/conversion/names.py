"""The released program's name of every array of the network (SPEC 4)."""

import collections
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from siamkpn_jax.models.siamkpn import SiamKPN, abstract_variables

# PyTorch counts the batches that its running statistics have seen; nothing
# reads the number while its momentum is set.
COUNTER = 'num_batches_tracked'
_LEAVES = {'kernel': 'weight', 'scale': 'weight', 'bias': 'bias',
           'mean': 'running_mean', 'var': 'running_var'}
# Stacks; one that is shared is ours, the released program has none.
_TASKS = {'heatmap': 'heatmap', 'offsets': 'offsets', 'size': 'objsize',
          'shared': 'shared'}


@dataclasses.dataclass(frozen=True)
class NamePair:
  """One array under both names.

  Attributes:
    path: in the variables: collection, modules, leaf.
    key: in a released state dict.
    shape: there; kernels are [outputs, inputs, h, w].
  """

  path: tuple[str, ...]
  key: str
  shape: tuple[int, ...]

  def to_jax(self, array: np.ndarray) -> np.ndarray:
    """[o, i, h, w] -> [h, w, i, o]; other arrays stay."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array

  def to_torch(self, array: np.ndarray) -> np.ndarray:
    """[h, w, i, o] -> [o, i, h, w]; other arrays stay."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def name_table(model: SiamKPN, part: str = 'network') -> list[NamePair]:
  """All arrays of a network, or of its 'backbone'.

  An EfficientNet, shared heads and separable convolutions have names of ours in
  the manner of the released ones.
  """
  levels = list(model.levels)
  entries = []
  for path, leaf in jax.tree_util.tree_leaves_with_path(
      abstract_variables(model)):
    names = tuple(part.key for part in path)
    if part == 'network' or names[1] == part:
      shape = leaf.shape
      if len(shape) == 4:
        shape = (shape[3], shape[2], shape[0], shape[1])
      entries.append(NamePair(names, torch_key(names[1:], levels), shape))
  return entries


def torch_key(path: tuple[str, ...], levels: list[str]) -> str:
  """The released name of one array.

  Its path is modules and leaf, as ('backbone', 'conv1', 'bn', 'scale'); the
  head counts the levels of the network from 0.
  """
  if path[-1].endswith('_weight'):  # of the levels
    return f'kpn_head.{_TASKS[path[-1].removesuffix("_weight")]}_weight'
  leaf = _LEAVES[path[-1]]
  if path[0] == 'neck':
    number = path[1][-1]  # of 'layer3' or 'stage3'
    child = {'conv': 0, 'bn': 1}[path[2]]
    return f'neck.downsample{number}.downsample.{child}.{leaf}'
  if path[0] == 'backbone' and path[1].startswith(('conv', 'layer')):
    return f'backbone.{_backbone(path[1:-1])}.{leaf}'
  if path[0] == 'backbone':
    # The released program has ResNets alone, so these are our names.
    return f'{".".join(path[:-1]).replace("_", ".")}.{leaf}'
  level, task, stage = path[1].split('_')
  stack = f'kpn_head.kpn{levels.index(level)}.{_TASKS[task]}'
  return f'{stack}.{_head(int(stage.removeprefix("stage")), path[2:-1])}.{leaf}'


def _backbone(modules: tuple[str, ...]) -> str:
  """('layer2_0', 'conv1', 'bn') -> 'layer2.0.bn1'."""
  *block, convolution, kind = modules
  if convolution == 'downsample':
    name = {'conv': 'downsample.0', 'bn': 'downsample.1'}[kind]
  else:
    name = convolution.replace('conv', kind)
  return '.'.join([*(part.replace('_', '.') for part in block), name])


def _head(stage: int, modules: tuple[str, ...]) -> str:
  """(2, ('kernel_conv', 'bn')) -> 'z_conv22.bn'."""
  if modules == ('predict_out',):
    return f'head{stage}.1'
  name = {
      'template_conv': f'z_conv{stage}',
      # The first stage has no convolution on the whole template before it.
      'kernel_conv': 'z_conv1' if stage == 1 else f'z_conv{stage}2',
      'search_conv': f'x_conv{stage}',
      'predict_conv': f'head{stage}.0',
  }[modules[0]]
  return f'{name}.{modules[1]}'


def counter_keys(entries: list[NamePair]) -> list[str]:
  """Names of PyTorch's batch counters, which have no array here."""
  return [entry.key.replace('running_mean', COUNTER) for entry in entries
          if entry.key.endswith('running_mean')]


_STAGE = re.compile(r'(kpn_head\.kpn\d+\.\w+)\.(?:head|x_conv)([1-9])\.')
_NECK = re.compile(r'neck\.downsample(\d)\.')


def count_stages(keys: Any) -> int:
  """The length of the cascade that a state dict describes; 0 for no head.

  That of most stacks, so that a stray name does not count.
  """
  found = {(m[1], int(m[2])) for m in map(_STAGE.match, keys) if m}
  longest = collections.Counter(
      max(s for other, s in found if other == stack)
      for stack in {stack for stack, _ in found})
  return longest.most_common(1)[0][0] if longest else 0


def find_levels(keys: Any, layers: Sequence[str]) -> tuple[str, ...]:
  """Those of the backbone's layers that a state dict's neck takes."""
  numbers = {m[1] for m in map(_NECK.match, keys) if m}
  return tuple(layer for layer in layers if layer[-1] in numbers)
