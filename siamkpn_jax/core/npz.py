"""Reading .npz files, whatever they hold, by what their parts really take.

`numpy.load` makes arrays of the size that a header asks for, and raises errors
of any kind where bytes are damaged: one could not tell a bug or a full memory.
"""

import errno
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy

_EXPANSION = 100  # numbers hardly compress
_SMALL = 2**26  # bytes that any file may unpack to
# Of zipfile; RuntimeError: with a password.
_DAMAGE = (ValueError, EOFError, RuntimeError, OverflowError,
           zipfile.BadZipFile, zlib.error, struct.error)
# Of numpy, which evaluates a header; those of memory and depth are Python's
# parser's.
_NO_HEADER = (ValueError, TypeError, LookupError, SyntaxError, OverflowError,
              tokenize.TokenError, RecursionError, MemoryError)
_HEADERS = {(1, 0): npy.read_array_header_1_0,
            (2, 0): npy.read_array_header_2_0}


def read_npz(file: BinaryIO) -> dict[str, np.ndarray]:
  """The arrays of an .npz file; nothing of it is executed.

  Args:
    file: open, and one can seek in it.

  Raises:
    ValueError: it is none, or is not intact.
    OSError: it cannot be read.
  """
  try:
    with zipfile.ZipFile(file) as archive:
      size = unpacked_size(archive, file.seek(0, os.SEEK_END))
      if size:
        raise ValueError(f'unpacks to {size:,} bytes')
      return {info.filename.removesuffix('.npy'): _array(archive, info)
              for info in archive.infolist()}
  except _DAMAGE as error:
    raise ValueError(str(error) or type(error).__name__) from error
  except OSError as error:
    if error.errno != errno.EINVAL:
      raise
    raise ValueError('a part of it is before its start') from error


def unpacked_size(archive: zipfile.ZipFile, size: int) -> int:
  """Bytes that a zip file unpacks to; 0 if that is plausible for numbers.

  Args:
    archive: the file.
    size: of it, bytes.
  """
  unpacked = sum(info.file_size for info in archive.infolist())
  return unpacked if unpacked > _EXPANSION * size + _SMALL else 0


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
  if not info.filename.endswith('.npy') or info.compress_type not in (
      zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # what numpy writes
    raise ValueError('a zip file of something else')
  with archive.open(info) as part:
    count, itemsize = _claim(part)
    if count * itemsize != info.file_size - part.tell() or (
        count and not itemsize):
      raise ValueError(f'{info.filename} is not of the size that it says')
  with archive.open(info) as part, warnings.catch_warnings():
    warnings.simplefilter('ignore')  # of Python 2's headers
    return npy.read_array(part, allow_pickle=False)


def _claim(part: IO[bytes]) -> tuple[int, int]:
  """Values of an array and bytes of each, by its header."""
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      shape, _, dtype = _HEADERS[npy.read_magic(part)](part)
  except _NO_HEADER as error:
    raise ValueError('an array without a header') from error
  if dtype.hasobject:
    raise ValueError('holds objects; expected plain arrays')
  return math.prod(shape), dtype.itemsize
