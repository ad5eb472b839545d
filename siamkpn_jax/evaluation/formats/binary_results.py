"""The vot-toolkit's binary result files, which it writes unless told not to.

Little-endian: int16 version, uint32 number of frames, then for each a byte, its
kind, and 0: uint32 marker; 1: four float32, x, y, w, h; 2: uint16 number of
corners, two float32 for each; 3: a mask. Source: vot-toolkit 0.7.4.
"""

import struct
from pathlib import Path

from siamkpn_jax.core.errors import UserError

_VERSION = 1
_MARKER, _RECTANGLE, _POLYGON = 0, 1, 2


def read_rows(path: Path) -> list[list[float]]:
  """The numbers of each frame: 1 marker, 4 rectangle, 8 polygon.

  Raises:
    UserError: the file cannot be read, is damaged, or holds something else.
  """
  try:
    data = path.read_bytes()
    version, count = struct.unpack_from('<hI', data)
    if version != _VERSION or not count:
      raise ValueError(f'version {version}, {count} frames')
    place = struct.calcsize('<hI')
    rows = []
    for frame in range(1, count + 1):
      layout = _layout(data, place, frame)
      rows.append([float(v) for v in struct.unpack_from(layout, data, place)])
      place += struct.calcsize(layout)
    if place != len(data):
      raise ValueError(f'{len(data) - place} extra bytes')
  except OSError as error:
    raise UserError(f'{path}: cannot be read ({error.strerror}); expected a '
                    'result of the vot-toolkit: check the path') from error
  except (struct.error, IndexError, ValueError) as error:
    raise UserError(f'{path}: not a binary result of the vot-toolkit '
                    f'({error}); expected rectangles and polygons of four '
                    'corners: run the tracker again on this sequence'
                    ) from error
  return rows


def _layout(data: bytes, place: int, frame: int) -> str:
  """How a frame's numbers are packed; `x` is a byte that is not one."""
  kind = data[place]
  if kind == _MARKER:
    return '<xI'
  if kind == _RECTANGLE:
    return '<x4f'
  if kind == _POLYGON and data[place + 1:place + 3] == b'\4\0':
    return '<xxx8f'
  raise ValueError(f'frame {frame} is of kind {kind}')
