"""A disk that does not give certain files."""

import errno
import os
from pathlib import Path


def break_disk(monkeypatch, name, code=errno.EIO):
  """From now on, files of this name cannot be opened."""
  given = Path.open

  def open_file(path, *args, **kwargs):
    if path.name == name:
      raise OSError(code, os.strerror(code))  # as `read` has it: without a name
    return given(path, *args, **kwargs)

  monkeypatch.setattr(Path, 'open', open_file)
