"""SiamKPN in PyTorch, written from SPEC 2-4 and 7 alone.

The names of the modules are those of a released checkpoint (SPEC 4). Of the
variants that the released program does not have there are a shorter backbone,
fewer levels, and what the compact network is made of: an EfficientNet, shared
heads, separable convolutions.
"""

import torch
from torch import nn
from torch.nn import functional as F

from tests.reference.torch_efficientnet import EfficientNet

BLOCKS = {'resnet10': (1, 1, 1, 1), 'resnet18': (2, 2, 2, 2),
          'resnet34': (3, 4, 6, 3), 'resnet50': (3, 4, 6, 3)}
# SPEC 2's table. Layer -> (stride, padding, dilation) of the first block's 3x3
# and of the other blocks'.
LAYERS = {
    'layer1': ((1, 1, 1), (1, 1, 1)),
    'layer2': ((2, 0, 1), (1, 1, 1)),
    'layer3': ((1, 1, 1), (1, 2, 2)),
    'layer4': ((1, 2, 2), (1, 4, 4)),
}
LEVELS = ('layer2', 'layer3', 'layer4')  # kpn0, kpn1, kpn2
TASKS = {'heatmap': 1, 'offsets': 2, 'objsize': 2}


def conv(inputs, outputs, size, stride=1, padding=0, dilation=1):
  """A convolution that a batch normalization follows: no bias."""
  return nn.Conv2d(inputs, outputs, size, stride, padding, dilation,
                   bias=False)


class Block(nn.Module):
  """A residual block, a bottleneck or a basic one."""

  def __init__(self, layer, inputs, planes, row, bottleneck):
    super().__init__()
    if bottleneck:
      plan = (planes, 1), (planes, 3, *row), (4 * planes, 1)
    else:
      # The second one of the first block too is as in the other blocks.
      plan = (planes, 3, *row), (planes, 3, *LAYERS[layer][1])
    self.count, channels = len(plan), inputs
    for n, (outputs, *window) in enumerate(plan, 1):
      self.add_module(f'conv{n}', conv(channels, outputs, *window))
      self.add_module(f'bn{n}', nn.BatchNorm2d(outputs))
      channels = outputs
    self.downsample = None
    if row[0] != 1 or inputs != channels:
      window = (1,) if layer == 'layer1' else (3, *row)
      self.downsample = nn.Sequential(
          conv(inputs, channels, *window), nn.BatchNorm2d(channels))

  def forward(self, x):
    shortcut = x if self.downsample is None else self.downsample(x)
    for n in range(1, self.count + 1):
      x = getattr(self, f'bn{n}')(getattr(self, f'conv{n}')(x))
      x = F.relu(x if n < self.count else x + shortcut)
    return x


class Backbone(nn.Module):

  def __init__(self, arch, width, levels=LEVELS):
    super().__init__()
    self.levels = levels
    bottleneck = arch == 'resnet50'
    self.conv1 = conv(3, width, 7, stride=2)
    self.bn1 = nn.BatchNorm2d(width)
    self.channels = {}  # layer -> channels of its output
    inputs, planes = width, width
    for layer, count in zip(LAYERS, BLOCKS[arch], strict=True):
      blocks = []
      for n in range(count):
        row = LAYERS[layer][n > 0]
        blocks.append(Block(layer, inputs, planes, row, bottleneck))
        inputs = planes * (4 if bottleneck else 1)
      self.add_module(layer, nn.Sequential(*blocks))
      self.channels[layer] = inputs
      planes *= 2
      if layer == levels[-1]:
        break

  def forward(self, x):
    """[b, 3, 127 or 255, same] -> {level: [b, c, 15 or 31, same]}."""
    x = F.relu(self.bn1(self.conv1(x)))
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    features = {}
    for layer in self.channels:
      x = features[layer] = getattr(self, layer)(x)
    return {level: features[level] for level in self.levels}


class ConvBN(nn.Module):
  """Convolution, normalization, ReLU."""

  def __init__(self, channels, size, padding=0):
    super().__init__()
    self.conv = conv(channels, channels, size, padding=padding)
    self.bn = nn.BatchNorm2d(channels)

  def forward(self, x):
    return F.relu(self.bn(self.conv(x)))


class SeparableConvBN(nn.Module):
  """The same with the convolution in two: depth-wise, then 1x1."""

  def __init__(self, channels, size, padding=0):
    super().__init__()
    self.depthwise = nn.Conv2d(
        channels, channels, size, padding=padding, groups=channels, bias=False)
    self.conv = conv(channels, channels, 1)
    self.bn = nn.BatchNorm2d(channels)

  def forward(self, x):
    return F.relu(self.bn(self.conv(self.depthwise(x))))


class Correlation(nn.Module):
  """Depth-wise; a module, so that hooks see the responses."""

  def forward(self, search, kernel):
    """[b, c, 31, 31], [b, c, 5, 5] -> [b, c, 31, 31]."""
    b, c, h, w = search.shape
    # All images' channels side by side, each a group of its own.
    response = F.conv2d(
        F.pad(search.reshape(1, b * c, h, w), (2, 2, 2, 2)),
        kernel.reshape(b * c, 1, *kernel.shape[2:]), groups=b * c)
    return response.reshape(b, c, h, w)


class Cascade(nn.Module):
  """All stages of one level and one task, or all tasks."""

  def __init__(self, num_stages, channels, outputs, layer=ConvBN):
    super().__init__()
    self.num_stages = num_stages
    for s in range(1, num_stages + 1):
      if s == 1:
        self.add_module('z_conv1', layer(channels, 3))
      else:
        self.add_module(f'z_conv{s}', layer(channels, 3, padding=1))
        self.add_module(f'z_conv{s}2', layer(channels, 3))
      self.add_module(f'x_conv{s}', layer(channels, 3, padding=1))
      self.add_module(f'xcorr{s}', Correlation())
      self.add_module(f'head{s}', nn.Sequential(
          ConvBN(channels, 1), nn.Conv2d(channels, outputs, 1)))

  def forward(self, template, search):
    """[b, c, 15, 15], [b, c, 31, 31] -> [b, outputs, 31, 31] per stage."""
    run = lambda name, *args: getattr(self, name)(*args)
    maps, response = [], search
    for s in range(1, self.num_stages + 1):
      if s > 1:
        template = run(f'z_conv{s}', template)
      center = template[:, :, 4:11, 4:11]
      kernel = run('z_conv1' if s == 1 else f'z_conv{s}2', center)
      response = run(f'xcorr{s}', run(f'x_conv{s}', response), kernel)
      maps.append(run(f'head{s}', response))
    return maps


class Head(nn.Module):

  def __init__(self, num_stages, channels, levels, sharing, layer):
    super().__init__()
    self.num_stages = num_stages
    self.levels = levels
    self.shared = sharing == 'shared'
    stacks = {'shared': sum(TASKS.values())} if self.shared else TASKS
    for n in range(len(levels)):
      self.add_module(f'kpn{n}', nn.ModuleDict({
          name: Cascade(num_stages, channels, outputs, layer)
          for name, outputs in stacks.items()}))
    for task in TASKS:
      self.register_parameter(
          f'{task}_weight', nn.Parameter(torch.ones(len(levels))))

  def forward(self, z, x):
    """{level: features} twice -> {task: map} per stage."""
    levels = [self._level(getattr(self, f'kpn{n}'), z[level], x[level])
              for n, level in enumerate(self.levels)]
    stages = [{} for _ in range(self.num_stages)]
    for task in TASKS:
      weights = getattr(self, f'{task}_weight').softmax(dim=0)
      for s, stage in enumerate(stages):
        stage['size' if task == 'objsize' else task] = sum(
            weight * level[task][s]
            for weight, level in zip(weights, levels, strict=True))
    return stages

  def _level(self, stacks, z, x):
    """{task: map per stage} of one level."""
    if not self.shared:
      return {task: stacks[task](z, x) for task in TASKS}
    parts = [m.split(tuple(TASKS.values()), dim=1)
             for m in stacks['shared'](z, x)]
    return dict(zip(TASKS, zip(*parts, strict=True), strict=True))


def to_cells(x, level):
  """16x16 -> 31x31, 8x8 -> 15x15, linear between; maps of all cells stay."""
  side = x.shape[-1]
  if level not in ('stage4', 'stage5'):
    return x
  return F.interpolate(x, size=(2 * side - 1,) * 2, mode='bilinear',
                       align_corners=True)


class SiamKPN(nn.Module):

  def __init__(self, num_stages, *, arch='resnet50', width=64, channels=256,
               levels=LEVELS, head_sharing='per_task', head_conv='full'):
    super().__init__()
    self.backbone = (Backbone(arch, width, levels) if arch in BLOCKS else
                     EfficientNet(width, levels))
    self.neck = nn.ModuleDict({
        f'downsample{level[-1]}': nn.ModuleDict({'downsample': nn.Sequential(
            conv(self.backbone.channels[level], channels, 1),
            nn.BatchNorm2d(channels))})
        for level in levels})
    self.kpn_head = Head(
        num_stages, channels, levels, head_sharing,
        {'full': ConvBN, 'separable': SeparableConvBN}[head_conv])

  def features(self, crop):
    """The crop -> {level: [b, channels, 15 or 31, same]}."""
    return {
        level: to_cells(
            self.neck[f'downsample{level[-1]}']['downsample'](feature), level)
        for level, feature in self.backbone(crop).items()}

  def forward(self, z, x):
    """[b, 3, 127, 127], [b, 3, 255, 255] -> {task: map} per stage."""
    # The order decides the running statistics of the batch normalizations.
    template = self.features(z)
    search = self.features(x)
    return self.kpn_head(template, search)


def record(model, z, x):
  """The maps, and {module name: its outputs in the order of the calls}.

  Of batch normalizations, residual blocks, correlations and head outputs.
  """
  activations, hooks = {}, []
  for name, module in model.named_modules():
    # Only the last convolutions of the head have a bias.
    is_output = isinstance(module, nn.Conv2d) and module.bias is not None
    if is_output or isinstance(
        module, (nn.BatchNorm2d, Block, Correlation)):
      outputs = activations[name] = []
      hooks.append(module.register_forward_hook(
          lambda _, __, output, to=outputs: to.append(output.detach())))
  try:
    return model(z, x), activations
  finally:
    for hook in hooks:
      hook.remove()


def backbone_modules(model, layers):
  """The modules of the named layers that there are; bn1 belongs to conv1."""
  names = [*layers, 'bn1'] if 'conv1' in layers else layers
  children = dict(model.backbone.named_children())
  return [children[name] for name in names if name in children]


def freeze(model, backbone_layers):
  """Neck, head and the named backbone layers train, the rest does not."""
  model.train().requires_grad_(True)
  model.backbone.eval().requires_grad_(False)
  for module in backbone_modules(model, backbone_layers):
    module.train().requires_grad_(True)
