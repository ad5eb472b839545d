"""What a tracker is asked for in each frame of a sequence.

An experiment is a generator: it yields the action of the next frame, is sent
the box of an `UPDATE` (otherwise None), and returns what came out. It does not
know how many sequences run beside it; batch_runner.py does.
"""

import dataclasses
import enum
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.tracking.decode import Hyperparameters


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
  """The tracker is started from this box [4], xywh, 0-based pixels."""
  box_xywh: np.ndarray


class Action(enum.Enum):
  """The tracker is asked for a box, or the frame is passed over."""
  UPDATE = 'update'
  SKIP = 'skip'


Experiment = Generator[Start | Action, np.ndarray | None, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """A sequence to run.

  Attributes:
    name: of the sequence, for messages.
    frames: its image files, in order.
    experiment: begins it; it ends after the last frame.
    hyperparameters: of the tracker; None: its own.
  """
  name: str
  frames: tuple[Path, ...]
  experiment: Callable[[], Experiment]
  hyperparameters: Hyperparameters | None = None


class BoxError(UserError):
  """A tracker gave a box that is not four finite numbers."""


def one_pass(sequence: Video) -> Experiment:
  """Started on the first frame, asked in all others.

  Returns:
    [t, 4] boxes, the first is the one that was given.
  """
  boxes_xywh = [sequence.boxes_xywh[0]]
  yield Start(sequence.boxes_xywh[0].copy())
  for frame in sequence.frames[1:]:
    box_xywh = yield Action.UPDATE
    boxes_xywh.append(checked_box(box_xywh, frame))
  return np.array(boxes_xywh)


def one_pass_task(video: Video) -> Task:
  """`one_pass` of a sequence."""
  return Task(video.name, video.frames, lambda: one_pass(video))


def checked_box(box_xywh: Any, frame: Path) -> np.ndarray:
  """The box [4] that a tracker gave for an image file, as float64.

  Raises:
    BoxError: it is not four finite numbers.
  """
  box_xywh = np.asarray(box_xywh, np.float64)
  if box_xywh.shape != (4,) or not np.isfinite(box_xywh).all():
    raise BoxError(f'the tracker returned the box {box_xywh.tolist()} for '
                    f'{frame}; expected four finite numbers: check the weights')
  return box_xywh
