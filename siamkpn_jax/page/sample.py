"""The sample: a rendered video of three things that look alike."""

import contextlib
import threading
from pathlib import Path

import numpy as np

from siamkpn_jax.core.atomic_io import atomic_paths
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.page.limits import RefusedError
from siamkpn_jax.tracking.video_writer import VideoWriter

FPS = 25.0
LENGTH = 100  # frames


def scene() -> Scene:
  """What is rendered."""
  return Scene(20, 1, size=(640, 360), length=LENGTH, distractors=2)


def boxes(made: Scene, t: int) -> np.ndarray:
  """[3, 4] true boxes xywh in frame `t`, from 0."""
  return np.stack([made.box(t), *made.distractor_boxes(t)])


class Sample:
  """Renders once, where and when it is first wanted."""

  def __init__(self, folder: Path):
    self._path = folder / 'sample.mp4'
    self._lock = threading.Lock()
    self._closed = threading.Event()

  def begin(self) -> None:
    """Renders it in a thread, so that it is there when it is wanted."""
    def render() -> None:
      with contextlib.suppress(RefusedError, UserError):  # the next one is told
        self.path()

    threading.Thread(target=render, name='sample', daemon=True).start()

  def close(self) -> None:
    """Renders no more."""
    self._closed.set()

  def path(self) -> Path:
    """The video; waits until it is there.

    Raises:
      RefusedError: the server ends.
      UserError: it cannot be written.
    """
    with self._lock:
      if not self._path.exists():
        made = scene()
        with atomic_paths([self._path]) as partial, VideoWriter(
            partial[self._path], made.size, FPS) as writer:
          for t in range(made.length):
            if self._closed.is_set():
              raise RefusedError(503, 'this server ends')
            writer.write(made.render(t)[0])
    return self._path
