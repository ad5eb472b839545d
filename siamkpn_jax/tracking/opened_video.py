"""OpenCV's reader of a video file, which sees AVI files repaired."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from siamkpn_jax.core.atomic_io import file_errors
from siamkpn_jax.tracking.avi_repair import RepairedFile, repair
from siamkpn_jax.tracking.native_paths import native_path
from siamkpn_jax.tracking.quiet import quiet

_CHUNK = 2**20  # bytes


@contextlib.contextmanager
def opened(name: str, parameters: Sequence[int] = ()
            ) -> Iterator[cv2.VideoCapture]:
  """OpenCV's reader of a file, which may not be open."""
  with contextlib.ExitStack() as stack, quiet():
    file = stack.enter_context(open(name, 'rb'))
    changes = repair(file)
    backend = cv2.CAP_FFMPEG if parameters or changes else cv2.CAP_ANY
    if changes is None:
      path = stack.enter_context(native_path(name))
      capture = cv2.VideoCapture(path, backend, parameters)
    else:
      # Not the object itself: where it cannot make sense of what such a one
      # holds, OpenCV 4.14 ends the process by a segmentation fault.
      folder = tempfile.TemporaryDirectory(prefix='siamkpn_')
      copy = Path(stack.enter_context(folder)) / 'repaired.avi'
      with file_errors(copy), copy.open('wb') as out:
        shutil.copyfileobj(RepairedFile(file, changes), out, _CHUNK)
      capture = cv2.VideoCapture(str(copy), backend, parameters)
    stack.callback(capture.release)
    yield capture
