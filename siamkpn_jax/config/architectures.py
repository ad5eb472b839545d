"""Names of the backbones and of their layers.

The levels of a network and the layers to train are chosen from these names.
"""

_RESNET = ('conv1', 'layer1', 'layer2', 'layer3', 'layer4')
# Stages 6 and 7 would have stride 32: too coarse for a search region.
_EFFICIENTNET = ('stem', 'stage1', 'stage2', 'stage3', 'stage4', 'stage5')

# Name -> its layers, from the image up.
LAYERS = {
    'resnet10': _RESNET,
    'resnet18': _RESNET,
    'resnet34': _RESNET,
    'resnet50': _RESNET,
    'efficientnet_lite0': _EFFICIENTNET,
}

# Layers whose outputs have stride 8 or 16.
_LEVELS = {_RESNET: _RESNET[2:], _EFFICIENTNET: _EFFICIENTNET[3:]}


def levels_of(arch: str) -> tuple[str, ...]:
  """The layers of a backbone whose features a network may use."""
  return _LEVELS[LAYERS[arch]]
