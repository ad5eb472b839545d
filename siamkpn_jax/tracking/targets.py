"""What is known of a target between two frames, on the host."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from siamkpn_jax.core.boxes import xywh_around
from siamkpn_jax.tracking.choice import Hyperparameters
from siamkpn_jax.tracking.correction import Correction
from siamkpn_jax.tracking.crop import TemplateInput, search_crop, window
from siamkpn_jax.tracking.long_term import Judge, Memory
from siamkpn_jax.tracking.saved_state import Saved

if TYPE_CHECKING:
  import jax

T = TypeVar('T')
TRACKED, LOST = 'tracked', 'lost'  # states, as files and videos name them
MOST_SLOTS = 4096  # each takes memory for crops and maps


class TrackResult(NamedTuple):
  """Where a target was found.

  Attributes:
    found: whether the score is above the candidates' threshold; in long-term
      tracking, whether the target is not lost.
    box_xywh: [4] left, top, width, height in pixels, float64; the best guess
      where it was not found.
    score: of the chosen cell, 0..1; 1 of a box that was given.
    confidence: probability that the box is right, None where the weights have
      not been measured (tracking/confidence.py), and of a box that was given.

  Examples:
    >>> import numpy as np, siamkpn_jax
    >>> box_xywh = np.array([5., 6., 40., 30.])
    >>> siamkpn_jax.TrackResult(False, box_xywh, 0.1).state
    'lost'
  """

  found: bool
  box_xywh: np.ndarray
  score: float
  confidence: float | None = None

  @property
  def state(self) -> str:
    """'tracked' or 'lost', as files and videos name it."""
    return TRACKED if self.found else LOST


class TargetTracker(Protocol):
  """What following targets in a video takes; see `BatchTracker`."""

  @property
  def targets(self) -> Collection[int]:
    """See `BatchTracker`."""

  def add(self, frame: np.ndarray, box_xywh: Any,
          hyperparameters: Hyperparameters | None = None, *,
          replace: int | None = None) -> int:
    """See `BatchTracker.add`."""

  def remove(self, target: int) -> None:
    """See `BatchTracker.remove`."""

  def update(self, frames: np.ndarray | Mapping[int, np.ndarray]
             ) -> dict[int, TrackResult]:
    """See `BatchTracker.update`."""

  def heatmaps(self, target: int) -> np.ndarray:
    """See `BatchTracker.heatmaps`."""

  def search_crop(self, target: int) -> np.ndarray | None:
    """See `BatchTracker.search_crop`."""

  def search_window(self, target: int) -> tuple[np.ndarray, float]:
    """See `BatchTracker.search_window`."""


class LoadedBatchTracker(TargetTracker, Protocol):
  """A tracker of many targets, whatever runs its network; see `BatchTracker`.

  Attributes:
    slots: see `BatchTracker`.
    devices: see `BatchTracker`.
    crops_seen: see `BatchTracker`.
  """

  slots: int
  devices: int
  crops_seen: int

  def state(self, target: int) -> dict[str, np.ndarray]:
    """See `BatchTracker.state`."""

  def add_state(self, state: Mapping[str, Any], *,
                replace: int | None = None) -> int:
    """See `BatchTracker.add_state`."""

  def network_speed(self) -> float | None:
    """See `BatchTracker.network_speed`."""


@dataclasses.dataclass(eq=False)
class TemplateView:
  """A target as it was in its first frame.

  Attributes:
    input: crop, place and surroundings.
    template: `Template` of a batch of 1, on the devices; None where the engine
      keeps it.
    correction: of the network's boxes; None: not measured.
  """

  input: TemplateInput
  template: Any
  correction: Correction | None = None

  def equals(self, other: TemplateInput) -> bool:
    """Whether it was made of the same pixels and box."""
    return all(np.array_equal(a, b) for a, b in zip(
        dataclasses.astuple(self.input), dataclasses.astuple(other),
        strict=True))


@dataclasses.dataclass(eq=False)
class Target:
  """A target after a frame.

  Attributes:
    view: of its first frame.
    hyperparameters: its own.
    judge: of what the network says.
    correction: of its boxes.
    center: [2] float32 x, y, frame pixels.
    size: [2] float32 width, height, frame pixels.
    score: of the last update, 0..1.
    updated: whether there was one.
    memory: of long-term tracking.
    crop: [side, side, 3] uint8, what the last update looked at; None where the
      tracker keeps it, as it does `seen`.
    seen: [b, s, n, n] heatmaps of the last batch, and the row of this target.
  """

  view: TemplateView
  hyperparameters: Hyperparameters
  judge: Judge
  correction: Correction
  center: np.ndarray = dataclasses.field(init=False)
  size: np.ndarray = dataclasses.field(init=False)
  score: float = 0.0
  updated: bool = False
  memory: Memory = dataclasses.field(init=False)
  crop: np.ndarray | None = None
  seen: 'tuple[jax.Array, int] | None' = None

  def __post_init__(self) -> None:
    """Sees it for sure, where it is in its first frame."""
    self.center, self.size = self.view.input.center, self.view.input.size
    self.memory = Memory(self.center, self.size)

  def window(self) -> tuple[np.ndarray, float]:
    """Of the next search: its center [2], and crop pixels per frame pixel."""
    return self.memory.window(self.center, self.size)

  def take(self, center: np.ndarray, size: np.ndarray, score: float,
           frame_size: tuple[int, int]) -> None:
    """What the network says of a frame."""
    self.score, self.updated = score, True
    self.memory, self.center, self.size = self.judge.settle(
        self.memory, *self.correction.corrected(center, size, frame_size),
        score, float(self.hyperparameters.threshold), frame_size)

  def result(self) -> TrackResult:
    """Of the last update."""
    found = self.judge.found(self.memory, self.score,
                             float(self.hyperparameters.threshold))
    return TrackResult(found, xywh_around(self.center, self.size), self.score,
                       self.judge.confidence(self.memory, self.score))

  def saved(self) -> Saved:
    """What the next boxes depend on."""
    return Saved(self.view.input, self.center, self.size, self.memory,
                 self.hyperparameters, self.correction, self.score,
                 self.updated)

  def restore(self, saved: Saved) -> None:
    """Goes on from there; the first frame and the settings are its own."""
    self.center, self.size, self.memory = saved.center, saved.size, saved.memory
    self.score, self.updated = saved.score, saved.updated


class Search:
  """A target that is looked for in a frame.

  Attributes:
    slot: of the target.
    target: as it was in the last frame.
    frame: [h, w, 3] uint8 BGR.
    center: [2] of the search crop, frame pixels.
    scale: crop pixels per frame pixel.
    side: of the search crop, pixels.
  """

  def __init__(self, slot: int, target: Target, frame: np.ndarray, side: int):
    self.slot, self.target, self.frame = slot, target, frame
    self.side = side
    self.center, self.scale = target.window()

  def crop(self) -> np.ndarray:
    """[side, side, 3] uint8 search crop."""
    return search_crop(self.frame, self.center, self.scale,
                       self.target.view.input.fill, self.side)

  def pixels(self) -> tuple[int, ...]:
    """Equal for two searches where the network would see the same."""
    return (id(self.target.view), id(self.frame), *window(
        self.center, self.side / self.scale))


def known(targets: Mapping[int, T], target: int) -> T:
  """What a batch tracker holds of a target.

  Raises:
    KeyError: it is not tracked.
  """
  if target not in targets:
    numbers = ', '.join(map(str, targets)) or 'none so far'
    raise KeyError(f'target {target!r} is not tracked; expected a number '
                   f'that add returned: {numbers}')
  return targets[target]


def check_slots(slots: Any) -> int:
  """The number of slots.

  Raises:
    ValueError: it is no whole number, or out of range.
  """
  if isinstance(slots, bool) or not isinstance(slots, int | np.integer) or (
      not 1 <= slots <= MOST_SLOTS):
    raise ValueError(f'slots={slots!r}: expected 1 or more, a whole number up '
                     f'to {MOST_SLOTS}: the number of targets at once')
  return int(slots)
