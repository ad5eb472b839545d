"""The tracker as two ONNX models, for programs in other languages.

Unlike the models of `network` they may take any batch, take crops as they are
cut out, and choose the box: what is left to a program is to crop.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import onnx

from siamkpn_jax.core import geometry
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.decode import (
    CandidateRule,
    DecodeConfig,
    Hyperparameters,
    decode,
)
from siamkpn_jax.tracking.onnx.correlation import correlate
from siamkpn_jax.tracking.onnx.graph import CHANNELS_FIRST
from siamkpn_jax.tracking.onnx.network import max_pool
from siamkpn_jax.tracking.onnx.translate import Input, convert

HYPERPARAMETERS = tuple(f.name for f in dataclasses.fields(Hyperparameters))
MAPS = ('heatmap', 'offsets', 'size_map')
CHANGE = ('shift', 'new_size', 'score')


def template_function(model: SiamKPN, variables: Any) -> Callable[..., Any]:
  """[b, 127, 127, 3] crops -> [b, 5, 5, n] kernels of all stages."""
  def template(crop: jax.Array) -> jax.Array:
    found = model.apply(variables, crop.astype(jnp.float32), train=False,
                        method=SiamKPN.template)
    return jnp.concatenate(jax.tree.leaves(found), axis=-1)
  return template


def update_function(model: SiamKPN, variables: Any,
                    rule: CandidateRule) -> Callable[..., Any]:
  """The inputs of `update` -> `MAPS`, [b, n, n, c], and `CHANGE`."""
  leaves, tree = jax.tree.flatten(jax.eval_shape(
      lambda z: model.apply(variables, z, train=False,
                            method=SiamKPN.template),
      jax.ShapeDtypeStruct((1, *_crop(geometry.TEMPLATE_SIZE)), jnp.float32)))
  channels = leaves[0].shape[-1]

  def update(crop: jax.Array, kernels: jax.Array, size: jax.Array,
             scale: jax.Array, *hyperparameters: jax.Array
             ) -> tuple[jax.Array, ...]:
    parts = [kernels[..., k * channels:(k + 1) * channels]
             for k in range(len(leaves))]
    predictions: Any = model.apply(
        variables, jax.tree.unflatten(tree, parts), crop.astype(jnp.float32),
        train=False, method=SiamKPN.search)
    maps = predictions[-1]
    found = jax.vmap(functools.partial(decode, rule=rule))(
        maps, size, scale, Hyperparameters(*hyperparameters))
    return (maps.heatmap, maps.offsets, maps.size, found.shift, found.size,
            found.score)

  return update


def export(model: SiamKPN, variables: Any, config: DecodeConfig,
           batch: int | None = None) -> dict[str, onnx.ModelProto]:
  """'template' and 'update', in float32; docs/export.md says what they take.

  Args:
    model: the network.
    variables: its weights.
    config: how boxes are chosen.
    batch: size of it; None: any. In a batch of one, the correlation is a
      grouped convolution, which is faster.

  Raises:
    NotImplementedError: an operation that is not known to `translate`.
  """
  model = model.clone(dtype='float32', remat=False, max_pool=max_pool)
  if batch != 1:
    model = model.clone(correlate=correlate)
  b = batch or jax.export.symbolic_shape('batch')[0]
  crop = lambda side: Input((b, *_crop(side)), range(4), 'uint8')
  number = Input((b,), (0,))
  template, kernels = convert(
      template_function(model, variables),
      {'crop': crop(geometry.TEMPLATE_SIZE)}, lambda count: ['kernels'])
  update, _ = convert(
      update_function(model, variables, config.rule),
      {'crop': crop(config.search_size),
       'kernels': Input(kernels.shape, CHANNELS_FIRST),
       'size': Input((b, 2), (0, 1)), 'scale': number,
       **dict.fromkeys(HYPERPARAMETERS, number)},
      lambda count: [*MAPS, *CHANGE])
  return {'template': template, 'update': update}


def _crop(side: int) -> tuple[int, int, int]:
  return side, side, 3
