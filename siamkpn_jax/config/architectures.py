"""Names of the backbones and of their layers.

The levels of a network and the layers to train are chosen from these names.
"""

from collections.abc import Iterator, Mapping

# ResNets: name -> (bottleneck blocks?, blocks per layer). A line here is all
# that another one needs.
ARCHITECTURES = {
    'resnet10': (False, (1, 1, 1, 1)),
    'resnet18': (False, (2, 2, 2, 2)),
    'resnet34': (False, (3, 4, 6, 3)),
    'resnet50': (True, (3, 4, 6, 3)),
}

_RESNET = ('conv1', 'layer1', 'layer2', 'layer3', 'layer4')
# Stages 6 and 7 would have stride 32: too coarse for a search region.
_EFFICIENTNET = ('stem', 'stage1', 'stage2', 'stage3', 'stage4', 'stage5')

# Other backbones: name -> their layers, from the image up.
_OTHERS = {'efficientnet_lite0': _EFFICIENTNET}

# Layers whose outputs have stride 8 or 16.
_LEVELS = {_RESNET: _RESNET[2:], _EFFICIENTNET: _EFFICIENTNET[3:]}


class _Layers(Mapping[str, tuple[str, ...]]):
  """The layers of every backbone, from the image up."""

  def __getitem__(self, arch: str) -> tuple[str, ...]:
    return _RESNET if arch in ARCHITECTURES else _OTHERS[arch]

  def __iter__(self) -> Iterator[str]:
    yield from ARCHITECTURES
    yield from _OTHERS

  def __len__(self) -> int:
    return len(ARCHITECTURES) + len(_OTHERS)


LAYERS = _Layers()


def levels_of(arch: str) -> tuple[str, ...]:
  """The layers of a backbone whose features a network may use."""
  return _LEVELS[LAYERS[arch]]
