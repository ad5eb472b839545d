"""Lost and found: what a tracker does while it does not see its target.

After some frames of low confidence, the search region is as large as those that
the network was trained on, where it is smaller usually. After some more, the
target is lost. Its box then goes back to where it was last seen for sure, keeps
the size that it had there, and the search region grows: to twice as many places
around it in every round until they cover the frame, each at the usual scale, at
which a network finds most, unless that would be too many. In every other frame
it is the old place again, in turns at the usual scale and in a larger region.
What looks like the target is looked at again; once it has looked like it for
some frames in a row, the target is found.

All of it is on the host, and pure; the engines share it.
"""

import dataclasses
import math
from typing import TypeVar

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.tracking.choice import (
  MIN_SIDE,
  DecodeConfig,
  Hyperparameters,
)
from siamkpn_jax.tracking.confidence import Calibration
from siamkpn_jax.tracking.crop import search_scale

Settings = TypeVar('Settings', DecodeConfig, Hyperparameters)


@dataclasses.dataclass(frozen=True)
class Rule:
  """When a target is lost and found; docs/tracking.md says why so.

  Attributes:
    low: confidence below which a frame speaks for a loss.
    high: confidence from which the target is seen for sure.
    doubt: low frames in a row until the region is as large as in training.
    patience: low frames in a row until it is lost.
    proof: high frames in a row until it is found.
    apart: from a search region to the next, in its sides.
    most: regions in a frame; beyond it they are larger than usual.
    wide: side of a region around where the target was last seen, in usual ones.
    search_size: side of the search crop, pixels of the crop.
  """

  low: float = 0.35
  high: float = 0.8
  doubt: int = 3
  patience: int = 10
  proof: int = 2
  apart: float = 0.65
  most: int = 100
  wide: float = 1.6
  search_size: int = geometry.SEARCH_SIZE

  @property
  def doubtful(self) -> float:
    """Side of a region after some low frames, in usual ones."""
    return max(1.0, geometry.SEARCH_SIZE / self.search_size)


@dataclasses.dataclass(frozen=True)
class Judge:
  """What decides whether a box is to be believed.

  Attributes:
    calibration: of the weights; None: not measured. The threshold of the
      candidates then decides what is high and what is low.
    rule: of long-term tracking; None: every box is as the network says.
  """

  calibration: Calibration | None = None
  rule: Rule | None = None

  def confidence(self, memory: 'Memory', score: float) -> float | None:
    """That a box is right, 0..1; None where nothing has been measured.

    While a target is lost, the score is that of another place: its box is worth
    less than any that makes the target lost.
    """
    if self.calibration is None:
      return None
    believed = self.calibration(score)
    return believed * self.rule.low if self.rule and memory.lost else believed

  def found(self, memory: 'Memory', score: float, threshold: float) -> bool:
    """Whether the target is where the box is."""
    return not memory.lost if self.rule else score > threshold

  def settle(self, memory: 'Memory', center: np.ndarray, size: np.ndarray,
             score: float, threshold: float, frame_size: tuple[int, int]
             ) -> tuple['Memory', np.ndarray, np.ndarray]:
    """`step`, from a score; what the network says without a rule."""
    if self.rule is None:
      return memory, center, size
    trust = (self.calibration(score) if self.calibration else
             float(score > threshold))
    return step(memory, center, size, trust, frame_size, self.rule)


BELIEVING = Judge()  # what the network says, as it is


@dataclasses.dataclass(frozen=True, eq=False)
class Memory:
  """What is remembered of a target between two frames.

  Attributes:
    center: [2] float32 where it was last seen for sure, frame pixels.
    size: [2] float32 its size there.
    lost: whether it is.
    count: frames in a row that speak for the other state.
    place: [2] center of the next search where that is not the box's.
    zoom: side of its region, in usual ones.
    looks: since it was lost.
    round: of the search; each goes to twice as many places.
    turn: in the round.
  """

  center: np.ndarray
  size: np.ndarray
  lost: bool = False
  count: int = 0
  place: np.ndarray | None = None
  zoom: float = 1.0
  looks: int = 0
  round: int = 0
  turn: int = 0

  def window(self, center: np.ndarray, size: np.ndarray
             ) -> tuple[np.ndarray, float]:
    """Of the next search, for a box: center [2], crop pixels per pixel."""
    place = center if self.place is None else self.place
    return place, search_scale(size) / self.zoom

  def settings(self, usual: Settings) -> Settings:
    """Those of the next search: a lost target may be anywhere in it."""
    if not self.lost:
      return usual
    return dataclasses.replace(usual, window_influence=0.0)


def step(memory: Memory, center: np.ndarray, size: np.ndarray,
         confidence: float, frame_size: tuple[int, int], rule: Rule
         ) -> tuple[Memory, np.ndarray, np.ndarray]:
  """Makes up its mind about a frame.

  Args:
    memory: after the frame before.
    center: [2] float32 of the best guess, frame pixels, inside the frame.
    size: [2] float32 of it.
    confidence: in it, 0..1.
    frame_size: width and height of the frame, pixels.
    rule: numbers.

  Returns:
    The memory, and the center and size of the box.
  """
  sure = confidence >= rule.high
  if not memory.lost:
    if sure:
      return Memory(center, size), center, size
    count = memory.count + 1 if confidence < rule.low else 0
    memory = dataclasses.replace(
        memory, count=count,
        zoom=rule.doubtful if count >= rule.doubt else 1.0)
    if memory.count < rule.patience:
      return memory, center, size
    memory = dataclasses.replace(memory, lost=True)
  elif sure:
    # A region that is larger than usual proves nothing.
    count = memory.count + (memory.zoom == 1)
    if count >= rule.proof:
      return Memory(center, size), center, size
    memory = _inside(memory, frame_size)
    return (dataclasses.replace(memory, count=count, place=None, zoom=1.0),
            center, memory.size)
  memory = _further(_inside(memory, frame_size), frame_size, rule)
  return memory, memory.center, memory.size


def places(center: np.ndarray, side: float, frame_size: tuple[int, int],
           rule: Rule) -> tuple[np.ndarray, float]:
  """Where a lost target is searched for.

  Args:
    center: [2] where it was last seen, frame pixels.
    side: of the usual search region, pixels.
    frame_size: width and height of the frame, pixels.
    rule: numbers.

  Returns:
    [n, 2] float32 centers of regions that cover the frame, the nearest first;
    and their zoom.
  """
  zoom = 1.0
  while True:
    region = side * zoom
    count = [1 + max(0, math.ceil((length - region) / (rule.apart * region)))
             for length in frame_size]
    if math.prod(count) <= rule.most:
      break
    zoom *= 1.25
  axes = [np.linspace(min(region, length) / 2, length - min(region, length) / 2,
                      n) for n, length in zip(count, frame_size, strict=True)]
  grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
  distance = np.linalg.norm(grid - center, axis=1)
  return grid[np.argsort(distance, kind='stable')].astype(np.float32), zoom


def _inside(memory: Memory, frame_size: tuple[int, int]) -> Memory:
  """With a box that a frame can have, should its size have changed."""
  limit = np.array(frame_size, np.float32)
  return dataclasses.replace(
      memory, center=np.clip(memory.center, 0, limit),
      size=np.clip(memory.size, np.minimum(np.float32(MIN_SIDE), limit), limit))


def _further(memory: Memory, frame_size: tuple[int, int], rule: Rule) -> Memory:
  """Looking at the next place."""
  usual = rule.search_size / search_scale(memory.size)
  looks = memory.looks + 1
  memory = dataclasses.replace(
      memory, count=0, place=memory.center, looks=looks,
      zoom=1.0 if looks % 4 == 1 else rule.wide)
  if looks % 2:
    return memory
  centers, zoom = places(memory.center, usual, frame_size, rule)
  turn, number = memory.turn, memory.round
  if turn >= min(2**number, len(centers)):
    turn, number = 0, min(number + 1, len(centers).bit_length())
  return dataclasses.replace(memory, place=centers[turn], zoom=zoom,
                             round=number, turn=turn + 1)
