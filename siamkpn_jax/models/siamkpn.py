"""SiamKPN: backbone, neck and cascade as one network (paper section 3)."""

import functools
from collections.abc import Callable, Collection
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.config.settings import ModelConfig, TrainConfig
from siamkpn_jax.core import geometry
from siamkpn_jax.models import resnet
from siamkpn_jax.models.correlation import correlate
from siamkpn_jax.models.efficientnet import EfficientNet
from siamkpn_jax.models.head import Correlate, Head, Predictions, Template
from siamkpn_jax.models.neck import Neck


class SiamKPN(nn.Module):
  """The SiamKPN network: backbone, neck and cascaded head.

  Tracking calls `template` once and `search` for every frame; calling the
  module composes both, for training.

  Attributes:
    arch: backbone, a key of `architectures.LAYERS`.
    width: channels of the backbone's first layer.
    levels: backbone layers whose features are used.
    channels: channels of neck and head.
    num_stages: number of cascade stages.
    head_sharing, head_conv, level_fusion: see `Head`.
    dtype: type of the computation, 'float32' or 'bfloat16'; parameters, batch
      statistics and predictions are always float32.
    remat: recompute activations in the backward pass to save memory.
    max_pool, correlate: see `resnet.ResNet` and `Stage`; exports have forms of
      their own.

  Examples:
    Predictions of every stage, here only their shapes:

    >>> import jax, jax.numpy as jnp, siamkpn_jax
    >>> model = siamkpn_jax.SiamKPN(arch='resnet18', num_stages=2)
    >>> z, x = jnp.zeros((1, 127, 127, 3)), jnp.zeros((1, 255, 255, 3))
    >>> predictions, variables = jax.eval_shape(
    ...     lambda key: model.init_with_output(key, z, x, train=False),
    ...     jax.random.key(0))
    >>> len(predictions), predictions[-1].heatmap.shape, sorted(variables)
    (2, (1, 31, 31, 1), ['batch_stats', 'params'])
  """

  arch: str = ModelConfig.arch
  width: int = ModelConfig.width
  levels: tuple[str, ...] = ModelConfig.levels
  channels: int = ModelConfig.channels
  num_stages: int = ModelConfig.num_stages
  head_sharing: str = ModelConfig.head_sharing
  head_conv: str = ModelConfig.head_conv
  level_fusion: str = ModelConfig.level_fusion
  dtype: str = ModelConfig.dtype
  remat: bool = TrainConfig.remat == 'blocks'
  max_pool: Callable[[jax.Array], jax.Array] = resnet.max_pool
  correlate: Correlate = correlate

  def setup(self):
    dtype = jnp.dtype(self.dtype)
    backbone = (functools.partial(resnet.ResNet, max_pool=self.max_pool)
                if self.arch in resnet.ARCHITECTURES else EfficientNet)
    self.backbone = backbone(self.arch, self.width, self.levels, self.remat,
                             dtype)
    self.neck = Neck(self.channels, dtype)
    self.head = Head(
        self.levels, self.channels, self.num_stages, self.head_sharing,
        self.head_conv, self.level_fusion, self.remat, dtype, self.correlate)

  def template(self, z: jax.Array, *, train: bool,
               train_layers: Collection[str] = ()) -> Template:
    """Computes the template features of targets.

    Args:
      z: [b, 127, 127, 3] template crops, BGR 0..255.
      train: whether batch normalization of neck and head uses batch statistics.
      train_layers: backbone layers to train, see `resnet.ResNet`.

    Returns:
      The features that `search` needs.
    """
    features = self.backbone(z, train_layers=train_layers)
    return self.head.template(
        self.neck(features, geometry.map_size(z.shape[1]), train=train),
        train=train)

  def search(self, template: Template, x: jax.Array, *, train: bool,
             train_layers: Collection[str] = ()) -> tuple[Predictions, ...]:
    """Searches for targets.

    Args:
      template: result of `template`.
      x: [b, 255, 255, 3] search crops, BGR 0..255.
      train: as in `template`.
      train_layers: as in `template`.

    Returns:
      The predictions of every stage; tracking uses the last one.
    """
    features = self.backbone(x, train_layers=train_layers)
    return self.head.search(
        template, self.neck(features, geometry.map_size(x.shape[1]),
                            train=train), train=train)

  def __call__(self, z: jax.Array, x: jax.Array, *, train: bool,
               train_layers: Collection[str] = ()) -> tuple[Predictions, ...]:
    """Computes `template` of z, then `search` in x; shapes as there."""
    template = self.template(z, train=train, train_layers=train_layers)
    return self.search(template, x, train=train, train_layers=train_layers)


def build_model(config: ModelConfig) -> SiamKPN:
  """The network of a `config.model`."""
  return SiamKPN(
      arch=config.arch, width=config.width, levels=config.levels,
      channels=config.channels, num_stages=config.num_stages,
      head_sharing=config.head_sharing, head_conv=config.head_conv,
      level_fusion=config.level_fusion, dtype=config.dtype)


def abstract_variables(model: SiamKPN) -> dict[str, Any]:
  """Shapes and dtypes of `init_variables`, without computing; not to change."""
  return _abstract_variables(model, jnp.result_type(float))


@functools.cache  # tracing takes a second
def _abstract_variables(model: SiamKPN, default: np.dtype) -> dict[str, Any]:
  del default  # of floats: another one gives other dtypes
  return jax.eval_shape(lambda: init_variables(model, 0))


@functools.partial(jax.jit, static_argnames='model')
def init_variables(model: SiamKPN, seed: int) -> dict[str, Any]:
  """`model.init` with crops of the right sizes, on one device.

  Not for a program that is divided over devices: the numbers of this generator
  depend on how. JAX's default one, threefry, whose numbers do not, takes two to
  three times as long to compile: 20 rounds, unrolled for every kernel.
  """
  key = jax.random.key(seed, impl='unsafe_rbg')
  z = jnp.zeros((1, geometry.TEMPLATE_SIZE, geometry.TEMPLATE_SIZE, 3))
  x = jnp.zeros((1, geometry.SEARCH_SIZE, geometry.SEARCH_SIZE, 3))
  return dict(model.init(key, z, x, train=False))
