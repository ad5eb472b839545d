"""News of what may take long, on stderr."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator


@contextlib.contextmanager
def announced(task: str, after: float = 2.0) -> Iterator[None]:
  """Names the task of a `with` block, and its seconds when it ends.

  Args:
    task: in words.
    after: seconds; what ends earlier is not announced.
  """
  started = time.perf_counter()
  shown = threading.Event()

  def show() -> None:
    shown.set()
    print(f'{task} ...', end=' ', file=sys.stderr, flush=True)

  timer = threading.Timer(after, show)
  if after:
    timer.start()
  else:
    show()
  try:
    yield
  finally:  # an error message, too, begins a line
    if after:
      timer.cancel()
      timer.join()
    if shown.is_set():
      print(f'{time.perf_counter() - started:.1f} s', file=sys.stderr)
