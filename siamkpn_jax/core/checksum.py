"""A number that tells arrays from others."""

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike


def checksum(named: Iterable[tuple[str, ArrayLike]]) -> int:
  """CRC-32 of names and arrays, in their order."""
  crc = 0
  for name, array in named:
    crc = zlib.crc32(name.encode(errors='surrogatepass'), crc)
    crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), crc)
  return crc
