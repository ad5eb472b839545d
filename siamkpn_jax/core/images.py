"""Image files: finding and reading them."""

import contextlib
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from siamkpn_jax.core import reading
from siamkpn_jax.core.errors import UserError

_SAMPLES = 8  # images of a folder that tell the depth of all
# A number with decimals at the end of a name, but not 1.2.3.
_DECIMAL = re.compile(r'((?:.*[^0-9.])?[0-9]+)\.([0-9]+)', re.DOTALL)
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')


def read_image(path: Path) -> np.ndarray:
  """[h, w, 3] uint8 BGR image of a file; see `_eight_bits` for one of 16.

  Raises:
    UserError: missing, not an image, or a JPEG whose end is missing, which
      OpenCV would fill with gray.
  """
  return decode_image(read_bytes(path), path, cv2.IMREAD_COLOR)


def read_bytes(path: Path) -> bytes:
  """The content of an image file.

  Raises:
    UserError: missing, empty, or a JPEG whose end is missing.
    UnreachableError: the system does not give it.
  """
  data = reading.read_bytes(path)
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
  if _is_deep_png(data):
    image = _decoded(data, path, flags | cv2.IMREAD_ANYDEPTH)
    return _eight_bits(image, path)
  return _decoded(data, path, flags)


def _decoded(data: bytes, path: Path | str, flags: int) -> np.ndarray:
  image = None
  with contextlib.suppress(cv2.error):
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  if image is None:
    raise _unreadable(path)
  return image


def _is_deep_png(data: bytes) -> bool:
  return data[:8] == b'\x89PNG\r\n\x1a\n' and data[24:25] == b'\x10'


def _eight_bits(image: np.ndarray, path: Path | str) -> np.ndarray:
  """The upper eight bits of those that a camera delivers.

  Cameras of 10 to 14 bits write them as 16, of which the upper eight are
  nearly black. All images of a folder are scaled alike.
  """
  if image.dtype == np.uint8:
    return image
  bits = _bits(int(image.max()))
  if Path(path).is_file():
    bits = max(bits, _folder_bits(Path(path).parent))
  return (image >> (bits - 8)).astype(np.uint8)


def _bits(peak: int) -> int:
  """The depth of a camera with such a value."""
  return next(bits for bits in (8, 10, 12, 14, 16) if peak < 2**bits)


@functools.lru_cache(maxsize=1024)
def _folder_bits(folder: Path) -> int:
  """The depth of the 16-bit images of a folder, by some of them."""
  paths = list_images(folder)
  peaks = [0]
  for place in np.linspace(0, len(paths) - 1, min(len(paths), _SAMPLES)):
    path = paths[round(place)]
    with contextlib.suppress(UserError):
      data = read_bytes(path)
      if _is_deep_png(data):
        peaks.append(int(_decoded(
            data, path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH).max()))
  return _bits(max(peaks))


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
  """The frames among the images of a folder, see `frame_names`."""
  if not os.path.isdir(folder):  # False, not an error, for a senseless name
    return []
  return [folder / name for name in frame_names(
      path.name for path in folder.iterdir() if is_image(path.name))]


def is_image(name: str) -> bool:
  """Whether a file of this name is an image.

  Hidden files are none: macOS leaves a `._1.jpg` beside each `1.jpg`.
  """
  return (os.path.splitext(name)[1].lower() in SUFFIXES and
          not name.startswith('.'))


def frame_names(names: Iterable[str]) -> list[str]:
  """Those of images that are frames of a video, in natural order.

  2.jpg comes before 10.jpg and, where the numbers are seconds and not counters
  (1.10), 1.25.jpg before 1.5.jpg. Where most have a number, the others, as
  thumbnail.jpg, are no frames.
  """
  names = list(names)
  numbered = [name for name in names
              if re.search('[0-9]', os.path.splitext(name)[0])]
  if 2 * len(numbered) >= len(names):
    names = numbered
  parts = {name: _DECIMAL.fullmatch(os.path.splitext(name)[0])
           for name in names}
  fractions = {found[2] for found in parts.values() if found}
  if (len(set(map(len, fractions))) < 2 or
      any(len(f) > 1 and f.endswith('0') for f in fractions)):
    return sorted(names, key=natural_key)

  def key(name: str) -> tuple[list[str | int], str, str]:
    found = parts[name]
    whole = found[1] if found else os.path.splitext(name)[0]
    return natural_key(whole)[0], found[2] if found else '', name

  return sorted(names, key=key)


def natural_key(name: str) -> tuple[list[str | int], str]:
  """Sort key that orders numbers by value: 2.jpg, 10.jpg, 10b.jpg."""
  parts = re.split('([0-9]+)', name)  # text, number, text, ...: comparable
  return [int(p) if i % 2 else p.lower() for i, p in enumerate(parts)], name
