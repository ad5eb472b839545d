"""Output files that appear whole or not at all."""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from siamkpn_jax.core.errors import UserError

UNFINISHED = '.unfinished_'  # how the name of a folder begins till it is whole
_MARK = 12  # characters that make a temporary name unique


def check_output(path: str | os.PathLike[str] | None, flag: str, *,
                 suffixes: tuple[str, ...] = ()) -> Path | None:
  """Checks, before hours of work, that a file can be written at `path`.

  Args:
    path: the file to be written; it and its folders need not exist. None or
      empty where none is wanted.
    flag: the flag that gave it, for the message.
    suffixes: the endings it may have, lower case; empty: any.

  Returns:
    The path, None where none is wanted.

  Raises:
    UserError: a wrong ending, something there that is no regular file, or a
      folder that cannot be made or written to.
  """
  if not path:
    return None
  path = Path(path)
  if path.is_dir():
    raise UserError(f'{flag} {path}: this is a folder; expected a file name: '
                    f'add one, as in {path / ("out" + _first(suffixes))}')
  if suffixes and path.suffix.lower() not in suffixes:
    raise UserError(f'{flag} {path}: expected a file name that ends in '
                    f'{" or ".join(suffixes)}')
  if path.exists() and not path.is_file():
    raise UserError(f'{flag} {path}: already exists and is not a regular '
                    'file: choose another name')
  folder = path.absolute().parent
  while not os.path.lexists(folder):
    folder = folder.parent
  if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
    raise UserError(f'{flag} {path}: {folder} is not a writable folder; '
                    f'expected one: choose another {flag}')
  return path


def _first(suffixes: tuple[str, ...]) -> str:
  return suffixes[0] if suffixes else '.txt'


def check_distinct(paths: dict[str, str | os.PathLike[str] | None]) -> None:
  """Checks that no two paths, by flag, are one file; empty ones may be.

  Raises:
    UserError: two flags name the same file, or one what none can be called.
  """
  seen: dict[str, str] = {}
  for flag, path in paths.items():
    if not path:
      continue
    try:
      real = os.path.realpath(path)
    except ValueError as error:  # NUL, or half a surrogate pair
      raise UserError(f'{flag} {os.fspath(path)!a}: no file can have this '
                      'name; expected a path: check it') from error
    if real in seen:
      raise UserError(f'{flag} {os.fspath(path)}: same file as {seen[real]}; '
                      f'expected different files: choose another {flag}')
    seen[real] = flag


@contextlib.contextmanager
def atomic_paths(paths: Iterable[Path]) -> Iterator[dict[Path, Path]]:
  """Lets the caller write under temporary names, renamed when all is well.

  Missing folders are made. The temporary lies beside its file (a rename is
  atomic only within one file system) and keeps the ending, which decides a
  video's format. On any exception, Ctrl-C included, the temporaries are removed
  and what was there before stays as it was.

  Args:
    paths: the files to write.

  Yields:
    The temporary path of each path. All must be written and closed when the
    `with` block ends.

  Raises:
    UserError: a folder that cannot be made, a file that cannot be written.
  """
  # Random, since several machines may share the folder.
  mark = uuid.uuid4().hex[:_MARK]
  temporary = {path: path.with_name(f'.{path.stem}.{mark}{path.suffix}')
               for path in paths}
  try:
    for path in temporary:
      with file_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    yield temporary
    for path, partial in temporary.items():
      with file_errors(path):
        partial.replace(path)
  finally:
    for partial in temporary.values():
      with contextlib.suppress(OSError):
        partial.unlink()


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
  """Lets the caller fill a folder that gets its name when all is well.

  Missing folders above it are made. On any exception what was written is
  removed; a killed process leaves `UNFINISHED`... beside the folder.

  Args:
    folder: the folder, which must not be there, or be empty.

  Yields:
    The folder to fill.

  Raises:
    UserError: it cannot be made.
  """
  folder = Path(os.path.realpath(folder))  # a link stays one
  with file_errors(folder):
    partial = folder.parent / f'{UNFINISHED}{uuid.uuid4().hex[:_MARK]}'
    partial.mkdir(parents=True)
  try:
    yield partial
    with file_errors(folder):
      with contextlib.suppress(FileNotFoundError):
        folder.rmdir()  # only an empty one goes; Windows replaces none
      partial.rename(folder)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def check_new_folder(folder: Path, flag: str) -> None:
  """Checks, before hours of work, that a folder can be made.

  Args:
    folder: to be made, or empty.
    flag: the flag that gave it, for the message.

  Raises:
    UserError: there is something already, or it cannot be made.
  """
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    raise UserError(f'{flag} {folder}: already exists; expected a new or '
                    'empty folder: choose another name, or remove this one')
  if os.path.ismount(folder):
    raise UserError(f'{flag} {folder}: a disk is mounted there, and it cannot '
                    'be replaced; expected a new folder: name one in it')
  check_output(folder / 'any' if folder.exists() else folder, flag)


def check_new_file(path: str | os.PathLike[str] | None, flag: str, *,
                   suffixes: tuple[str, ...] = ()) -> Path | None:
  """`check_output` for a file that replaces none.

  Raises:
    UserError: as there, and where there is one.
  """
  output = check_output(path, flag, suffixes=suffixes)
  if output is not None and output.exists():
    raise UserError(f'{flag} {output}: already exists; expected a new file: '
                    'choose another name, or remove this one')
  return output


def remove_leftovers(path: Path) -> None:
  """Removes the temporaries of a file that a killed process has left.

  Args:
    path: the file, which no other process may be writing.
  """
  for left in path.parent.glob(f'.{path.stem}.{"?" * _MARK}{path.suffix}'):
    with contextlib.suppress(OSError):
      left.unlink()


# Of a file for which there is no room.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
  """Turns an OSError of its block into a UserError about `path`."""
  try:
    yield
  except OSError as error:
    raise UserError(f'{path}: cannot be written ({error.strerror or error}); '
                    'expected a writable folder with enough free space: free '
                    'space, or choose another path') from error


def write_file(path: str | Path, content: str | bytes) -> None:
  """Writes a file, whole or not at all.

  Args:
    path: the file.
    content: text is written as UTF-8, its lines as they end; what is none, as
      names of files may be, is escaped.

  Raises:
    UserError: the file cannot be written.
  """
  if isinstance(content, str):
    content = content.encode(errors='backslashreplace')
  path = Path(path)
  with atomic_paths([path]) as partial, file_errors(path):
    partial[path].write_bytes(content)


def save_figure(figure: Any, path: Path) -> None:
  """Writes a matplotlib figure, whole or not at all.

  Raises:
    UserError: the file cannot be written.
  """
  with atomic_paths([path]) as partial, file_errors(path):
    figure.savefig(partial[path])
