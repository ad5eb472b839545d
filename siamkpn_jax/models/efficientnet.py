"""EfficientNet-Lite: a backbone for tracking on a CPU.

MBConv blocks (1x1 expansion, depth-wise convolution, 1x1 projection, identity
shortcut), ReLU6, no squeeze-and-excitation (M. Tan and Q. V. Le: EfficientNet,
ICML 2019; the Lite variant is the one that mobile devices run).

ImageNet's networks pad a strided convolution on its far side only, as
TensorFlow's SAME does with even sizes. Crops of 127 and 255 pixels need no
padding there: the maps of stage 3 are 15x15 and 31x31, and their cells lie at
the pixels of `geometry.cell_positions`. Those of stages 4 and 5, 8x8 and 16x16,
lie on every second cell; the neck fills in the others.
"""

from collections.abc import Collection
from typing import Any

import flax.linen as nn
import jax

from siamkpn_jax.config.architectures import LAYERS
from siamkpn_jax.models import blocks
from siamkpn_jax.models.layers import ConvBN, DepthwiseBN
from siamkpn_jax.models.stages import run_stages

_STEM = 32  # channels, of width 32
_EXPANSION = 6
# Stage -> blocks, kernel, stride and padding of the first block's depth-wise
# convolution, output channels.
STAGES = {
    'stage1': (1, 3, 1, 1, 16),
    'stage2': (2, 3, 2, 0, 24),
    'stage3': (2, 5, 2, 1, 40),
    'stage4': (3, 3, 2, 1, 80),
    'stage5': (3, 5, 1, 2, 112),
}


class MBConv(nn.Module):
  """An inverted residual block.

  With `blocks.NAME` in its variables (inference.py) it is computed in that way.

  Attributes:
    features: output channels.
    expansion: of the channels inside; 1 for no expansion.
    kernel_size: of the depth-wise convolution.
    stride: of the depth-wise convolution.
    padding: of the depth-wise convolution.
    dtype: of the computation.
  """

  features: int
  expansion: int
  kernel_size: int
  stride: int
  padding: int
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', features]."""
    y = x
    if self.expansion > 1:
      y = nn.relu6(ConvBN(
          self.expansion * x.shape[-1], 1, dtype=self.dtype, name='expand')(
              y, train=train))
    if self.has_variable('params', blocks.NAME):
      y = blocks.project(
          y, self.get_variable('params', blocks.NAME), self.padding)
    else:
      y = nn.relu6(DepthwiseBN(
          self.kernel_size, self.stride, self.padding, self.dtype,
          name='depthwise')(y, train=train))
      y = ConvBN(self.features, 1, dtype=self.dtype, name='project')(
          y, train=train)
    return x + y if y.shape == x.shape and self.stride == 1 else y


class EfficientNet(nn.Module):
  """The backbone shared by template and search crop.

  Attributes:
    arch: 'efficientnet_lite0'.
    width: channels of the stem; 32 in the published network.
    levels: names of the stages whose outputs are returned.
    remat: keep only the results of blocks for the gradient, see `layers.call`.
    dtype: of the computation.
  """

  arch: str
  width: int
  levels: tuple[str, ...]
  remat: bool
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, *,
               train_layers: Collection[str]) -> dict[str, jax.Array]:
    """Features of a crop.

    Args:
      x: [b, h, w, 3] crop, BGR 0..255; h and w 255 or 127.
      train_layers: those that train, see `run_stages`.

    Returns:
      For each level [b, s, s, c]: s is 31 (15 for the template crop) up to
      stage 3, then 16 (8).
    """
    x = ConvBN(self.width, stride=2, dtype=self.dtype, name='stem')(
        x, train='stem' in train_layers)
    return run_stages(
        nn.relu6(x), LAYERS[self.arch], self._blocks, levels=self.levels,
        train_layers=train_layers, remat=self.remat)

  def _blocks(self, stage: str, channels: int) -> list[nn.Module]:
    """Of a stage."""
    del channels  # of its input: blocks see them themselves
    count, kernel, stride, padding, features = STAGES[stage]
    return [MBConv(
        max(1, features * self.width // _STEM),
        1 if stage == 'stage1' else _EXPANSION, kernel,
        *((stride, padding) if n == 0 else (1, kernel // 2)),
        dtype=self.dtype, name=f'{stage}_{n}') for n in range(count)]
