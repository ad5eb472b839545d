"""A lock that one process at a time can hold."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.core.atomic_io import file_errors
from siamkpn_jax.core.errors import UserError


@contextlib.contextmanager
def file_lock(path: Path, held: str) -> Iterator[None]:
  """Holds a lock for a `with` block; a process that ends lets go of it.

  Args:
    path: an empty file for nothing else; it is made, and stays.
    held: the message if another process holds it.

  Raises:
    UserError: another process holds it, or the file cannot be made.
  """
  with file_errors(path):
    file = path.open('ab')
  with file:
    if not try_lock(file.fileno()):
      raise UserError(held)
    yield


def try_lock(descriptor: int) -> bool:
  """Whether the lock of an open file is ours; closing it gives it back."""
  if sys.platform == 'win32':
    import msvcrt
    try:
      msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
      return False
    return True
  import fcntl
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  except OSError:
    pass  # a file system without locks
  return True
