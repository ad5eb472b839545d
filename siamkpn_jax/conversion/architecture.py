"""Reads the architecture off the names and shapes of a state dict."""

from collections.abc import Mapping
from typing import Any

from siamkpn_jax.conversion.names import (
    count_stages,
    find_levels,
    name_table,
)
from siamkpn_jax.errors import UserError
from siamkpn_jax.models.resnet import ARCHITECTURES
from siamkpn_jax.models.siamkpn import SiamKPN

Shapes = Mapping[str, tuple[int, ...]]

_CONV1 = 'backbone.conv1.weight'
_SEVERAL = 8  # names shown of a file that is something else


def find_architecture(shapes: Shapes, part: str) -> dict[str, Any]:
  """The settings of `config.model` that a state dict determines.

  Damaged names are no obstacle: what is missing or wrong is found later, when
  the state dict is compared with the network that is nearest to it.

  Args:
    shapes: {name: shape}, with the released names.
    part: 'network' or 'backbone'.

  Returns:
    arch, width; for a network also levels, channels, num_stages and the form
    of the heads (released ones are per task, without ReLU).

  Raises:
    UserError: it is none of SiamKPN, or has no backbone.
  """
  backbone = {name for name in shapes if name.startswith('backbone.')}
  if not backbone:
    raise UserError(f'no names that start with backbone.; found '
                    f'{_some(shapes)}; expected a checkpoint of {_named(part)}')
  found: dict[str, Any] = {
      'arch': _nearest_arch(backbone),
      'width': _side(shapes, _CONV1, 0, 64)}
  if part == 'backbone':
    return found
  num_stages = count_stages(shapes)
  if not num_stages:
    raise UserError(f'no names that start with kpn_head.; found '
                    f'{_some(shapes)}; expected a checkpoint of SiamKPN; the '
                    'backbone of other trackers converts with --part backbone')
  levels = find_levels(shapes) or ('layer2', 'layer3', 'layer4')
  neck = f'neck.downsample{levels[0][-1]}.downsample.0.weight'
  return found | {
      'levels': levels, 'channels': _side(shapes, neck, 0, 256),
      'num_stages': num_stages, 'head_sharing': 'per_task',
      'head_relu': False, 'level_fusion': 'softmax'}


def _nearest_arch(names: set[str]) -> str:
  """The backbone whose names differ least from the given ones."""
  def difference(arch: str) -> int:
    table = name_table(SiamKPN(arch=arch, width=1, channels=1, num_stages=1),
                       'backbone')
    return len(names ^ {entry.key for entry in table})
  return min(ARCHITECTURES, key=difference)


def _side(shapes: Shapes, name: str, axis: int, default: int) -> int:
  shape = shapes.get(name, ())
  return shape[axis] if len(shape) == 4 else default


def _named(part: str) -> str:
  return {'network': 'SiamKPN',
          'backbone': 'a tracker, or of a torchvision ResNet-18, 34 or 50'
          }[part]


def _some(shapes: Shapes) -> str:
  names = list(shapes)
  more = f' and {len(names) - _SEVERAL} more' if len(names) > _SEVERAL else ''
  return ', '.join(names[:_SEVERAL]) + more
