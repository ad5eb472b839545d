"""OpenCV's reader of a video file, which sees AVI files repaired."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.avi_repair import repair, write_repaired
from siamkpn_jax.tracking.native_paths import native_path
from siamkpn_jax.tracking.quiet import quiet


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
      # Not an object that repairs as it is read: where OpenCV 4.14 cannot make
      # sense of such a one, it ends the process by a segmentation fault.
      folder = tempfile.TemporaryDirectory(prefix='siamkpn_')
      copy = Path(stack.enter_context(folder)) / 'repaired.avi'
      try:
        with copy.open('wb') as out:
          write_repaired(file, changes, out)
      except OSError as error:
        raise UserError(
            f'{name}: damaged, and no repaired copy can be made in '
            f'{tempfile.gettempdir()} ({error.strerror}); expected room for it '
            'there: free some, or set TMPDIR to another folder') from error
      capture = cv2.VideoCapture(str(copy), backend, parameters)
    stack.callback(capture.release)
    yield capture
