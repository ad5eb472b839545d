"""The tracker as pure, jitted functions over a batch of targets.

`init` processes the first frame, `update` each following one. All state is
passed in and out as `TrackerState`. Hyperparameters are traced, one set per
target, so that changing them does not recompile anything.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.compiling import Jitted
from siamkpn_jax.models.head import Predictions, Template
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.choice import MIN_SIDE
from siamkpn_jax.tracking.decode import (
    CandidateRule,
    Hyperparameters,
    decode,
)

Array = jax.Array | np.ndarray


@flax.struct.dataclass
class TrackerState:
  """The state of b targets between frames.

  Attributes:
    template: [b, ...] template features of the first frame.
    center: [b, 2] x, y of the last box, frame pixels.
    size: [b, 2] width, height of the last box, frame pixels.
  """

  template: Template
  center: Array
  size: Array


@flax.struct.dataclass
class SearchInput:
  """Search crops for b targets: n crops, usually one per target.

  Attributes:
    crops: [n, side, side, 3] uint8 search crops.
    scale: [b] crop pixels per frame pixel.
    frame_size: [b, 2] width and height of the frame, pixels.
    owner: [n] index of the target whose template each crop is compared with;
      None if n = b and crop i belongs to target i.
    crop: [b] index of each target's crop; None if `owner` is None.
  """

  crops: Array
  scale: Array
  frame_size: Array
  owner: Array | None = None
  crop: Array | None = None


@flax.struct.dataclass
class Observation:
  """What was observed of b targets in one frame.

  Attributes:
    score: [b] score of the chosen cell, 0..1.
    heatmaps: [b, s, n, n] heatmaps of the last stage (s = 1) or of every
      stage, 0..1.
  """

  score: jax.Array
  heatmaps: jax.Array


@functools.partial(Jitted, static_argnames='model')
def init(variables: Any, crops: Array, center: Array, size: Array,
         *, model: SiamKPN) -> TrackerState:
  """Initializes b targets from the first frame.

  Args:
    variables: of the network; faster as `inference_variables` gives them.
    crops: [b, 127, 127, 3] uint8 template crops.
    center: [b, 2] x, y of the given boxes, frame pixels.
    size: [b, 2] width, height of the given boxes, frame pixels.
    model: the network.

  Returns:
    The state after the first frame.

  Raises:
    TypeError: the crops are no array.
    ValueError: they have another shape or type.
  """
  _check_crops(crops, (geometry.TEMPLATE_SIZE,))
  template: Any = model.apply(
      variables, crops.astype(jnp.float32), train=False,
      method=SiamKPN.template)
  return TrackerState(template, center, size)


@functools.partial(
    Jitted, static_argnames=(
        'model', 'rule', 'every_stage', 'at_once', 'devices', 'min_side'))
def update(variables: Any, state: TrackerState, search: SearchInput,
           hyperparameters: Hyperparameters, *, model: SiamKPN,
           rule: CandidateRule, every_stage: bool = False,
           at_once: int = 0, devices: int = 1, min_side: float = MIN_SIDE
           ) -> tuple[TrackerState, Observation]:
  """Finds b targets in the next frame.

  Args:
    variables: of the network; faster as `inference_variables` gives them.
    state: state of the targets after the previous frame.
    search: search crops around `state.center`.
    hyperparameters: hyperparameters, each [b].
    model: the network.
    rule: which cells are candidates.
    every_stage: return the heatmaps of every stage, which is slower.
    at_once: crops that the network sees at a time on each device
      (`inference.crops_at_once`); 0 for all.
    devices: over which the crops are divided, if `at_once` is given.
    min_side: of a box, pixels.

  Returns:
    The new state, and what was observed.

  Raises:
    TypeError: the crops are no array.
    ValueError: they have another shape or type.
  """
  _check_crops(search.crops, geometry.SEARCH_SIZES)
  template = state.template
  if search.owner is not None:
    template = jax.tree.map(lambda t: t[search.owner], template)  # n x ...
  stages = slice(None if every_stage else -1, None)
  maps = in_parts(
      lambda t, crops: model.apply(
          variables, t, crops.astype(jnp.float32), train=False,
          method=SiamKPN.search)[stages],
      at_once, template, search.crops, devices=devices)
  if search.crop is not None:
    maps = jax.tree.map(lambda m: m[search.crop], maps)  # b x ...
  center, size, score = jax.vmap(functools.partial(
      update_box, rule=rule, min_side=min_side))(
      maps[-1], state.center, state.size, search.scale, search.frame_size,
      hyperparameters)
  heatmaps = jnp.stack(
      [jax.nn.sigmoid(stage.heatmap[..., 0]) for stage in maps], axis=1)
  return (dataclasses.replace(state, center=center, size=size),
          Observation(score, heatmaps))


def in_parts(function: Callable[..., Any], size: int, *arrays: Any,
             devices: int = 1) -> Any:
  """`function(*arrays)`, for some rows of the arrays at a time.

  Args:
    function: of arrays, whose rows it treats one by one.
    size: rows at a time on each device; 0 for all.
    *arrays: trees of [n, ...].
    devices: over which the rows are divided evenly, in their order.
  """
  if not size:  # the number of rows may be a symbol
    return function(*arrays)
  own = len(arrays[-1]) // devices
  size = math.gcd(size, own)
  parts = own // size
  if parts < 2:
    return function(*arrays)

  def split(x: jax.Array) -> jax.Array:
    x = x.reshape(devices, parts, size, *x.shape[1:])
    return jnp.moveaxis(x, 1, 0).reshape(parts, -1, *x.shape[3:])

  def join(x: jax.Array) -> jax.Array:
    x = x.reshape(parts, devices, size, *x.shape[2:])
    return jnp.moveaxis(x, 0, 1).reshape(-1, *x.shape[3:])

  results = jax.lax.map(lambda part: function(*part),
                        jax.tree.map(split, arrays))
  return jax.tree.map(join, results)


def update_box(maps: Predictions, center: Array, size: Array,
               scale: Array, frame_size: Array,
               hyperparameters: Hyperparameters, rule: CandidateRule,
               min_side: float = MIN_SIDE
               ) -> tuple[jax.Array, jax.Array, jax.Array]:
  """The next box of one target, clipped to the frame.

  Args:
    maps: predictions of the last stage for one crop, without the batch axis.
    center: [2] x, y of the search crop's center, frame pixels.
    size: [2] width, height of the target's last box, frame pixels.
    scale: () crop pixels per frame pixel.
    frame_size: [2] width, height of the frame, pixels.
    hyperparameters: hyperparameters of this target, each ().
    rule: which cells are candidates.
    min_side: of a box, pixels.

  Returns:
    The new center [2] and size [2], and the score () of the chosen cell.
  """
  found = decode(maps, size, scale, hyperparameters, rule)
  return (jnp.clip(center + found.shift, 0, frame_size),
          jnp.clip(found.size, min_side, frame_size), found.score)


def _check_crops(crops: Any, sides: Sequence[int]) -> None:
  """Raises what the functions above say; it costs nothing once compiled."""
  side = geometry.SEARCH_SIZE if geometry.SEARCH_SIZE in sides else sides[0]
  expected = f'expected an array [n, {side}, {side}, 3] uint8' + (
      ', or of another config.tracking.search_size' if len(sides) > 1 else '')
  if not isinstance(crops, jax.Array | np.ndarray):
    raise TypeError(f'crops is a {type(crops).__name__}; {expected}')
  if crops.ndim != 4 or crops.shape[1] not in sides or (
      crops.shape[2:] != (crops.shape[1], 3) or crops.dtype != np.uint8):
    raise ValueError(f'crops of shape {crops.shape}, {crops.dtype}; {expected}')
