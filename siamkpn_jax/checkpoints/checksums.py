"""Checksums of a checkpoint's files, since Orbax keeps none of its arrays.

Without them a byte that the disk has lost would be trained with.
"""

import json
import zlib
from pathlib import Path

NAME = 'checksums.json'
_CHUNK = 1 << 20  # bytes


def write(folder: Path) -> None:
  """Adds the list to a checkpoint that is complete but for its last name.

  Args:
    folder: of the checkpoint. Files directly in it, which Orbax may still
      change, are left out; those of the arrays are in its subfolders.

  Raises:
    OSError: it cannot be written.
  """
  files = sorted(p for p in folder.rglob('*')
                 if p.is_file() and p.parent != folder)
  (folder / NAME).write_text(json.dumps(
      {p.relative_to(folder).as_posix(): _checksum(p) for p in files},
      indent=1))


def damage(folder: Path) -> str:
  """What is wrong with a checkpoint's files, in a few words.

  Args:
    folder: of the checkpoint.

  Returns:
    '' if all are as they were written. A checkpoint without a list is damaged.
  """
  try:
    for name, expected in json.loads((folder / NAME).read_text()).items():
      if _checksum(folder / name) != expected:
        return f'{name} is not as it was written'
  except OSError as error:
    return f'{Path(error.filename).relative_to(folder)}: {error.strerror}'
  except (ValueError, AttributeError):
    return f'{NAME} is not as it was written'
  return ''


def _checksum(path: Path) -> str:
  """CRC-32 and size of a file."""
  crc = size = 0
  with path.open('rb') as file:
    while chunk := file.read(_CHUNK):
      crc, size = zlib.crc32(chunk, crc), size + len(chunk)
  return f'{crc:08x} {size}'
