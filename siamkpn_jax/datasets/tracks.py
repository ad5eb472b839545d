"""Annotated tracks as a data set holds them, and what of them is unusable."""

import collections
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

_LONGEST = 300  # characters of an example


@dataclasses.dataclass(frozen=True)
class RawTrack:
  """One target as annotated, before anything is checked.

  Attributes:
    name: unique in its set, for messages.
    images: of every annotated frame, relative to the set's folder.
    boxes_xywh: [t, 4] as annotated, left, top, width, height; may hold
      anything. Pixels, or fractions of the image where `relative`.
    absent: [t] True where the annotation says that the target is out of sight
      or fully hidden.
    relative: the unit of the boxes.
  """

  name: str
  images: list[str]
  boxes_xywh: np.ndarray
  absent: np.ndarray
  relative: bool = False


class Dropped:
  """What is left out, by reason, with the first example of each.

  Attributes:
    counts: {reason: number}; a reason names its unit, as 'frames: absent'.
    examples: {reason: where}.
  """

  def __init__(self) -> None:
    """Nothing yet."""
    self.counts: collections.Counter[str] = collections.Counter()
    self.examples: dict[str, str] = {}

  def add(self, reason: str, example: str, count: int = 1) -> None:
    """Counts frames or tracks that are left out for a reason, in few words.

    The example says where. It is kept so that it can be printed, whatever is in
    it.
    """
    if count:
      self.counts[reason] += int(count)
      self.examples.setdefault(reason, _printable(example))

  def update(self, other: 'Dropped') -> None:
    """Adds what another has."""
    for reason, count in other.counts.items():
      self.add(reason, other.examples[reason], count)


def _printable(text: str) -> str:
  """The text on one line of bounded length, anything unusual escaped."""
  short = text if len(text) <= _LONGEST else f'{text[:_LONGEST - 3]}...'
  return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in short)


class Layout(Protocol):
  """How one public data set lies on disk; a module with these names.

  Attributes:
    EXPECTED: what its folder looks like, for messages.
  """

  EXPECTED: str

  def annotations(self, folder: Path) -> list[Path]:
    """The files whose change makes an index stale; [] if this is not it."""

  def tracks(self, folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
    """All tracks of the training split; unreadable ones go to `dropped`."""
