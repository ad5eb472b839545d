"""What tells weights from others by their files, without reading them in."""

import hashlib
from pathlib import Path

from siamkpn_jax.checkpoints.packaged import SUFFIX


def content_digest(path: Path) -> str | None:
  """The SHA-256 of a file of weights; None for anything else."""
  if path.suffix.lower() != SUFFIX:
    return None
  try:
    with path.open('rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError:  # reading it will tell
    return None
