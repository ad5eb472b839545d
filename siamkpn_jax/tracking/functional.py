"""The tracker as pure jitted functions over a batch of targets.

`init` looks at the first frame, `update` finds the targets in the next one.
Everything that a target remembers travels in `TrackerState`; the numbers that
are tuned are traced, one set per target, so that other values compile nothing.
"""

import dataclasses
import functools
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.models.head import Predictions, Template
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.decode import (
    CandidateRule,
    Hyperparameters,
    decode,
)

Array = jax.Array | np.ndarray

_MIN_SIDE = 10.0  # pixels


@flax.struct.dataclass
class TrackerState:
  """Everything that is remembered of b targets between frames.

  Attributes:
    template: of the first frame, [b, ...].
    center: [b, 2] x, y, frame pixels.
    size: [b, 2] width, height, frame pixels.
  """

  template: Template
  center: Array
  size: Array


@flax.struct.dataclass
class SearchInput:
  """Where b targets are looked for: n crops, mostly one for each target.

  Attributes:
    crops: [n, 255, 255, 3] uint8 search crops.
    scale: [b] crop pixels per frame pixel.
    frame_size: [b, 2] width and height of the frame.
    owner: [n] a target whose template the crop is compared with; None: n = b,
      and crop i belongs to target i alone.
    crop: [b] the crop of each target; None with `owner`.
  """

  crops: Array
  scale: Array
  frame_size: Array
  owner: Array | None = None
  crop: Array | None = None


@flax.struct.dataclass
class Observation:
  """What one frame showed of b targets.

  Attributes:
    score: [b] of the chosen cell, 0..1.
    heatmaps: [b, s, 31, 31], 0..1: of the last stage (s = 1) or of every one.
  """

  score: jax.Array
  heatmaps: jax.Array


@functools.partial(jax.jit, static_argnames='model')
def init(variables: Any, crops: Array, center: Array, size: Array,
         *, model: SiamKPN) -> TrackerState:
  """The state after the first frame.

  Args:
    variables: of the network.
    crops: [b, 127, 127, 3] uint8 template crops.
    center: [b, 2] of the given boxes.
    size: [b, 2] of the given boxes.
    model: the network.
  """
  template: Any = model.apply(
      variables, crops.astype(jnp.float32), train=False,
      method=SiamKPN.template)
  return TrackerState(template, center, size)


@functools.partial(
    jax.jit, static_argnames=('model', 'rule', 'every_stage'))
def update(variables: Any, state: TrackerState, search: SearchInput,
           hyperparameters: Hyperparameters, *, model: SiamKPN,
           rule: CandidateRule, every_stage: bool = False
           ) -> tuple[TrackerState, Observation]:
  """Finds the targets in the next frame.

  Args:
    variables: of the network.
    state: of b targets after the last frame.
    search: crops around `state.center`.
    hyperparameters: [b] of each.
    model: the network.
    rule: which cells are candidates.
    every_stage: observe the heatmaps of every stage, which takes longer.
  """
  template = state.template
  if search.owner is not None:
    template = jax.tree.map(lambda t: t[search.owner], template)  # n x ...
  maps: Any = model.apply(
      variables, template, search.crops.astype(jnp.float32), train=False,
      method=SiamKPN.search)
  maps = maps if every_stage else maps[-1:]
  if search.crop is not None:
    maps = jax.tree.map(lambda m: m[search.crop], maps)  # b x ...
  center, size, score = jax.vmap(functools.partial(update_box, rule=rule))(
      maps[-1], state.center, state.size, search.scale, search.frame_size,
      hyperparameters)
  heatmaps = jnp.stack(
      [jax.nn.sigmoid(stage.heatmap[..., 0]) for stage in maps], axis=1)
  return (dataclasses.replace(state, center=center, size=size),
          Observation(score, heatmaps))


def update_box(maps: Predictions, center: Array, size: Array,
               scale: Array, frame_size: Array,
               hyperparameters: Hyperparameters, rule: CandidateRule
               ) -> tuple[jax.Array, jax.Array, jax.Array]:
  """A target's next box, kept inside the frame.

  Args:
    maps: of the last stage and one crop, without the batch axis.
    center: [2] of the search crop, frame pixels.
    size: [2] the target's last width and height, frame pixels.
    scale: () crop pixels per frame pixel.
    frame_size: [2] width, height.
    hyperparameters: () of this target.
    rule: which cells are candidates.

  Returns:
    The new center [2] and size [2], and the score () of the chosen cell.
  """
  found = decode(maps, size, scale, hyperparameters, rule)
  return (jnp.clip(center + found.shift, 0, frame_size),
          jnp.clip(found.size, _MIN_SIDE, frame_size), found.score)
