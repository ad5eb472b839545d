"""Reads pairs ahead of the training loop with a pool of threads.

Order and content depend on the seed and the step alone, not on the number of
threads or hosts.
"""

import collections
import sys
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np

from siamkpn_jax.config.settings import AugmentConfig, DataConfig
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import sampler
from siamkpn_jax.datasets.degrade import degrade, is_off, read_patch, stream
from siamkpn_jax.datasets.patches import central
from siamkpn_jax.datasets.source import Source

Batch = dict[str, np.ndarray]


class Loader:
  """Endless batches of raw pairs.

  A batch holds, for b = batch_size / process_count pairs,
    template [b, p, p, 3] uint8 BGR and template_wh [b, 2] float32,
    search [b, q, q, 3] uint8 and search_wh [b, 2] (see `Source.read`),
    negative [b] bool, gray [b] bool,
    index [b] uint32, the pair's number, from which its augmentation follows.
  """

  def __init__(self, sources: Sequence[Source], config: DataConfig,
               augment: AugmentConfig, *, seed: int, batch_size: int,
               template_patch: int, search_patch: int, process_index: int = 0,
               process_count: int = 1):
    """Reads nothing yet.

    Args:
      sources: where the frames come from, one for each of `config.sets`.
      config: how they are drawn and read.
      augment: what may happen to each frame on the host.
      seed: of the sequence of pairs.
      batch_size: of all processes together; a multiple of their number.
      template_patch: side of the template's patch, pixels.
      search_patch: side of the search region's patch, pixels.
      process_index: which part of every batch is read here.
      process_count: number of parts.
    """
    self._sources = sources
    self._config = config
    self._seed = seed
    self._batch_size = batch_size
    self._patches = (template_patch, search_patch)
    self._workers = config.workers or cores()
    self._prefetch = config.prefetch
    self._augment = augment
    self._unreadable = _Unreadable()
    self._process_count = process_count
    local = batch_size // process_count
    self._local = range(process_index * local, (process_index + 1) * local)

  @property
  def reach(self) -> int:
    """Side of the largest patch that is ever read, odd."""
    return max(read_patch(self._augment, patch) for patch in self._patches)

  def batches(self, start: int = 0) -> Generator[Batch, None, None]:
    """Batches from number `start` on; close the iterator to stop reading."""
    cv2.setNumThreads(1)  # the pool's threads are as many as the cores
    pending: collections.deque[list[Future]] = collections.deque()
    with ThreadPoolExecutor(self._workers, 'loader') as pool:
      step = start
      try:
        while True:
          while len(pending) <= self._prefetch:
            first = step * self._batch_size
            pending.append([
                pool.submit(self.read_pair, first + k) for k in self._local])
            step += 1
          yield _stack([future.result() for future in pending.popleft()])
      finally:
        for futures in pending:
          for future in futures:
            future.cancel()

  def pairs(self, first: int, count: int) -> Batch:
    """The pairs first to first + count - 1 as one batch."""
    return _stack([self.read_pair(first + k) for k in range(count)])

  def read_pair(self, index: int) -> Batch:
    """Pair number `index`: a batch without its first axis.

    If one of its images cannot be read, another pair stands in, which depends
    on the index alone too.

    Raises:
      UserError: too many images cannot be read.
    """
    attempt = 0
    while True:
      pair = sampler.sample(
          self._sources, self._config, self._seed, index, attempt)
      try:
        return self._read(pair, index)
      except UserError as error:
        self._unreadable.add(error, index // self._process_count)
        attempt += 1

  def _read(self, pair: sampler.Pair, index: int) -> Batch:
    example: Batch = {
        'negative': np.asarray(pair.negative),
        'gray': np.asarray(pair.gray),
        'index': np.asarray(index, np.uint32)}
    patches = [read_patch(self._augment, patch) for patch in self._patches]
    if pair.template == pair.search:  # always so for stills: read once
      image, wh = self._read_frame(pair.search, max(patches))
      images = [(central(image, patch), wh) for patch in patches]
    else:
      images = [self._read_frame(frame, patch) for frame, patch in zip(
          (pair.template, pair.search), patches, strict=True)]
    for crop, name in enumerate(('template', 'search')):
      image, wh = images[crop]
      if not is_off(self._augment):
        image, wh = degrade(
            stream(self._seed, index, crop), image, wh, self._patches[crop],
            self._augment, occlude=name == 'search')
      example |= {name: image, f'{name}_wh': wh}
    return example

  def _read_frame(self, frame: sampler.Frame,
                  patch: int) -> tuple[np.ndarray, np.ndarray]:
    return self._sources[frame.source].read(
        frame.track, frame.position, patch)


class _Unreadable:
  """Counts images that cannot be read: a few are replaced, many are an error.

  Names the first ones, later the 8th, 16th, 32nd and so on, so that nothing is
  replaced in silence.
  """

  _NAMED = 5
  _FREE = 20  # may fail however few pairs have been read
  _SHARE = 0.01  # of the pairs since the start

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._first: int | None = None
    self._count = 0

  def add(self, error: UserError, index: int) -> None:
    """Notes one failure of this process's pair number `index`.

    Raises:
      UserError: there have been too many.
    """
    with self._lock:
      self._count += 1
      self._first = index if self._first is None else min(self._first, index)
      read = index - self._first + 1
      if self._count > self._FREE + self._SHARE * read:
        raise UserError(f'{error} ({self._count} unreadable images in about '
                        f'{read} pairs: the data set is damaged)')
      if self._count <= self._NAMED or self._count & (self._count - 1) == 0:
        print(f'skipped, replaced by another pair: {error}', file=sys.stderr)


def _stack(examples: list[Batch]) -> Batch:
  return {key: np.stack([e[key] for e in examples]) for key in examples[0]}
