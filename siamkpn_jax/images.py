"""Image files: finding and reading them."""

import contextlib
import re
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.errors import UserError

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')


def read_image(path: Path) -> np.ndarray:
  """[h, w, 3] uint8 BGR image of a file.

  Raises:
    UserError: missing, not an image, or a JPEG whose end is missing, which
      OpenCV would fill with grey.
  """
  image = None
  with contextlib.suppress(OSError, cv2.error):
    data = path.read_bytes()
    if data and not _is_cut_jpeg(data):
      image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
  if image is None:
    raise UserError(f'{path}: this image cannot be read; expected a whole '
                    f'jpg, png or bmp file: replace or remove it')
  return image


def _is_cut_jpeg(data: bytes) -> bool:
  start_of_scan, end_of_image = b'\xff\xda', b'\xff\xd9'
  return (data.startswith(b'\xff\xd8') and
          data.rfind(end_of_image) < data.rfind(start_of_scan))


def list_images(folder: Path) -> list[Path]:
  """The images of a folder in natural order: 2.jpg before 10.jpg.

  Hidden files are left out: macOS leaves a `._1.jpg` beside each `1.jpg`.
  """
  if not folder.is_dir():
    return []
  images = [path for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES
            and not path.name.startswith('.')]
  return sorted(images, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> tuple[list[str | int], str]:
  """Sort key that orders numbers by value: 2.jpg, 10.jpg, 10b.jpg."""
  parts = re.split('([0-9]+)', name)  # text, number, text, ...: comparable
  return [int(p) if i % 2 else p.lower() for i, p in enumerate(parts)], name
