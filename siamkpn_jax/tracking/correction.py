"""What a network calls the target, against what the user does.

A box says where an object ends to the one who drew it: with its shadow or
without, up to the feet or past them. A network has its own idea, of the boxes
that it was trained on, and keeps to it: what separates the two is much the same
in all frames of a video. So it is measured in the first one, where both are
known, and a part of it is taken off the later boxes.

All of it is on the host, and pure; the engines share it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from siamkpn_jax.config.network import TrackingConfig
from siamkpn_jax.tracking.choice import MIN_SIDE, DecodeConfig, Hyperparameters
from siamkpn_jax.tracking.crop import (
    TemplateInput,
    search_crop,
    search_scale,
)

# A search crop -> center [2], size [2] and score found in it, crop pixels; from
# the size [2] that the target has in it.
Look = Callable[[np.ndarray, np.ndarray],
                tuple[np.ndarray, np.ndarray, float]]

# Where the first frame is looked at: places, in sizes of the target, and how
# much larger than it is it is taken to be. One place says too little: what the
# network answers depends on where the target is in the crop.
_LOOKS = ((0, 0, 1), (-.15, 0, 1), (.15, 0, 1), (0, -.15, 1), (0, .15, 1),
          (0, 0, .87), (0, 0, 1.15))
# Beyond these, what was found is another object, or none.
_MOST_SHIFT, _MOST_RATIO = 0.5, 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class Correction:
  """How the boxes of a network differ from those of the user.

  Attributes:
    shift: [2] float32 x, y of the network's center, in sizes of the target.
    ratio: [2] float32 of the network's width and height to the target's.
  """

  shift: np.ndarray
  ratio: np.ndarray

  def seen(self, size: np.ndarray) -> np.ndarray:
    """[2] the size of a target as the network would have it."""
    return size * self.ratio

  def corrected(self, center: np.ndarray, size: np.ndarray,
                frame_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The center [2] and size [2] of a target that the network has found.

    Args:
      center: [2] as the network has it, frame pixels.
      size: [2] as the network has it, frame pixels.
      frame_size: width and height, pixels; the result is inside.
    """
    # Plain numbers: right after a network has run, a dozen of NumPy's calls
    # take 1 % of a compact one's time.
    sides = [min(max(side / ratio, MIN_SIDE), float(limit))
             for side, ratio, limit in zip(
                 size.tolist(), self.ratio.tolist(), frame_size, strict=True)]
    places = [min(max(place - shift * side, 0.0), float(limit))
              for place, shift, side, limit in zip(
                  center.tolist(), self.shift.tolist(), sides, frame_size,
                  strict=True)]
    return np.array(places, np.float32), np.array(sides, np.float32)


# What to look with, whatever a target is tracked with: the best score, and the
# predicted size, weighed by the score.
LOOKING = Hyperparameters(penalty_k=0.0, window_influence=0.0, size_lr=1.0,
                          threshold=TrackingConfig.threshold)
NONE = Correction(np.zeros(2, np.float32), np.ones(2, np.float32))


def measure(look: Look, frame: np.ndarray, first: TemplateInput,
            config: DecodeConfig) -> Correction:
  """The correction of one target, from its first frame.

  Args:
    look: searches for it, `LOOKING`.
    frame: [h, w, 3] uint8 BGR.
    first: what is known of the target in it.
    config: the part of the difference to take off is its `box_correction`.
  """
  if not config.box_correction:
    return NONE
  side, found = config.search_size, []
  for right, down, larger in _LOOKS:
    place = first.center + np.array([right, down], np.float32) * first.size
    scale = search_scale(first.size * np.float32(larger))
    size = first.size * np.float32(larger * scale)  # in the crop
    center, smoothed, score = look(
        search_crop(frame, place, scale, first.fill, side), size)
    if not score > LOOKING.threshold:
      continue
    predicted = (size + (smoothed - size) / score) / scale
    moved = place + (center - side / 2) / scale - first.center
    shift = moved / first.size
    ratio = predicted / first.size
    if (np.abs(shift) < _MOST_SHIFT).all() and (
        (ratio > 1 / _MOST_RATIO) & (ratio < _MOST_RATIO)).all():
      found.append((shift, np.log(ratio)))
  if not found:
    return NONE
  shift, ratio = config.box_correction * np.mean(found, 0)
  return Correction(shift.astype(np.float32), np.exp(ratio).astype(np.float32))
