"""Failure strips as small frames with the annotated box and the tracker's."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.report.failure_strips import FailureStrip

GREEN, RED, WHITE, BLACK = (60, 200, 60), (50, 50, 240), (255,) * 3, (0,) * 3
_WIDTH = 320  # pixels of a frame
_GAP = 4
_BITS = 4  # of cv2's fractions of a pixel
_FAR = 1e4  # pixels; beyond, cv2's integers overflow


def draw_frames(strip: FailureStrip) -> list[np.ndarray]:
  """[h, 320, 3] uint8 BGR pictures, all of one height.

  The frame in which the target is lost has a red border.

  Raises:
    UserError: an image cannot be read.
  """
  pictures: list[np.ndarray] = []
  for path, frame, truth, result in zip(
      strip.images, strip.frames, strip.truth, strip.result, strict=True):
    image = read_image(path)
    height, width = image.shape[:2]
    size = (_WIDTH, max(1, round(_WIDTH * height / width)))
    if pictures:
      size = (_WIDTH, pictures[0].shape[0])
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scale = np.array(size) / (width, height)
    _outline(picture, truth * scale, GREEN)
    _outline(picture, result * scale, RED)
    _number(picture, frame + 1)
    if frame == strip.lost:
      cv2.rectangle(picture, (1, 1), (size[0] - 2, size[1] - 2), RED, 3)
    pictures.append(picture)
  return pictures


def save_strips(path: Path, strips: Sequence[list[np.ndarray]]) -> None:
  """Writes strips one below the other, of equally many pictures of one height.

  Raises:
    UserError: the file cannot be written.
  """
  rows = [_joined(pictures, axis=1) for pictures in strips]
  data = cv2.imencode(path.suffix, _joined(rows, axis=0))[1]
  write_file(path, data.tobytes())


def _joined(pictures: Sequence[np.ndarray], axis: int) -> np.ndarray:
  """Pictures with white between them."""
  shape = list(pictures[0].shape)
  shape[axis] = _GAP
  gap = np.full(shape, 255, np.uint8)
  parts = [part for picture in pictures for part in (gap, picture)][1:]
  return np.concatenate(parts, axis=axis)


def jpeg(picture: np.ndarray) -> bytes:
  """The file of a [h, w, 3] uint8 BGR picture, for a page."""
  return cv2.imencode('.jpg', picture,
                      [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def _outline(picture: np.ndarray, corners: np.ndarray,
             color: tuple[int, ...]) -> None:
  """Draws a [4, 2] outline in pixels; none where it is NaN."""
  if np.isnan(corners).any():
    return
  # Pixel 0 reaches from 0 to 1, and cv2 draws through its middle.
  points = np.clip(corners - 0.5, -_FAR, _FAR) * 2 ** _BITS
  cv2.polylines(picture, [np.rint(points).astype(np.int32)], True, color, 2,
                cv2.LINE_AA, _BITS)


def _number(picture: np.ndarray, number: int) -> None:
  text, font, size = f'{number}', cv2.FONT_HERSHEY_SIMPLEX, 0.55
  (width, _), _ = cv2.getTextSize(text, font, size, 1)
  cv2.rectangle(picture, (0, 0), (width + 12, 24), BLACK, cv2.FILLED)
  cv2.putText(picture, text, (6, 18), font, size, WHITE, 1, cv2.LINE_AA)
