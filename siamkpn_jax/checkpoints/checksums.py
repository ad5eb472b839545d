"""Checksums of a checkpoint's files, since Orbax keeps none of its arrays.

Without them a byte that the disk has lost would be trained or tracked with.
"""

import concurrent.futures
import json
import os
import re
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from siamkpn_jax.checkpoints.content import METADATA
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.stored_json import parse_json, read_bounded

NAME = 'checksums.json'
_CHUNK = 1 << 20  # bytes
_ENTRY = re.compile(r'[0-9a-f]{8} \d{1,19}')
# No such file; anything else that the system says may pass.
MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def write(folder: Path, given: Mapping[str, Any]) -> None:
  """Adds the list to a checkpoint that is complete but for its last name.

  Args:
    folder: of the checkpoint. Files directly in it, which Orbax may still
      change, are left out; those of the arrays are in its subfolders.
    given: the metadata that Orbax was given. Its file is not read: Orbax may
      be about to write it.

  Raises:
    OSError: it cannot be written.
  """
  entries = {name: _checksum(folder / name) for name in _files(folder, '')}
  entries[METADATA] = _of_metadata(given)
  (folder / NAME).write_text(json.dumps(entries, indent=1))


def damage(folder: Path, item: str = '') -> str:
  """What is wrong with the files of a checkpoint, or of one subfolder of it.

  Returns:
    A few words; '' if all are as they were written. A checkpoint without a list
    is damaged.

  Raises:
    OSError: a file that is there cannot be read, for now perhaps.
    UserError: a link leads out of the folder.
  """
  check_inside(folder, NAME)
  check_inside(folder, METADATA)
  try:
    entries = _entries(folder)
  except MISSING as error:
    return f'{NAME}: {error.strerror}'
  if entries is None:
    return f'{NAME} is not as it was written'
  if METADATA in entries:
    try:
      given = _read(folder / METADATA).get('custom_metadata')
    except (UserError, *MISSING):
      given = None
    if changed := metadata_damage(folder, given):
      return changed
  listed = {name: entry for name, entry in entries.items()
            if name != METADATA and name.startswith(f'{item}/' if item else '')}
  for name in listed:
    check_inside(folder, name)
  extra = [name for name in _files(folder, item) if name not in listed]
  if extra or not listed:
    return (f'{extra[0]} is not in {NAME}' if extra else
            f'{NAME} is not as it was written')
  # Reading and hashing many files at once takes no longer than loading them.
  with concurrent.futures.ThreadPoolExecutor(cores()) as pool:
    found = pool.map(lambda name: _damage(folder, name, listed[name]), listed)
    return next(filter(None, found), '')


def metadata_damage(folder: Path, given: Any) -> str:
  """What is wrong with the metadata, as it was read, that Orbax was given.

  Returns:
    '' if nothing is, or it is not listed: earlier versions did not.

  Raises:
    OSError: the list cannot be read.
  """
  try:
    entries = _entries(folder)
  except MISSING:
    return ''
  if not entries or METADATA not in entries:
    return ''
  return ('' if _of_metadata(given) == entries[METADATA] else
          f'{METADATA} is not as it was written')


def _entries(folder: Path) -> dict[str, str] | None:
  """The list; None if it is not as `write` writes it."""
  try:
    entries = _read(folder / NAME)
  except UserError:
    return None
  good = all(isinstance(entry, str) and _ENTRY.fullmatch(entry) and
             _is_below(name) for name, entry in entries.items())
  return entries if good else None


def _read(path: Path) -> dict[str, Any]:
  """Raises OSError if it cannot be read, UserError if it is something else."""
  try:
    data = read_bounded(path)
  except ValueError as error:
    raise UserError(f'{path}: {error}') from error
  return parse_json(data, path, 'an object', finite=False)


def _is_below(name: str) -> bool:
  """Whether a listed name means a file below the folder, on every system."""
  return not ('\0' in name or '\\' in name or
              PureWindowsPath(name).anchor or
              {'', '.', '..'} & set(name.split('/')) or
              PurePosixPath(name).is_absolute())


def check_inside(folder: Path, name: str) -> None:
  """Checks that a file of a checkpoint is no link to another place.

  Raises:
    UserError: it is.
  """
  path = folder / name
  # Of links that lead to themselves, `Path.resolve` raises a RuntimeError.
  if not Path(os.path.realpath(path)).is_relative_to(
      os.path.realpath(folder)):
    raise UserError(f'{path}: leads out of the checkpoint; expected its own '
                    'files: copy them in place of links (cp -rL)')


def _files(folder: Path, item: str) -> list[str]:
  """Names of the files in subfolders, those that begin with a dot left out."""
  found = (p.relative_to(folder) for p in (folder / item).rglob('*')
           if p.is_file() and p.parent != folder)
  return sorted(p.as_posix() for p in found if not p.name.startswith('.'))


def _damage(folder: Path, name: str, expected: str) -> str:
  try:
    # To open a pipe would be to wait for somebody who writes to it.
    same = (stat.S_ISREG((folder / name).stat().st_mode) and
            _checksum(folder / name) == expected)
  except MISSING as error:
    return f'{name}: {error.strerror}'
  return '' if same else f'{name} is not as it was written'


def _checksum(path: Path) -> str:
  """CRC-32 and size of a file."""
  crc = size = 0
  with path.open('rb') as file:
    while chunk := file.read(_CHUNK):
      crc, size = zlib.crc32(chunk, crc), size + len(chunk)
  return f'{crc:08x} {size}'


def _of_metadata(given: Mapping[str, Any]) -> str:
  """As of a file that holds just this."""
  text = json.dumps(given, sort_keys=True).encode()
  return f'{zlib.crc32(text):08x} {len(text)}'
