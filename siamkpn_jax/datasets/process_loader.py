"""The batches of `Loader`, read by processes: the same ones, bit for bit.

Threads share one interpreter, which every pair needs for some of its time: on
many cores they wait for each other.
"""

import collections
import contextlib
import functools
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.config.settings import AugmentConfig, DataConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.loader import Batch, Loader

_CHUNK = 4  # pairs that a process is asked for at a time
_MOUNT = Path('/dev/shm')  # where Linux keeps shared memory

Layout = dict[str, tuple[np.dtype, tuple[int, ...]]]


class ProcessLoader(Loader):
  """A `Loader` with processes in place of threads.

  Each opens the sources that `config` names for itself. They write to memory
  that is shared, and end with the process that started them.
  """

  def batches(self, start: int = 0) -> Generator[Batch, None, None]:
    """See `Loader`.

    Raises:
      UserError: too many images cannot be read, there is not enough shared
        memory, or a process ended.
    """
    local = len(self._local)
    layout = {name: (value.dtype, (local, *value.shape)) for name, value
              in self.read_pair(start * self._batch_size).items()}
    pending: collections.deque[tuple[SharedMemory, list[Future]]] = (
        collections.deque())
    step = start
    with self._memory(layout) as free, self._pool() as pool:
      try:
        while True:
          while free:
            memory = free.pop()
            pending.append((memory, self._submit(pool, memory, layout, step)))
            step += 1
          memory, futures = pending.popleft()
          for future in futures:
            future.result()
          # A copy: the memory is written to again.
          batch = {name: view.copy()
                   for name, view in _views(memory, layout).items()}
          free.append(memory)
          yield batch
      except BrokenProcessPool as error:
        raise UserError(
            'a process that reads pairs ended unexpectedly, as one does that '
            f'is killed; expected {self._workers} to run: if memory was short, '
            'set --config.data.workers to fewer, or use '
            '--config.data.loader=threads') from error
      finally:
        pool.shutdown(cancel_futures=True)

  def _submit(self, pool: ProcessPoolExecutor, memory: SharedMemory,
              layout: Layout, step: int) -> list[Future]:
    local, first = len(self._local), step * self._batch_size + self._local[0]
    return [pool.submit(_fill, memory.name, layout, first,
                        range(k, min(k + _CHUNK, local)))
            for k in range(0, local, _CHUNK)]

  def _pool(self) -> ProcessPoolExecutor:
    # Spawned: a process with threads, as JAX has them, cannot be forked.
    return ProcessPoolExecutor(
        self._workers, multiprocessing.get_context('spawn'), _open,
        (self._config, self._augment, {
            'seed': self._seed, 'batch_size': self._batch_size,
            'template_patch': self._patches[0],
            'search_patch': self._patches[1],
            # Each judges by its own pairs whether too many are unreadable.
            'process_count': self._process_count * self._workers}))

  @contextlib.contextmanager
  def _memory(self, layout: Layout) -> Iterator[list[SharedMemory]]:
    """One piece for the batch that is waited for and each one ahead.

    Raises:
      UserError: there is not so much.
    """
    size = sum(map(_size, layout.values()))
    count = self._prefetch + 1
    # Beyond what there is, the first one to write would be killed.
    if _MOUNT.is_dir() and shutil.disk_usage(_MOUNT).free < count * size:
      raise UserError(
          f'{_MOUNT}: {shutil.disk_usage(_MOUNT).free / 2**20:.0f} MiB free; '
          f'expected {count * size / 2**20:.0f} MiB for {count} batches: allow '
          'more (docker run --shm-size), set --config.data.prefetch to fewer, '
          'or --config.data.loader=threads')
    with contextlib.ExitStack() as stack:
      pieces = []
      for _ in range(count):
        pieces.append(SharedMemory(create=True, size=size))
        stack.callback(pieces[-1].unlink)
        stack.callback(pieces[-1].close)
      yield pieces


def _size(kind: tuple[np.dtype, tuple[int, ...]]) -> int:
  """Bytes of an array, up to where the next one may begin."""
  dtype, shape = kind
  return -(-dtype.itemsize * int(np.prod(shape)) // 64) * 64


def _views(memory: SharedMemory, layout: Layout) -> Batch:
  """The arrays of a batch, one after the other."""
  batch, offset = {}, 0
  for name, (dtype, shape) in layout.items():
    batch[name] = np.ndarray(shape, dtype, memory.buf, offset)
    offset += _size((dtype, shape))
  return batch


# What follows runs in the processes that read, each with a loader of its own.
_given: list[tuple[DataConfig, AugmentConfig, dict[str, int]]] = []
_opened: dict[str, SharedMemory] = {}


def _open(config: DataConfig, augment: AugmentConfig,
          arguments: dict[str, int]) -> None:
  """Gets a process ready."""
  # Sent to all processes of a job, they are for the main one, which saves.
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
  threading.Thread(target=_end_with_parent, daemon=True).start()
  cv2.setNumThreads(1)
  _given.append((config, augment, arguments))


@functools.cache
def _loader() -> Loader:
  # Not made in `_open`: an error there would only be known as an end.
  config, augment, arguments = _given[0]
  return Loader(catalog.open_sources(config, arguments['seed']), config,
                augment, **arguments)


def _end_with_parent() -> None:
  parent = multiprocessing.parent_process()
  assert parent is not None
  parent.join()
  os._exit(1)


def _fill(name: str, layout: Layout, first: int, rows: range) -> None:
  """Reads the pairs first + row into some rows of a batch."""
  if name not in _opened:
    _opened[name] = SharedMemory(name)
  views = _views(_opened[name], layout)
  for row in rows:
    for key, value in _loader().read_pair(first + row).items():
      views[key][row] = value
