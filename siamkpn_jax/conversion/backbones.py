"""Backbones of other programs, brought to the released names and input.

Trackers of the SiamRPN++ family share SiamKPN's backbone: their arrays pass as
they are. Torchvision's ResNets expect normalized RGB and have 1x1 shortcuts;
both are folded into the arrays, exactly (SPEC 2). So is what EfficientNet-Lite
expects of its input, and the larger epsilon of its batch normalization.
"""

import re

import numpy as np

from siamkpn_jax.conversion.files import State

# Torchvision's, of RGB in 0..1.
MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])

# EfficientNet-Lite's, of RGB in 0..255, and its epsilon over ours.
_LITE_MEAN, _LITE_STD = 127.0, 128.0
_LITE_EPSILON = 1e-3 - 1e-5
_LITE_STAGES = (1, 2, 2, 3, 3)  # blocks of the stages that a tracker uses
_LITE_PARTS = {
    '_expand_conv': 'expand.conv', '_bn0': 'expand.bn',
    '_depthwise_conv': 'depthwise.conv', '_bn1': 'depthwise.bn',
    '_project_conv': 'project.conv', '_bn2': 'project.bn'}

_PREFIX = 'backbone.'
_SHORTCUT = 'downsample.0.weight'
_SAMPLE = f'layer2.0.{_SHORTCUT}'


def find_backbone(state: State) -> tuple[State, str]:
  """The backbone of a tracker, or a bare ResNet or EfficientNet-Lite.

  Returns:
    The arrays with the released names (`backbone.*`), and where they are from.
    The state itself where there is no backbone.
  """
  tracker = {name: value for name, value in state.items()
             if name.startswith(_PREFIX)}
  if tracker:
    return tracker, 'backbone of a tracker'
  if '_conv_stem.weight' in state:
    return fold_efficientnet(state), 'EfficientNet-Lite, input folded'
  bare = {name: value for name, value in state.items()
          if not name.startswith('fc.')}  # ImageNet's classes
  if 'conv1.weight' not in bare:
    return state, ''
  if _SAMPLE in bare and bare[_SAMPLE].shape[2:] == (1, 1):
    bare = fold_torchvision(bare)
    kind = 'torchvision ResNet, input and shortcuts folded'
  else:
    kind = 'ResNet with 3x3 shortcuts'
  return {_PREFIX + name: value for name, value in bare.items()}, kind


def fold_torchvision(state: State) -> State:
  """Makes a torchvision ResNet take BGR 0..255, with 3x3 shortcuts.

  The same function of the raw crop: conv1 has the flip of the channels and
  1 / (255 std) in its kernel, and the mean in the running mean after it (exact,
  because conv1 has no padding); the 1x1 shortcuts of layer2 to layer4 are the
  center tap of a 3x3 kernel.
  """
  out = state | _fold_input(state, 'conv1.weight', 'bn1.running_mean',
                            255 * MEAN, 255 * STD)
  for name, value in state.items():
    if (name.endswith(_SHORTCUT) and not name.startswith('layer1.') and
        value.ndim == 4 and value.shape[2:] == (1, 1)):
      out[name] = np.pad(value, ((0, 0), (0, 0), (1, 1), (1, 1)))
  return out


def fold_efficientnet(state: State) -> State:
  """Makes an EfficientNet-Lite take BGR 0..255, and names it as ours.

  Args:
    state: {name: array} of the PyTorch port, `_blocks.0._bn1.weight` and so on.

  Returns:
    The stem and stages 1 to 5 as `backbone.*`. The flip and 1 / 128 are in the
    stem's kernel, the mean in the running mean after it (exact, because the
    stem has no padding), the difference of the epsilons in all variances.
  """
  first = np.cumsum((0, *_LITE_STAGES))
  out = {}
  for name, value in state.items():
    match = re.fullmatch(r'_blocks\.(\d+)\.(_\w+)\.(\w+)', name)
    if match and int(match[1]) < first[-1]:
      stage = int(np.searchsorted(first, int(match[1]), 'right'))
      key = (f'stage{stage}.{int(match[1]) - first[stage - 1]}.'
             f'{_LITE_PARTS.get(match[2], match[2])}.{match[3]}')
    elif name.startswith(('_conv_stem.', '_bn0.')):
      key = name.replace('_conv_stem', 'stem.conv').replace('_bn0', 'stem.bn')
    else:
      continue  # stages of stride 32, and ImageNet's classes
    shift = _LITE_EPSILON if name.endswith('running_var') else 0
    out[_PREFIX + key] = (value + shift).astype(value.dtype)
  return out | _fold_input(
      out, f'{_PREFIX}stem.conv.weight', f'{_PREFIX}stem.bn.running_mean',
      np.full(3, _LITE_MEAN), np.full(3, _LITE_STD))


def _fold_input(state: State, kernel_name: str, mean_name: str,
                mean: np.ndarray, std: np.ndarray) -> State:
  """The first arrays, of a network that takes BGR as it is.

  Args:
    state: of one that takes RGB, normalized.
    kernel_name: of its first convolution, which has no padding.
    mean_name: of the running mean after that.
    mean: [3] of RGB, which is subtracted.
    std: [3] of RGB, by which that is divided.
  """
  kernel = state[kernel_name].astype(np.float64)  # o x rgb x h x w
  running = state.get(mean_name, np.zeros(0))
  # Arrays of a wrong shape stay, and are reported as such later.
  if kernel.ndim != 4 or kernel.shape[1] != 3 or (
      running.shape != kernel.shape[:1]):
    return {}
  kernel = kernel / std[:, None, None]
  shift = (kernel * mean[:, None, None]).sum(axis=(1, 2, 3))
  return {kernel_name: kernel[:, ::-1].astype(np.float32),  # bgr
          mean_name: (running + shift).astype(np.float32)}
