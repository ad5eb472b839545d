"""EfficientNet-Lite0's first stages in PyTorch, by the names of its port.

Written from the paper's table of MBConv blocks; padding is an argument.
"""

import torch
from torch.nn import functional as F

# Kernel, stride, expansion, blocks, channels.
STAGES = [(3, 1, 1, 1, 16), (3, 2, 6, 2, 24), (5, 2, 6, 2, 40),
          (3, 2, 6, 3, 80), (5, 1, 6, 3, 112)]
# (low, high) for crops of 127 and 255 pixels: none for stem and stage 2.
TRACKER = {'stem': (0, 0), 'stage2': (0, 0), 'stage3': (1, 1),
           'stage4': (1, 1)}


def shapes(width=32):
  """{name in the port: shape} of the stem and five stages."""
  scale = lambda channels: max(1, channels * width // 32)
  found = {'_conv_stem.weight': (width, 3, 3, 3), **_bn('_bn0', width)}
  inputs, number = width, 0
  for kernel, _, expansion, blocks, channels in STAGES:
    for _ in range(blocks):
      name, inner = f'_blocks.{number}', inputs * expansion
      if expansion > 1:
        found[f'{name}._expand_conv.weight'] = (inner, inputs, 1, 1)
        found |= _bn(f'{name}._bn0', inner)
      found[f'{name}._depthwise_conv.weight'] = (inner, 1, kernel, kernel)
      found |= _bn(f'{name}._bn1', inner)
      found[f'{name}._project_conv.weight'] = (scale(channels), inner, 1, 1)
      found |= _bn(f'{name}._bn2', scale(channels))
      inputs, number = scale(channels), number + 1
  return found


def _bn(name, channels):
  return {f'{name}.{leaf}': (channels,) for leaf in (
      'weight', 'bias', 'running_mean', 'running_var')}


def features(state, image, padding):
  """Outputs of the stages.

  Args:
    state: {name: tensor}.
    image: [b, 3, h, w] RGB, normalised: (x - 127) / 128.
    padding: {'stem' or 'stage2' to 'stage4': (low, high)} of strided layers.
  """
  def bn(x, name):
    return F.batch_norm(
        x, *(state[f'{name}.{leaf}'] for leaf in (
            'running_mean', 'running_var', 'weight', 'bias')), eps=1e-3)

  def pad(x, low, high):
    return F.pad(x, (low, high, low, high))

  x = F.conv2d(pad(image, *padding['stem']), state['_conv_stem.weight'],
               stride=2)
  x, out, number = F.relu6(bn(x, '_bn0')), {}, 0
  for stage, (kernel, stride, expansion, blocks, _) in enumerate(STAGES, 1):
    for n in range(blocks):
      name, y = f'_blocks.{number}', x
      if expansion > 1:
        y = F.relu6(bn(F.conv2d(y, state[f'{name}._expand_conv.weight']),
                       f'{name}._bn0'))
      strided = n == 0 and stride == 2
      sides = padding[f'stage{stage}'] if strided else (kernel // 2,) * 2
      weight = state[f'{name}._depthwise_conv.weight']
      y = F.relu6(bn(F.conv2d(
          pad(y, *sides), weight, stride=2 if strided else 1,
          groups=len(weight)), f'{name}._bn1'))
      y = bn(F.conv2d(y, state[f'{name}._project_conv.weight']),
             f'{name}._bn2')
      x = x + y if x.shape == y.shape else y
      number += 1
    out[f'stage{stage}'] = x
  return out


def to_tensors(state):
  return {name: torch.from_numpy(value).double()
          for name, value in state.items()}
