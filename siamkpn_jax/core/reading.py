"""Reading files of others, any of which may be missing."""

import errno
from pathlib import Path

from siamkpn_jax.core.errors import UnreachableError

# Of a file that is missing, or cannot be one. Not of a disk that fails, or of a
# file that may not be opened: what they hide must not count as missing.
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
           errno.ELOOP, errno.EINVAL)


def read_bytes(path: Path, limit: int = -1) -> bytes:
  """The content of a file, at most `limit` bytes; b'' if it is missing.

  Raises:
    UnreachableError: the system does not give it.
  """
  try:
    with path.open('rb') as file:
      return file.read(limit)
  except OSError as error:
    if error.errno in MISSING:
      return b''
    raise unreachable(path, error) from error


def unreachable(path: Path | str, error: OSError) -> UnreachableError:
  """What to say of a file that the system does not give."""
  return UnreachableError(
      f'{path}: cannot be read ({error.strerror}); expected a file that may be '
      'opened, on a disk that answers: see to the cause and try again')
