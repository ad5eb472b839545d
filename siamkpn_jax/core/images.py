"""Image files: finding and reading them."""

import contextlib
import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')


def read_image(path: Path) -> np.ndarray:
  """[h, w, 3] uint8 BGR image of a file.

  Raises:
    UserError: missing, not an image, or a JPEG whose end is missing, which
      OpenCV would fill with gray.
  """
  return decode_image(read_bytes(path), path, cv2.IMREAD_COLOR)


def read_bytes(path: Path) -> bytes:
  """The content of an image file.

  Raises:
    UserError: missing, empty, or a JPEG whose end is missing.
  """
  data = b''
  with contextlib.suppress(OSError):
    data = path.read_bytes()
  if not data or _is_cut_jpeg(data):
    raise _unreadable(path)
  return data


def decode_image(data: bytes, path: Path | str, flags: int) -> np.ndarray:
  """[h, w, 3] uint8 BGR image of a file's content.

  Args:
    data: the content.
    path: where it is from, for the message.
    flags: OpenCV's, IMREAD_COLOR or one of IMREAD_REDUCED_COLOR_*.

  Raises:
    UserError: not an image.
  """
  image = None
  with contextlib.suppress(cv2.error):
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  if image is None:
    raise _unreadable(path)
  return image


def image_size(data: bytes, path: Path | str) -> tuple[int, int]:
  """Width and height as decoded, read off the header of a JPEG if possible.

  Raises:
    UserError: not an image.
  """
  header = jpeg_header(data)
  if header is not None:
    return header.width, header.height
  height, width = decode_image(data, path, cv2.IMREAD_COLOR).shape[:2]
  return width, height


class JpegHeader(NamedTuple):
  """What a JPEG says of itself."""

  width: int
  height: int
  colors: int


def jpeg_header(data: bytes) -> JpegHeader | None:
  """The header of a JPEG; None for one with EXIF, which may turn the image."""
  place, header = 2, None
  if not data.startswith(b'\xff\xd8'):
    return None
  while (place + 9 < len(data) and
         data[place] == 0xff and data[place + 1] != 0xff):
    marker, length = data[place + 1], int.from_bytes(
        data[place + 2:place + 4], 'big')
    if marker == 0xda:  # the image itself
      return header
    if data[place + 4:place + 8] == b'Exif':
      return None
    # The frame headers: C0 to CF without C4, C8 and CC.
    if 0xc0 <= marker <= 0xcf and marker not in (0xc4, 0xc8, 0xcc):
      height, width = (int.from_bytes(data[place + k:place + k + 2], 'big')
                       for k in (5, 7))
      header = JpegHeader(width, height, data[place + 9])
    place += 2 + length
  return None


def _unreadable(path: Path | str) -> UserError:
  return UserError(f'{path}: this image cannot be read; expected an intact '
                   'jpg, png, bmp or webp file: replace or remove it')


def _is_cut_jpeg(data: bytes) -> bool:
  start_of_scan, end_of_image = b'\xff\xda', b'\xff\xd9'
  if data.endswith(end_of_image):  # nearly always; the search takes longer
    return False
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
