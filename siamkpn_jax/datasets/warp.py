"""Turns, shears and stretches a context patch, with the new box of its target.

The box of a turned target is not known, only that of its turned box, which is
looser. So the angles are small, and smaller for long targets, whose boxes grow
more.
"""

import math

import cv2
import numpy as np

from siamkpn_jax.core import geometry

ROTATION = 8.0  # degrees at most, of a square target
SHEAR = 0.05  # at most, of a square target
STRETCH = 1.1  # width by at most this factor, height by its inverse
PERSPECTIVE = 0.02  # relative change of scale half a template off, at most


def random_warp(rng: np.random.Generator, image: np.ndarray, wh: np.ndarray,
                patch: int) -> tuple[np.ndarray, np.ndarray]:
  """`warp` by a random matrix within the limits above."""
  rotation, shear, stretch, *perspective = rng.uniform(-1, 1, 5)
  long = float(max(wh) / min(wh))
  return warp(image, wh, patch, matrix(
      math.radians(ROTATION) / long * rotation, SHEAR / long * shear,
      STRETCH**stretch, PERSPECTIVE * np.array(perspective)))


def matrix(rotation: float, shear: float, stretch: float,
           perspective: np.ndarray) -> np.ndarray:
  """[3, 3] homography about the target's center.

  Args:
    rotation: radians, from x to y.
    shear: pixels along x for each pixel along y.
    stretch: factor of the width; the height is divided by it.
    perspective: [2] relative change of scale, along x and y, at the edge of the
      template.
  """
  cos, sin = math.cos(rotation), math.sin(rotation)
  turn = np.array([[cos, -sin], [sin, cos]])
  out = np.eye(3)
  out[:2, :2] = turn @ [[1, shear], [0, 1]] @ np.diag([stretch, 1 / stretch])
  out[2, :2] = perspective / (geometry.TEMPLATE_SIZE / 2)
  return out


def warp(image: np.ndarray, wh: np.ndarray, patch: int,
         homography: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The patch of the warped image, as `Source.read` would give it.

  Args:
    image: [m, m, 3] uint8, the target's center in its center.
    wh: [2] size of the target.
    patch: side of the result, odd.
    homography: [3, 3] about that center.

  Returns:
    [patch, patch, 3] with the center of the new box in its center, at the
    template's scale; [2] float32 size of the new box, which holds the old one's
    corners. What is not in `image` mirrors its edge.
  """
  corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) * wh / 2
  moved = cv2.perspectiveTransform(corners[None].astype(float), homography)[0]
  low, high = moved.min(axis=0), moved.max(axis=0)
  zoom = geometry.TEMPLATE_SIZE / geometry.context_side(*(high - low))
  x, y = (patch - 1) / 2 - zoom * (low + high) / 2
  middle = (len(image) - 1) / 2
  whole = (np.array([[zoom, 0, x], [0, zoom, y], [0, 0, 1]]) @ homography @
           np.array([[1, 0, -middle], [0, 1, -middle], [0, 0, 1]]))
  warped = cv2.warpPerspective(
      image, whole, (patch, patch), flags=cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REFLECT_101)
  return warped, (zoom * (high - low)).astype(np.float32)
