"""A look-alike beside the target of a real sequence.

The picture inside the target's own box, which circles the target and may touch
a corner of its box. A tracker can tell the two apart by their places alone.
"""

import math

import cv2
import numpy as np

_RADIUS = 0.6  # of the ellipse that is copied, in sizes of the box
_NEAR, _FAR = 1.3, 2.1  # from the target, in sizes of its box


def beside(frames: list[np.ndarray], boxes_xywh: np.ndarray,
           seed: int) -> list[np.ndarray]:
  """Copies of the frames with a look-alike.

  Args:
    frames: [h, w, 3] uint8 of a sequence.
    boxes_xywh: [n, 4] the target; a frame without a box stays as it is.
    seed: of where the look-alike begins and how it moves.
  """
  rng = np.random.default_rng(seed)
  start, swing = rng.uniform(0, 2 * math.pi, 2)
  turn = rng.choice((-1, 1)) * rng.uniform(0.02, 0.06)  # radians per frame
  sway = rng.uniform(0.03, 0.08)
  found = []
  for t, (frame, box_xywh) in enumerate(zip(frames, boxes_xywh, strict=True)):
    distance = (_NEAR + _FAR) / 2 + (_FAR - _NEAR) / 2 * math.sin(
        swing + sway * t)
    angle = start + turn * t
    found.append(_copied(frame, box_xywh, distance * math.cos(angle),
                         distance * math.sin(angle)))
  return found


def _copied(frame: np.ndarray, box_xywh: np.ndarray, across: float,
            down: float) -> np.ndarray:
  """The frame with its target a second time, some sizes of the box away."""
  x, y, w, h = box_xywh.tolist()
  if not np.isfinite(box_xywh).all() or min(w, h) < 1:
    return frame
  shift = round(across * w), round(down * h)
  moved = cv2.warpAffine(
      frame, np.array([[1.0, 0, shift[0]], [0, 1.0, shift[1]]]),
      frame.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
  mask = np.zeros(frame.shape[:2], np.float32)
  cv2.ellipse(mask, (round(x + w / 2) + shift[0], round(y + h / 2) + shift[1]),
              (math.ceil(_RADIUS * w), math.ceil(_RADIUS * h)), 0, 0, 360, 1.0,
              thickness=-1)
  mask = cv2.blur(mask, (5, 5))[..., None]
  return (frame + mask * (moved.astype(np.float32) - frame)).astype(np.uint8)
