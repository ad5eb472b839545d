"""Locks that one process at a time can hold, and that the dead let go of."""

import contextlib
import os
import re
import socket
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from siamkpn_jax.core.atomic_io import file_errors
from siamkpn_jax.core.errors import UserError

LOCK_NAME = '.siamkpn_lock'
_PLACE = 2**30  # of the byte that is locked on Windows, behind the content


class HeldError(UserError):
  """Another process holds the lock."""


@contextlib.contextmanager
def folder_lock(folder: Path, flag: str, part: str = '') -> Iterator[None]:
  """Keeps others from writing to a folder, for a `with` block.

  Args:
    folder: is made if it is missing; if nothing is written, it goes again.
    flag: that gave it, for the message.
    part: what this process does of one work that several share: they keep out
      each other for the same part alone, and all that share nothing.

  Raises:
    HeldError: another process writes there.
    UserError: the folder cannot be made.
  """
  made = not folder.exists()
  with file_errors(folder):
    folder.mkdir(parents=True, exist_ok=True)
  held = _held(folder, flag)
  try:
    with contextlib.ExitStack() as stack:
      stack.enter_context(file_lock(
          folder / LOCK_NAME, held, shared=bool(part), keep=False))
      if part:
        stack.enter_context(file_lock(
            folder / f'{LOCK_NAME}_{part}', held, keep=False))
      yield
  finally:
    if made:
      with contextlib.suppress(OSError):
        folder.rmdir()  # only an empty one goes


@contextlib.contextmanager
def target_lock(target: Path, flag: str) -> Iterator[None]:
  """As `folder_lock`, for a file or folder that appears whole or not at all.

  Raises:
    HeldError: another process makes it.
    UserError: its folder cannot be written to.
  """
  mark = zlib.crc32(os.fsencode(target.name))  # however long the name is
  path = target.absolute().parent / f'{LOCK_NAME}_{mark:08x}'
  with file_errors(path):
    path.parent.mkdir(parents=True, exist_ok=True)
  with file_lock(path, _held(target, flag), keep=False):
    yield


def _held(path: Path, flag: str) -> Callable[[str], str]:
  return lambda who: (
      f'{path}: {who} writes there; expected one at a time: wait for it to '
      f'end, or choose another {flag}')


@contextlib.contextmanager
def file_lock(path: Path, held: str | Callable[[str], str], *,
              shared: bool = False, keep: bool = True) -> Iterator[None]:
  """Holds a lock for a `with` block; a process that ends lets go of it.

  Where the file system knows no locks, this is said, and nobody kept out.

  Args:
    path: a file for nothing else; it is made, and says who holds the lock.
    held: the message if another process holds it, or what makes it of words
      for that process.
    shared: hold it together with others that ask for it so.
    keep: leave the file there.

  Raises:
    HeldError: another process holds it.
    UserError: the file cannot be made.
  """
  with _locked(path, held, shared) as file:
    with contextlib.suppress(OSError):
      file.truncate(0)
      file.write(f'{socket.gethostname()} {os.getpid()}\n'.encode())
      file.flush()
    try:
      yield
    finally:
      if not keep and (not shared or _try_lock(file.fileno())):
        with contextlib.suppress(OSError):  # on Windows, while it is open
          path.unlink()


def _locked(path: Path, held: str | Callable[[str], str],
            shared: bool) -> BinaryIO:
  """The open file, when the lock is ours."""
  while True:
    with file_errors(path):
      file = path.open('a+b')
    ours = _try_lock(file.fileno(), shared)
    if ours is None:
      print(f'note: {path.parent}: a file system without locks; nothing else '
            'must write there meanwhile', file=sys.stderr)
    if ours is False:
      file.close()
      raise HeldError(held if isinstance(held, str) else held(_holder(path)))
    if _is_at(file, path):
      return file
    file.close()  # of one that has just removed it


def _is_at(file: BinaryIO, path: Path) -> bool:
  try:
    return os.path.samestat(os.fstat(file.fileno()), path.stat())
  except OSError:
    return False


def _holder(path: Path) -> str:
  """The process that holds a lock, in words."""
  try:
    with path.open('rb') as file:
      found = re.fullmatch(r'([\w.-]{1,64}) (\d{1,10})\n',
                           file.read(100).decode('utf-8', 'replace'))
  except OSError:  # on Windows others cannot always read it
    found = None
  return f'process {found[2]} on {found[1]}' if found else 'another process'


def _try_lock(descriptor: int, shared: bool = False) -> bool | None:
  """Whether the lock of an open file is ours, until it is closed.

  None on a file system without locks.
  """
  if sys.platform == 'win32':
    import msvcrt
    if shared:
      return True  # there is no such thing
    try:
      os.lseek(descriptor, _PLACE, os.SEEK_SET)
      msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
      return False
    return True
  import fcntl
  try:
    fcntl.flock(descriptor, fcntl.LOCK_NB | (
        fcntl.LOCK_SH if shared else fcntl.LOCK_EX))
  except BlockingIOError:
    return False
  except OSError:  # of NFS without its lock service, for one
    return None
  return True
