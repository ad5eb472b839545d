"""Dilated ("atrous") ResNet: stride 8 at every level used (SPEC 2)."""

import functools
from collections.abc import Callable, Collection
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from siamkpn_jax.config.architectures import ARCHITECTURES, LAYERS
from siamkpn_jax.models.layers import ConvBN
from siamkpn_jax.models.stages import run_stages

# Layer -> (stride, padding, dilation) of the first block's 3x3 convolution (the
# first one of a basic block) and of its 3x3 shortcut, then the dilation of all
# other 3x3 convolutions.
_FIRST = {'layer1': (1, 1, 1), 'layer2': (2, 0, 1), 'layer3': (1, 1, 1),
          'layer4': (1, 2, 2)}
STRIDED = tuple(f'{layer}_0' for layer, (stride, *_) in _FIRST.items()
                if stride > 1)  # blocks
_DILATION = {'layer1': 1, 'layer2': 1, 'layer3': 2, 'layer4': 4}


def max_pool(x: jax.Array) -> jax.Array:
  """3x3 maximum with stride 2 and padding 1: [b, h, w, c] -> [b, h', w', c].

  As maxima of strided slices, one axis after the other: the gradient of
  `nn.max_pool` is ten times slower on a CPU.
  """
  x = jnp.pad(
      x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
  rows, columns = (x.shape[1] - 1) // 2, (x.shape[2] - 1) // 2
  x = functools.reduce(
      jnp.maximum, [x[:, k:k + 2 * rows - 1:2] for k in range(3)])
  return functools.reduce(
      jnp.maximum, [x[:, :, k:k + 2 * columns - 1:2] for k in range(3)])


class Block(nn.Module):
  """A residual block, basic or bottleneck.

  Attributes:
    features: channels inside the block; a bottleneck puts out four times as
      many.
    bottleneck: 1x1, 3x3, 1x1 convolutions instead of two 3x3.
    stride: of the 3x3 that carries it (never of a 1x1).
    padding: of that convolution.
    dilation: of that convolution.
    second_dilation: of a basic block's second convolution.
    shortcut_size: kernel of the projection shortcut; 0 for the identity.
  """

  features: int
  bottleneck: bool
  stride: int
  padding: int
  dilation: int
  second_dilation: int
  shortcut_size: int
  dtype: Any = None

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    """[b, h, w, c] -> [b, h', w', features * (4 if bottleneck else 1)]."""
    strided: dict[str, Any] = {
        'stride': self.stride, 'padding': self.padding,
        'dilation': self.dilation}
    conv: dict[str, Any] = {'dtype': self.dtype}
    if self.bottleneck:
      out = 4 * self.features
      y = ConvBN(self.features, 1, name='conv1', **conv)(x, train=train)
      y = ConvBN(self.features, name='conv2', **strided, **conv)(
          nn.relu(y), train=train)
      y = ConvBN(out, 1, name='conv3', **conv)(nn.relu(y), train=train)
    else:
      out = self.features
      y = ConvBN(out, name='conv1', **strided, **conv)(x, train=train)
      y = ConvBN(
          out, padding=self.second_dilation, dilation=self.second_dilation,
          name='conv2', **conv)(nn.relu(y), train=train)
    if self.shortcut_size == 1:
      x = ConvBN(out, 1, name='downsample', **conv)(x, train=train)
    elif self.shortcut_size:
      x = ConvBN(out, self.shortcut_size, name='downsample', **strided,
                 **conv)(x, train=train)
    return nn.relu(x + y)


class ResNet(nn.Module):
  """The backbone shared by template and search crop.

  Attributes:
    arch: a key of `ARCHITECTURES`.
    width: channels of the first layer (64 in the paper).
    levels: names of the layers whose outputs are returned.
    remat: keep only the results of blocks for the gradient, see `layers.call`.
    dtype: of the computation.
    max_pool: computes what the function of this name does.
  """

  arch: str
  width: int
  levels: tuple[str, ...]
  remat: bool
  dtype: Any = None
  max_pool: Callable[[jax.Array], jax.Array] = max_pool

  @nn.compact
  def __call__(self, x: jax.Array, *,
               train_layers: Collection[str]) -> dict[str, jax.Array]:
    """Features of a crop.

    Args:
      x: [b, h, w, 3] crop, BGR 0..255; h and w 255 or 127.
      train_layers: those that train, see `run_stages`.

    Returns:
      For each level [b, 31, 31, c] (or 15 x 15 for the template crop).
    """
    x = ConvBN(self.width, 7, stride=2, dtype=self.dtype, name='conv1')(
        x, train='conv1' in train_layers)
    return run_stages(
        self.max_pool(nn.relu(x)), LAYERS[self.arch], self._blocks,
        levels=self.levels, train_layers=train_layers, remat=self.remat)

  def _blocks(self, layer: str, channels: int) -> list[nn.Module]:
    """Of a layer whose input has so many channels."""
    k = LAYERS[self.arch].index(layer) - 1
    bottleneck, counts = ARCHITECTURES[self.arch]
    features = self.width * 2**k
    stride, padding, dilation = _FIRST[layer]
    rest = _DILATION[layer]
    out = features * (4 if bottleneck else 1)
    shortcut = 3 if layer != 'layer1' else 1 if channels != out else 0
    first = Block(features, bottleneck, stride, padding, dilation, rest,
                  shortcut, dtype=self.dtype, name=f'{layer}_0')
    return [first, *(
        Block(features, bottleneck, 1, rest, rest, rest, 0, dtype=self.dtype,
              name=f'{layer}_{n}') for n in range(1, counts[k]))]
