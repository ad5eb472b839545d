"""The forward of SiamKPN in plain numpy, float64, inference mode.

Written from SPEC 2-4, without JAX. Reads the variables of the package by their
names; the results of all convolution blocks are kept for a comparison.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

BLOCKS = {'resnet10': (1, 1, 1, 1), 'resnet18': (2, 2, 2, 2),
          'resnet34': (3, 4, 6, 3), 'resnet50': (3, 4, 6, 3)}

# SPEC 2's table. Layer -> (stride, padding, dilation) of the 3x3 that carries
# the stride in the first block, and in the other blocks.
TABLE = {
    'layer1': ((1, 1, 1), (1, 1, 1)),
    'layer2': ((2, 0, 1), (1, 1, 1)),
    'layer3': ((1, 1, 1), (1, 2, 2)),
    'layer4': ((1, 2, 2), (1, 4, 4)),
}
OUTPUTS = {'heatmap': slice(0, 1), 'offsets': slice(1, 3), 'size': slice(3, 5)}


def conv2d(x, kernel, stride=1, padding=0, dilation=1):
  """[b, h, w, i], [k, k, i, o] -> [b, h', w', o], as PyTorch's conv2d."""
  size = kernel.shape[0]
  reach = (size - 1) * dilation + 1
  x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
  windows = sliding_window_view(x, (reach, reach), axis=(1, 2))
  windows = windows[:, ::stride, ::stride, :, ::dilation, ::dilation]
  return np.tensordot(windows, kernel, axes=([4, 5, 3], [0, 1, 2]))


def max_pool(x, size=3, stride=2, padding=1):
  """[b, h, w, c] -> [b, h', w', c]; the padding never wins."""
  pad = (padding, padding)
  x = np.pad(x, ((0, 0), pad, pad, (0, 0)), constant_values=-np.inf)
  windows = sliding_window_view(x, (size, size), axis=(1, 2))
  return windows[:, ::stride, ::stride].max(axis=(-2, -1))


def correlate(search, kernel):
  """Depth-wise cross-correlation by loops: [b, h, w, c], [b, k, l, c]."""
  b, h, w, c = search.shape
  kh, kw = kernel.shape[1:3]
  out = np.zeros((b, h - kh + 1, w - kw + 1, c))
  for i in range(out.shape[1]):
    for j in range(out.shape[2]):
      out[:, i, j] = (search[:, i:i + kh, j:j + kw] * kernel).sum(axis=(1, 2))
  return out


def batch_norm(x, mean, var, scale, bias):
  """Normalization with given statistics, epsilon 1e-5."""
  return (x - mean) / np.sqrt(var + 1e-5) * scale + bias


class Network:
  """The network with its variables; `activations` fills as it runs.

  Attributes:
    activations: path of a block, as in the variables -> its outputs in the
      order of the calls. The responses are at '<stage>/response'.
  """

  def __init__(self, variables, *, arch, levels, num_stages, sharing='per_task',
               fusion='softmax'):
    self.params = variables['params']
    self.stats = variables['batch_stats']
    self.arch, self.levels, self.num_stages = arch, levels, num_stages
    self.stacks = (['heatmap', 'offsets', 'size'] if sharing == 'per_task'
                   else ['shared'])
    self.fusion = fusion
    self.activations = {}

  def __call__(self, z, x):
    """Crops [b, 127, 127, 3], [b, 255, 255, 3] -> {task: map} per stage."""
    z_features = self.neck(self.backbone(z))
    x_features = self.neck(self.backbone(x))
    outputs = {}  # level, stack -> per stage
    for level in self.levels:
      for stack in self.stacks:
        outputs[level, stack] = self.cascade(
            f'head/{level}_{stack}', z_features[level], x_features[level])
    return [{task: self.fuse(task, outputs, s) for task in OUTPUTS}
            for s in range(self.num_stages)]

  def backbone(self, x):
    x = self.conv_bn('backbone/conv1', x, stride=2)
    x = max_pool(np.maximum(x, 0))
    features = {}
    for layer, count in zip(TABLE, BLOCKS[self.arch], strict=True):
      for n in range(count):
        x = self.block(f'backbone/{layer}_{n}', x, *TABLE[layer][n > 0],
                       second_dilation=TABLE[layer][1][2])
      features[layer] = x
      if layer == self.levels[-1]:
        break
    return {level: features[level] for level in self.levels}

  def block(self, path, x, stride, padding, dilation, second_dilation):
    strided = {'stride': stride, 'padding': padding, 'dilation': dilation}
    if self.arch == 'resnet50':
      y = np.maximum(self.conv_bn(f'{path}/conv1', x), 0)
      y = np.maximum(self.conv_bn(f'{path}/conv2', y, **strided), 0)
      y = self.conv_bn(f'{path}/conv3', y)
    else:
      y = np.maximum(self.conv_bn(f'{path}/conv1', x, **strided), 0)
      y = self.conv_bn(f'{path}/conv2', y, padding=second_dilation,
                       dilation=second_dilation)
    if path.endswith('_0') and (
        'layer1' not in path or self.arch == 'resnet50'):
      projection = {} if 'layer1' in path else strided
      x = self.conv_bn(f'{path}/downsample', x, **projection)
    return self.keep(path, np.maximum(x + y, 0))

  def neck(self, features):
    return {level: self.conv_bn(f'neck/{level}', x)
            for level, x in features.items()}

  def cascade(self, path, t, r):
    """The predictions [b, 31, 31, c] of every stage of one stack."""
    predictions = []
    for s in range(1, self.num_stages + 1):
      stage = f'{path}_stage{s}'
      if s > 1:
        t = self.head_conv(f'{stage}/template_conv', t, padding=1)
      kernel = self.head_conv(f'{stage}/kernel_conv', t[:, 4:11, 4:11])
      search = self.head_conv(f'{stage}/search_conv', r, padding=1)
      search = np.pad(search, ((0, 0), (2, 2), (2, 2), (0, 0)))
      r = self.keep(f'{stage}/response', correlate(search, kernel))
      y = self.head_conv(f'{stage}/predict_conv', r)
      last = self.leaf('params', f'{stage}/predict_out')
      predictions.append(self.keep(
          f'{stage}/predict_out', conv2d(y, last['kernel']) + last['bias']))
    return predictions

  def head_conv(self, path, x, **kwargs):
    return np.maximum(self.conv_bn(path, x, **kwargs), 0)

  def fuse(self, task, outputs, s):
    """Mean or weighted sum over the levels of one task of stage s."""
    parts = []
    for level in self.levels:
      if 'shared' in self.stacks:
        parts.append(outputs[level, 'shared'][s][..., OUTPUTS[task]])
      else:
        parts.append(outputs[level, task][s])
    if self.fusion == 'mean':
      return sum(parts) / len(parts)
    weights = np.exp(np.float64(self.params['head'][f'{task}_weight']))
    weights /= weights.sum()
    return sum(w * p for w, p in zip(weights, parts, strict=True))

  def conv_bn(self, path, x, **kwargs):
    """Convolution and normalization of the block at `path`."""
    params, stats = self.leaf('params', path), self.leaf('stats', path)
    y = conv2d(x, params['conv']['kernel'], **kwargs)
    return self.keep(path, batch_norm(
        y, stats['bn']['mean'], stats['bn']['var'], params['bn']['scale'],
        params['bn']['bias']))

  def leaf(self, collection, path):
    tree = getattr(self, collection)
    for part in path.split('/'):
      tree = tree[part]
    return tree

  def keep(self, path, value):
    self.activations.setdefault(path, []).append(value)
    return value
