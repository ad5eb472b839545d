"""OpenCV's reader of a video file, which sees AVI files repaired."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import cv2

from siamkpn_jax.tracking.avi_repair import RepairedFile, repair
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
      repaired: Any = stack.enter_context(RepairedFile(file, changes))
      capture = cv2.VideoCapture(repaired, backend, parameters)
    stack.callback(capture.release)
    yield capture
