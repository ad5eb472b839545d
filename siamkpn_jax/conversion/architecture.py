"""Reads the architecture off the names and shapes of a state dict."""

import collections
from collections.abc import Mapping
from typing import Any

from siamkpn_jax.config.architectures import LAYERS, levels_of
from siamkpn_jax.config.settings import ModelConfig
from siamkpn_jax.conversion.names import count_stages, find_levels, name_table
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import SiamKPN

Shapes = Mapping[str, tuple[int, ...]]

# Arrays whose first side tells a width; one of them may be missing or wrong.
_WIDTH = ('backbone.conv1.', 'backbone.bn1.', 'backbone.stem.')
_CHANNELS = ('neck.',)
_SEVERAL = 8  # names shown of a file that is something else
_EXPECTED = {
    'network': "a checkpoint of SiamKPN: convert a backbone alone, such as "
               "torchvision's, with --part backbone",
    'backbone': 'a tracker with a ResNet, a torchvision ResNet-18, 34 or 50, '
                'or an EfficientNet-Lite0'}


def find_architecture(shapes: Shapes, part: str) -> dict[str, Any]:
  """The settings of `config.model` that a state dict determines.

  Damaged names are no obstacle: what is missing or wrong is found later, when
  the state dict is compared with the network that is nearest to it.

  Args:
    shapes: {name: shape}, with the released names.
    part: 'network' or 'backbone'.

  Returns:
    arch, width, levels (of a backbone all that it has); for a network also
    channels, num_stages and the form of the heads (released ones are per task).

  Raises:
    UserError: it is none of SiamKPN, or has no backbone.
  """
  backbone = {name for name in shapes if name.startswith('backbone.')}
  if not backbone:
    raise UserError(f'no names that start with backbone.; found '
                    f'{_some(shapes)}; expected {_EXPECTED[part]}')
  arch = _nearest_arch(backbone)
  found: dict[str, Any] = {
      'arch': arch, 'width': _common_side(
          shapes, _WIDTH, ModelConfig.width)}
  if part == 'backbone':
    # The others' arrays are reported as missing if even these are damaged.
    there = tuple(level for level in levels_of(arch) if any(
        name.startswith(f'backbone.{level}.') for name in backbone))
    return found | {'levels': there or levels_of(arch)}
  num_stages = count_stages(shapes)
  if not num_stages:
    raise UserError(f'no names that start with kpn_head.; found '
                    f'{_some(shapes)}; expected a checkpoint of SiamKPN: '
                    'convert the backbone of other trackers with --part '
                    'backbone')
  levels = find_levels(shapes, levels_of(arch)) or levels_of(arch)
  return found | {
      'levels': levels,
      'channels': _common_side(shapes, _CHANNELS, ModelConfig.channels),
      'num_stages': num_stages, 'head_sharing': 'per_task',
      'level_fusion': 'softmax'}


def _nearest_arch(names: set[str]) -> str:
  """The backbone whose names differ least from the given ones."""
  def difference(arch: str) -> int:
    table = name_table(
        SiamKPN(arch=arch, width=1, levels=levels_of(arch), channels=1,
                num_stages=1), 'backbone')
    return len(names ^ {entry.key for entry in table})
  return min(LAYERS, key=difference)


def _common_side(shapes: Shapes, prefixes: tuple[str, ...],
                 default: int) -> int:
  """The first side of most arrays with one of the prefixes."""
  sides = collections.Counter(
      shape[0] for name, shape in shapes.items()
      if name.startswith(prefixes) and shape and shape[0] > 0)
  return sides.most_common(1)[0][0] if sides else default


def _some(shapes: Shapes) -> str:
  names = list(shapes)
  more = f' and {len(names) - _SEVERAL} more' if len(names) > _SEVERAL else ''
  return ', '.join(names[:_SEVERAL]) + more
