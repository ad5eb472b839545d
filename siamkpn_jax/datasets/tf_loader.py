"""The batches of `Loader`, read by tf.data: the same ones, bit for bit.

TensorFlow decodes a part of a JPEG with less work than the whole, to the same
pixels. Cutting and resampling are OpenCV's here too. TensorFlow is kept off
accelerators.
"""

import contextlib
import math
import os
import weakref
from collections.abc import Callable, Generator, Sequence

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import jpeg_header
from siamkpn_jax.datasets import sampler
from siamkpn_jax.datasets.loader import Batch, Loader
from siamkpn_jax.datasets.patches import (
  EncodedFrame,
  Square,
  decode_frame,
  decode_patch,
)

os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')  # unused, and announced
try:
  import tensorflow as tf
except ImportError as error:
  raise UserError(
      "config.data.loader is 'tf', but TensorFlow cannot be imported "
      f"({error}): pip install 'siamkpn_jax[tf]', or use "
      '--config.data.loader=threads, which gives the same batches') from error

tf.config.set_visible_devices([], 'GPU')

_MARGIN = 2  # pixels; colors at the edge of a part are less exact
_SHARE = 0.25  # of the image; OpenCV has decoded it sooner than a larger part


class TfLoader(Loader):
  """A `Loader` whose threads are those of tf.data."""

  def batches(self, start: int = 0) -> Generator[Batch, None, None]:
    """See `Loader`."""
    cv2.setNumThreads(1)  # there are as many threads as cores
    specs = self._specs()
    failed: dict[int, Exception] = {}

    def read(number: np.ndarray) -> list[np.ndarray]:
      step, k = divmod(int(number), len(self._local))
      index = step * self._batch_size + self._local[k]
      try:
        pair = self.read_pair(index)
      except Exception as error:
        # Raised below: TensorFlow would make another error of it, and log it.
        failed[index] = error
        pair = {name: np.zeros(tuple(spec.shape), spec.dtype.as_numpy_dtype)
                for name, spec in specs.items()}
        pair['index'] = np.asarray(index, np.uint32)
      return [pair[name] for name in specs]

    # Its threads end with it. They must not outlive Python, which waits then.
    iterators = [iter(self._dataset(start, read))]
    end = weakref.finalize(self, iterators.clear)
    try:
      while True:
        batch = {name: value.numpy()
                 for name, value in next(iterators[0]).items()}
        for index in batch['index'].tolist():
          if index in failed:
            raise failed[index]
        yield batch
    finally:
      end()

  def _dataset(self, start: int, read: Callable) -> tf.data.Dataset:
    """Batches from number `start` on of what `read` returns."""
    local, specs = len(self._local), self._specs()

    def pair(number: tf.Tensor) -> dict[str, tf.Tensor]:
      values = tf.numpy_function(
          read, [number], [spec.dtype for spec in specs.values()])
      return {name: tf.ensure_shape(value, spec.shape) for (name, spec), value
              in zip(specs.items(), values, strict=True)}

    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = self._workers
    options.threading.max_intra_op_parallelism = 1
    numbers = tf.data.Dataset.range(start * local, np.iinfo(np.int64).max)
    return (numbers
            .map(pair, num_parallel_calls=self._workers, deterministic=True)
            .batch(local, drop_remainder=True)
            .prefetch(self._prefetch)
            .with_options(options))

  def _specs(self) -> dict[str, tf.TensorSpec]:
    """Shapes and types of a pair."""
    image = lambda patch: tf.TensorSpec((patch, patch, 3), tf.uint8)
    size, flag = tf.TensorSpec((2,), tf.float32), tf.TensorSpec((), tf.bool)
    template, search = map(image, self._patches)
    return {'template': template, 'template_wh': size,
            'search': search, 'search_wh': size, 'negative': flag,
            'gray': flag, 'index': tf.TensorSpec((), tf.uint32)}

  def _read_frame(self, frame: sampler.Frame,
                  patch: int) -> tuple[np.ndarray, np.ndarray]:
    load = getattr(self._sources[frame.source], 'load', None)
    if load is None:  # rendered, not read
      return super()._read_frame(frame, patch)
    return decode_patch(load(frame.track, frame.position), patch,
                        decode=decode_part)


def decode_part(frame: EncodedFrame, factor: int,
                square: Square | None) -> np.ndarray:
  """As `decode_frame`; of a plain JPEG only the square, if it is small.

  Returns:
    [h, w, 3] uint8 BGR, undefined outside of the square.

  Raises:
    UserError: not an image.
  """
  header = jpeg_header(frame.data)
  # How four inks are mixed is not the same in TensorFlow and OpenCV.
  if square is not None and header is not None and header.colors != 4:
    size = [math.ceil(side / factor)
            for side in (header.width, header.height)]
    low = [math.floor(value) - _MARGIN for value in square.low]
    high = [math.ceil(value) + _MARGIN for value in square.high]
    area = (high[0] - low[0]) * (high[1] - low[1])
    if (min(low) >= 0 and high[0] <= size[0] and high[1] <= size[1] and
        area <= _SHARE * size[0] * size[1]):
      # A damaged file is for decode_frame to name.
      with contextlib.suppress(tf.errors.InvalidArgumentError):
        return _decode_window(frame.data, factor, size, low, high)
  return decode_frame(frame, factor, square)


def _decode_window(data: bytes, factor: int, size: Sequence[int],
                   low: Sequence[int], high: Sequence[int]) -> np.ndarray:
  """An image of a size (x, y) that is defined from low (x, y) to high."""
  part = tf.image.decode_and_crop_jpeg(
      data, [low[1], low[0], high[1] - low[1], high[0] - low[0]], channels=3,
      ratio=factor, dct_method='INTEGER_ACCURATE')  # OpenCV's
  image = np.empty((size[1], size[0], 3), np.uint8)
  cv2.cvtColor(part.numpy(), cv2.COLOR_RGB2BGR,
               dst=image[low[1]:high[1], low[0]:high[0]])
  return image
