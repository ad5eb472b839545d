"""EfficientNet-Lite0's first stages in PyTorch, in two forms.

As a function of arrays with the names of its port, to which padding is an
argument, and as a tracker's backbone that can train. Both are written from the
paper's table of MBConv blocks.
"""

import torch
from torch import nn
from torch.nn import functional as F

# Kernel, stride, expansion, blocks, channels.
STAGES = [(3, 1, 1, 1, 16), (3, 2, 6, 2, 24), (5, 2, 6, 2, 40),
          (3, 2, 6, 3, 80), (5, 1, 6, 3, 112)]
# (low, high) for crops of 127 and 255 pixels: none for stem and stage 2.
TRACKER = {'stem': (0, 0), 'stage2': (0, 0), 'stage3': (1, 1),
           'stage4': (1, 1)}


def scaled(channels, width):
  """A stage's channels where the stem has `width`, not 32."""
  return max(1, channels * width // 32)


def shapes(width=32):
  """{name in the port: shape} of the stem and five stages."""
  scale = lambda channels: scaled(channels, width)
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
    image: [b, 3, h, w] RGB, normalized: (x - 127) / 128.
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


class ConvBN(nn.Sequential):
  """Convolution, normalization, and ReLU6 unless it is linear."""

  def __init__(self, inputs, outputs, size=1, *, stride=1, padding=0, groups=1,
               linear=False):
    super().__init__()
    self.conv = nn.Conv2d(inputs, outputs, size, stride, padding,
                          groups=groups, bias=False)
    self.bn = nn.BatchNorm2d(outputs)
    if not linear:
      self.bend = nn.ReLU6(inplace=True)


class MBConv(nn.Module):
  """Expansion, depth-wise convolution, projection, identity shortcut."""

  def __init__(self, inputs, outputs, expansion, kernel, stride, padding):
    super().__init__()
    inner = inputs * expansion
    self.expand = ConvBN(inputs, inner) if expansion > 1 else None
    self.depthwise = ConvBN(inner, inner, kernel, stride=stride,
                            padding=padding, groups=inner)
    self.project = ConvBN(inner, outputs, linear=True)
    self.shortcut = stride == 1 and inputs == outputs

  def forward(self, x):
    y = x if self.expand is None else self.expand(x)
    y = self.project(self.depthwise(y))
    return x + y if self.shortcut else y


class EfficientNet(nn.Module):
  """A tracker's backbone: of the raw BGR crop, the epsilon PyTorch's own."""

  def __init__(self, width, levels):
    super().__init__()
    self.levels = levels
    self.stem = ConvBN(3, width, 3, stride=2, padding=TRACKER['stem'][0])
    self.channels = {}  # stage -> channels of its output
    inputs = width
    for n, (kernel, stride, expansion, blocks, channels) in enumerate(
        STAGES, 1):
      stage, outputs = f'stage{n}', scaled(channels, width)
      # Both sides are padded alike.
      first = stride, (kernel // 2 if stride == 1 else TRACKER[stage][0])
      self.add_module(stage, nn.Sequential(*(
          MBConv(outputs if block else inputs, outputs, expansion, kernel,
                 *((1, kernel // 2) if block else first))
          for block in range(blocks))))
      inputs = self.channels[stage] = outputs
      if stage == levels[-1]:
        break

  def forward(self, x):
    """[b, 3, 127 or 255, same] -> {stage: [b, c, 15, 31, 8 or 16, same]}."""
    x, features = self.stem(x), {}
    for stage in self.channels:
      x = features[stage] = getattr(self, stage)(x)
    return {level: features[level] for level in self.levels}


def to_tensors(state):
  return {name: torch.from_numpy(value).double()
          for name, value in state.items()}
