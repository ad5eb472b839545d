"""What is kept from one run to the next, in the user's cache folder.

All of it can be made again. So nothing here fails: what cannot be written is
not kept, what is damaged is as good as missing. SIAMKPN_CACHE names a folder in
place of the system's, or is 'off' to keep nothing.
"""

import contextlib
import hashlib
import json
import os
import sys
import zlib
from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import siamkpn_jax
from siamkpn_jax.core.atomic_io import atomic_paths
from siamkpn_jax.core.errors import UserError

VARIABLE = 'SIAMKPN_CACHE'
LIMIT = 2 * 2**30  # bytes of all that is kept
# Files go from here when they are old: it must be no one else's folder, such as
# a copy of this program in a place that the user has chosen.
_FOLDER = Path('siamkpn_jax', 'user_cache')


def cache_home() -> Path:
  """The folder of all programs' caches, by the rules of the system."""
  given = os.environ.get('XDG_CACHE_HOME', '')
  if os.path.isabs(given):  # others are to be ignored
    return Path(given)
  if sys.platform == 'win32' and os.environ.get('LOCALAPPDATA'):
    return Path(os.environ['LOCALAPPDATA'])
  return Path(os.path.expanduser(
      '~/Library/Caches' if sys.platform == 'darwin' else '~/.cache'))


def cache_folder(part: str) -> Path | None:
  """The folder of a part of the cache; None if there is none to write to.

  It is made for this user alone: who can write there decides what is run.

  Args:
    part: its name.
  """
  given = os.environ.get(VARIABLE, '')
  if given.lower() == 'off':
    return None
  root = (Path(given).absolute() if given else cache_home()) / _FOLDER
  if not root.is_absolute():  # no home
    return None
  try:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    (root / part).mkdir(exist_ok=True)
  except OSError:
    return None
  return root / part if os.access(root / part, os.W_OK | os.X_OK) else None


def entry_key(what: str, *, sources: Collection[str],
              libraries: Collection[str]) -> str:
  """The key of what this program and its libraries make of something.

  Args:
    what: the thing, told from others.
    sources: folders of the package whose modules decide about the result; a
      version's number stays while it is written.
    libraries: packages that do.
  """
  digest = hashlib.sha256(f'{what}\n{siamkpn_jax.__version__}\n'.encode())
  for name in libraries:
    digest.update(f'{name} {metadata.version(name)}\n'.encode())
  package = Path(siamkpn_jax.__file__).parent
  for folder in sources:
    for module in sorted((package / folder).glob('*.py')):
      digest.update(module.read_bytes())
  return digest.hexdigest()


def read_entry(part: str, key: str) -> dict[str, bytes] | None:
  """What `write_entry` has kept; None if there is nothing, or it is damaged."""
  folder = cache_folder(part)
  if folder is None:
    return None
  path = folder / key
  try:
    with path.open('rb') as file:
      head = json.loads(file.readline())
      content = {name: file.read(size) for name, size in head['sizes'].items()}
    os.utime(path)  # `trim` keeps what was used last
  except (OSError, ValueError, LookupError, TypeError, AttributeError,
          OverflowError, MemoryError, RecursionError):  # of a damaged head
    return None
  return content if _head(content) == head else None


def write_entry(part: str, key: str, content: Mapping[str, bytes]) -> None:
  """Keeps something, whole or not at all; other processes may do the same.

  Args:
    part: of the cache.
    key: a file name, which stands for all that the content depends on.
    content: by name.
  """
  folder = cache_folder(part)
  if folder is None:
    return
  path = folder / key
  try:
    with atomic_paths([path]) as partial, partial[path].open('wb') as file:
      file.write(json.dumps(_head(content)).encode() + b'\n')
      file.writelines(content.values())
  except (OSError, UserError):
    return
  trim(folder.parent)


def _head(content: Mapping[str, bytes]) -> dict[str, Any]:
  """The first line of an entry."""
  crc = 0
  for data in content.values():
    crc = zlib.crc32(data, crc)
  return {'sizes': {name: len(data) for name, data in content.items()},
          'checksum': crc}


def trim(folder: Path, limit: int = LIMIT) -> None:
  """Removes files that have not been used for longest, down to a limit.

  Args:
    folder: everything below counts.
    limit: bytes in all.
  """
  files = []
  for parent, _, names in os.walk(folder):
    for path in (Path(parent, name) for name in names):
      with contextlib.suppress(OSError):  # another process removes too
        stat = path.stat()
        files.append((max(stat.st_atime, stat.st_mtime), stat.st_size, path))
  size = sum(size for _, size, _ in files)
  for _, freed, path in sorted(files):
    if size <= limit:
      return
    with contextlib.suppress(OSError):
      path.unlink()
    size -= freed
