"""Paths as libraries in C++ can be given them."""

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def native_path(path: str | os.PathLike[str]) -> Iterator[str]:
  """Another name of a file, under which OpenCV can open it in the block.

  It is the absolute path, as ffmpeg reads `a:b.avi` as a protocol and a name.
  One that is not UTF-8, which ends the process within OpenCV, is linked to.

  Args:
    path: of a file, which need not be there yet.
  """
  name = os.path.abspath(path)
  if _is_text(name):
    yield name
    return
  suffix = os.path.splitext(name)[1]
  with tempfile.TemporaryDirectory() as folder:
    link = os.path.join(folder, f'video{suffix if _is_text(suffix) else ""}')
    os.symlink(name, link)
    yield link


def _is_text(name: str) -> bool:
  try:
    name.encode()
  except UnicodeEncodeError:
    return False
  return True
