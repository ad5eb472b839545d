"""A sprite in a scene: turned, seen at an angle, in some light.

Scene pixel (0, 0) is the one whose center is the target's.
"""

import math

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic.sprites import SOLID, Layer
from siamkpn_jax.datasets.synthetic.textures import hue_turn


def pose_matrix(*, turn: float = 0., stretch: float = 0., shear: float = 0.,
                tilt: tuple[float, float] = (0., 0.),
                mirrored: bool = False) -> np.ndarray:
  """Homography [3, 3] of the plane around the middle of a sprite.

  Args:
    turn: radians.
    stretch: log of sqrt(width / height).
    shear: of x by y.
    tilt: perspective along x and y: 0.2 makes the far side 1 / 1.2 as large.
    mirrored: left and right change places first.
  """
  cos, sin = math.cos(turn), math.sin(turn)
  wide = math.exp(stretch)
  plane = (np.array([[cos, -sin], [sin, cos]]) @
           np.array([[wide, shear], [0, 1 / wide]]) @
           np.diag([-1. if mirrored else 1., 1.]))
  matrix = np.eye(3)
  matrix[:2, :2], matrix[2, :2] = plane, tilt
  return matrix


def tint_matrix(*, gain: tuple[float, float, float] = (1., 1., 1.),
                hue: float = 0., lift: float = 0.) -> np.ndarray:
  """Matrix [4, 4] that recolors sprites, BGRA with multiplied colors.

  Args:
    gain: of blue, green, red.
    hue: radians by which hues turn.
    lift: added to all colors, 1 is white; negative darkens.
  """
  matrix = np.eye(4)
  matrix[:3, :3] = np.array(gain)[:, None] * hue_turn(hue)
  matrix[:3, 3] = lift
  return matrix


def tinted(sprite: np.ndarray, matrix: np.ndarray) -> np.ndarray:
  """A sprite [h, w, 4] in other colors, which stay within its alpha."""
  changed = cv2.transform(sprite, matrix)
  alpha = cv2.extractChannel(sprite, 3)
  return cv2.min(changed, cv2.merge([alpha] * 4))


def place(sprite: np.ndarray, pose: np.ndarray, context: float) -> Layer:
  """Puts a sprite with the center of its box at the scene's (0, 0).

  Args:
    sprite: [h, w, 4] uint8, colors multiplied by alpha.
    pose: [3, 3] from `pose_matrix`.
    context: side of the context square of its box in the scene, pixels.

  Returns:
    Its pixels, with the `alpha_box`.

  Raises:
    UserError: nothing solid is left of it at this size.
  """
  h, w = sprite.shape[:2]
  half = max(w, h) / 2
  # Sprite pixels to the plane in which the sprite's larger side is -1..1.
  matrix = pose @ np.array([
      [1 / half, 0, (1 - w) / 2 / half], [0, 1 / half, (1 - h) / 2 / half],
      [0, 0, 1]])
  alpha = cv2.extractChannel(sprite, 3)
  low, size = _bounds(_solid_points(alpha), matrix)
  matrix = _fit(low, size, context) @ matrix
  # The contour says it almost; the rest is measured.
  x, y, shape, local = _window(alpha.shape, matrix)
  seen = cv2.warpPerspective(alpha, local, shape, flags=cv2.INTER_LINEAR)
  box = alpha_box(seen) + np.array([x, y, 0, 0])
  matrix = _fit(box[:2], box[2:], context) @ matrix
  x, y, shape, local = _window(alpha.shape, matrix)
  seen = cv2.warpPerspective(sprite, local, shape, flags=cv2.INTER_LINEAR)
  alpha = cv2.extractChannel(seen, 3)
  box = alpha_box(alpha) + np.array([x, y, 0, 0])
  return Layer(x, y, seen[..., :3], alpha, box)


def alpha_box(alpha: np.ndarray) -> np.ndarray:
  """Box xywh [4] of where alpha [h, w] crosses a half, between pixels.

  Pixel i has its center at i, and the outermost pixels are transparent: a
  pixel is solid if and only if its center is inside.

  Raises:
    UserError: no pixel is solid.
  """
  spans = []
  for axis in (0, 1):
    level = alpha.max(axis=axis) - (SOLID + 0.5)
    solid = np.flatnonzero(level > 0)
    if not len(solid):
      raise UserError('a cut-out vanishes when it is scaled down; expected '
                      'objects thicker than a line: remove thin ones')
    a, b = solid[0], solid[-1]
    spans.append((a - level[a] / (level[a] - level[a - 1]),
                  b + level[b] / (level[b] - level[b + 1])))
  (x0, x1), (y0, y1) = spans
  return np.array([x0, y0, x1 - x0, y1 - y0])


def _solid_points(alpha: np.ndarray) -> np.ndarray:
  """Centers of the pixels along the contours, [n, 1, 2] float64."""
  solid = cv2.threshold(alpha, SOLID, 255, cv2.THRESH_BINARY)[1]
  contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL,
                                 cv2.CHAIN_APPROX_SIMPLE)
  return np.concatenate(contours).astype(np.float64)


def _bounds(points: np.ndarray,
            matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Least corner and size of points [n, 1, 2] after a homography."""
  moved = cv2.perspectiveTransform(points, matrix)[:, 0]
  low = moved.min(axis=0)
  return low, moved.max(axis=0) - low


def _fit(low: np.ndarray, size: np.ndarray, context: float) -> np.ndarray:
  """The scaling and shift [3, 3] that puts a box where it shall be."""
  scale = context / geometry.context_side(size[0], size[1])
  matrix = np.diag([scale, scale, 1.])
  matrix[:2, 2] = -scale * (low + size / 2)
  return matrix


def _window(shape: tuple[int, ...], matrix: np.ndarray
            ) -> tuple[int, int, tuple[int, int], np.ndarray]:
  """Where a sprite of a shape lands: x, y, (w, h), and the matrix to there."""
  h, w = shape[:2]
  corners = np.array([[[0, 0]], [[w - 1, 0]], [[w - 1, h - 1]], [[0, h - 1]]],
                     np.float64)
  low, size = _bounds(corners, matrix)
  x, y = (np.floor(low) - 1).astype(int).tolist()
  right, bottom = (np.ceil(low + size) + 2).astype(int).tolist()
  shift = np.eye(3)
  shift[:2, 2] = -x, -y
  return x, y, (right - x, bottom - y), shift @ matrix
