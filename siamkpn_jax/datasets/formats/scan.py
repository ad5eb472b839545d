"""What lies in a folder, by one scan of it and without a stat of every file.

Left out is what `hidden` names: macOS leaves a `._1.jpg` beside each `1.jpg`,
and `__MACOSX` in archives. A folder that is missing or cannot be opened has
nothing in it.
"""

import errno
import os
from pathlib import Path

from siamkpn_jax.core import reading
from siamkpn_jax.core.errors import UnreachableError
from siamkpn_jax.core.images import frame_names, is_image, natural_key

# Of a folder that is missing, cannot be one, or may not be opened. Not of a
# disk that fails: what it hides must not count as missing.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP,
              errno.EINVAL, errno.EACCES, errno.EPERM)


def images(folder: Path, sub: str) -> list[str]:
  """The frames in `folder / sub` in order, relative to `folder`."""
  found = [e.name for e in _entries(folder / sub) if is_image(e.name)]
  prefix = f'{sub}/' if sub else ''
  return [prefix + name for name in frame_names(found)]


def folders(folder: Path) -> list[str]:
  """Names of the folders in a folder, in natural order."""
  # is_dir() asks the disk only about links.
  return sorted((e.name for e in _entries(folder) if e.is_dir()),
                key=natural_key)


def sequences(folder: Path) -> list[Path]:
  """The folders in a folder, sorted by name."""
  return [folder / name for name in sorted(folders(folder))]


def files(folder: Path, *suffixes: str) -> list[Path]:
  """What is called `*<suffix>` in a folder, sorted by name."""
  return [folder / name for name in sorted(names(folder))
          if name.endswith(suffixes)]


def names(folder: Path) -> frozenset[str]:
  """Names of all files and folders in a folder."""
  return frozenset(e.name for e in _entries(folder))


def head(path: Path) -> bytes:
  """The first 64 KiB of a file, which tell what it is; b'' if missing."""
  return reading.read_bytes(path, 2**16)


def spelled(folder: Path, name: str) -> str:
  """A name below a folder as this system spells it.

  Files that were written on Windows separate by backslashes, which elsewhere
  may be a part of a name.
  """
  if '\\' not in name or os.path.exists(f'{folder}/{name}'):
    return name
  return name.replace('\\', '/').replace('/./', '/').removeprefix('./')


def stem(path: str) -> str:
  """The file's name without its suffix: '1' of 'a/1.jpg'."""
  return os.path.splitext(os.path.basename(path))[0]


def hidden(name: str) -> bool:
  """Whether a file or folder of this name is nobody's data."""
  return name.startswith('.') or name == '__MACOSX'


def _entries(folder: Path) -> list[os.DirEntry]:
  return [e for e in entries(folder) if not hidden(e.name)]


def entries(folder: Path | str) -> list[os.DirEntry]:
  """All files and folders in a folder, hidden ones too.

  [] if there is no such folder, as with a name that no folder can have.

  Raises:
    UnreachableError: the disk does not answer.
  """
  try:
    with os.scandir(folder) as found:
      return list(found)
  except ValueError:  # NUL or half a surrogate pair in the name
    return []
  except OSError as error:
    if error.errno in _NOT_THERE:
      return []
    raise UnreachableError(
        f'{folder}: cannot be listed ({error.strerror}); expected a disk that '
        'answers: try again') from error
