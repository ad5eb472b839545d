"""Reading files of others, any of which may be missing."""

import errno
from pathlib import Path

# Of a file that is missing, or cannot be one. Not of a disk that fails, or of a
# file that may not be opened: what they hide must not count as missing.
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
           errno.ELOOP, errno.EINVAL)


def read_bytes(path: Path, limit: int = -1) -> bytes:
  """The content of a file, at most `limit` bytes; b'' if it is missing.

  Raises:
    OSError: the system does not give it; with the path.
  """
  try:
    with path.open('rb') as file:
      return file.read(limit)
  except OSError as error:
    if error.errno in MISSING:
      return b''
    raise OSError(error.errno, error.strerror, str(path)) from error
