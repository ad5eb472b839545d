"""What tells weights from others by their files, without loading them.

Hashing takes a moment; loading takes seconds, Orbax's import included.
"""

import hashlib
from pathlib import Path

from siamkpn_jax.checkpoints.packaged import SUFFIX

FOLDER = 'checkpoints'  # below a run's workdir
# Of a checkpoint: the weights, and the configuration.
MODEL, METADATA = 'model', '_CHECKPOINT_METADATA'


def steps(folder: Path) -> list[Path]:
  """What may be checkpoints in a folder, in the order of their steps."""
  found = [path for path in folder.glob('*')
           if path.name.isdecimal() and path.is_dir()]
  return sorted(found, key=lambda path: int(path.name))


def content_digest(path: Path) -> str | None:
  """A SHA-256 of what is loaded from a path, of a run the newest checkpoint.

  Returns:
    Hexadecimal digits; None for anything else, and for what cannot be read.
  """
  digest = hashlib.sha256()
  try:
    files = _files(path)
    for file in files:
      with file.open('rb') as content:
        if len(files) > 1:  # a file may have any name
          digest.update(f'{file.name} '.encode(errors='surrogateescape'))
        digest.update(hashlib.file_digest(content, 'sha256').digest())
  except OSError:  # loading it will tell
    return None
  return digest.hexdigest() if files else None


def _files(path: Path) -> list[Path]:
  if not path.is_dir():
    return [path] if path.suffix.lower() == SUFFIX else []
  checkpoint = _newest(path)
  model, metadata = checkpoint / MODEL, checkpoint / METADATA
  if not (model.is_dir() and metadata.is_file()):
    return []
  return [metadata, *sorted(p for p in model.rglob('*') if p.is_file())]


def _newest(path: Path) -> Path:
  return [path, *(steps(path / FOLDER) or steps(path))][-1]
