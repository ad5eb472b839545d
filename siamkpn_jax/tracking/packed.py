"""`functional.update` with few arrays in and out.

Every array that goes to a device or comes from it takes some 50 microseconds,
which for a compact network adds up to a tenth of a frame: one array of numbers
goes in and one comes out. One that is there already takes 1 to 2, and a network
has more than a hundred: the biases are one array, too.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.core.compiling import Jitted
from siamkpn_jax.models.head import Template
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking import functional
from siamkpn_jax.tracking.correction import LOOKING, Look
from siamkpn_jax.tracking.decode import CandidateRule, Hyperparameters
from siamkpn_jax.tracking.functional import Array, SearchInput, TrackerState

COLUMNS = 7 + len(dataclasses.fields(Hyperparameters))  # of the numbers


@flax.struct.dataclass
class PackedVariables:
  """Variables of a network, the biases in one array.

  Attributes:
    biases: all of them, one after the other.
    others: the other arrays.
    sizes: of every array in the order of the tree; 0 for another one.
    tree: how they belong together.
  """

  biases: Array
  others: tuple[Array, ...]
  sizes: tuple[int, ...] = flax.struct.field(pytree_node=False)
  tree: Any = flax.struct.field(pytree_node=False)


def pack_variables(variables: Any) -> PackedVariables:
  """The biases on the host; `unpack_variables` takes them apart again.

  Kernels stay: a slice that is a factor of a product would be copied.
  """
  leaves, tree = jax.tree.flatten(variables)
  biases = [np.asarray(leaf) for leaf in leaves if leaf.ndim == 1]
  return PackedVariables(
      np.concatenate(biases), tuple(x for x in leaves if x.ndim != 1),
      tuple(len(x) if x.ndim == 1 else 0 for x in leaves), tree)


def unpack_variables(packed: PackedVariables) -> Any:
  """The variables that `pack_variables` got, within a program."""
  others, leaves, start = iter(packed.others), [], 0
  for size in packed.sizes:
    leaves.append(
        jax.lax.slice(packed.biases, (start,), (start + size,)) if size else
        next(others))
    start += size
  return jax.tree.unflatten(packed.tree, leaves)


def pack(center: np.ndarray, size: np.ndarray, scale: float,
         frame_size: tuple[int, int],
         hyperparameters: Hyperparameters) -> tuple[Any, ...]:
  """A row of the numbers: all of `functional.update` that is one target's."""
  return (*center, *size, scale, *frame_size,
          *vars(hyperparameters).values())


@functools.partial(
    Jitted, static_argnames=(
        'model', 'rule', 'every_stage', 'at_once', 'devices'))
def update_packed(variables: PackedVariables, templates: Template, crops: Any,
                  numbers: Any, sharing: Any, *, model: SiamKPN,
                  rule: CandidateRule, every_stage: bool, at_once: int,
                  devices: int
                  ) -> tuple[jax.Array, jax.Array]:
  """Finds b targets in the next frame.

  Args:
    variables: of the network, as `pack_variables` gives them.
    templates: [b, ...] of the targets.
    crops: [n, side, side, 3] uint8 search crops.
    numbers: [b, COLUMNS] a row of `pack` for each target.
    sharing: `owner` [n] and `crop` [b] of `SearchInput`, or None.
    model: the network.
    rule: which cells are candidates.
    every_stage: return the heatmaps of every stage.
    at_once: as of `functional.update`.
    devices: as of `functional.update`.

  Returns:
    [b, 5] for `unpack`, and the heatmaps as of `Observation`.
  """
  owner, crop = sharing or (None, None)
  state, seen = functional.update(
      unpack_variables(variables),
      TrackerState(templates, numbers[:, :2], numbers[:, 2:4]),
      SearchInput(crops, numbers[:, 4], numbers[:, 5:7], owner, crop),
      Hyperparameters(*numbers[:, 7:].T), model=model, rule=rule,
      every_stage=every_stage, at_once=at_once, devices=devices,
      min_side=0.0)  # `Correction.corrected` sees to that
  found = jnp.concatenate(
      [state.center, state.size, seen.score[:, None]], axis=1)
  return found, seen.heatmaps


def unpack(found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """[b, 5] -> the new centers [b, 2], sizes [b, 2] and scores [b]."""
  return found[:, :2], found[:, 2:4], found[:, 4]


def look_with(update: Callable[..., Any]) -> Look:
  """What finds a target in crops of its first frame.

  Args:
    update: `update_packed` of one target: crops, numbers, sharing -> result.
  """
  def look(crop: np.ndarray, size: np.ndarray
           ) -> tuple[np.ndarray, np.ndarray, float]:
    side = crop.shape[0]
    numbers = pack(np.array([side / 2] * 2), size, 1.0, (side, side),
                   LOOKING)
    found, _ = update(crop[None], np.array([numbers], np.float32), None)
    (center,), (smoothed,), (score,) = unpack(np.asarray(found))
    return center, smoothed, float(score)

  return look
