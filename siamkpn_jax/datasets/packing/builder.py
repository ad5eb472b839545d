"""A TFDS builder of one part of a training set: its crops as records.

A part is a TFDS data set of its own, so it is there whole or not at all, and
`tfds.builder_from_directories` reads all parts as one. With Beam the crops are
made wherever its workers run; they must see the set under the same path.
"""

import collections
import dataclasses
import functools
import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow_datasets as tfds

from siamkpn_jax.core import geometry
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.core.progress import progress_bar
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.image_source import ImageSource
from siamkpn_jax.datasets.patches import EncodedFrame, decode_patch

Example = dict[str, Any]


@dataclasses.dataclass(eq=False, kw_only=True)
class PartConfig(tfds.core.BuilderConfig):
  """Which frames a part holds, and how.

  Attributes:
    folder: of the set.
    frames: (first, one past the last), counted over all tracks.
    quality: of the JPEGs; crops that are JPEGs already are kept as they are.
    beam: make the crops in a Beam pipeline, not in threads.
  """

  folder: str
  frames: tuple[int, int]
  quality: int
  beam: bool


class SiamkpnCrops(tfds.core.GeneratorBasedBuilder):
  """511-pixel crops at the template's scale, the target in the middle.

  Features: 'image', JPEG; 'wh', [2] float32 width and height of the target in
  it; 'frame', its number in the set; 'file', it was made of. A frame whose
  image cannot be read is black and has a target of size zero.
  """

  VERSION = tfds.core.Version('1.0.0')

  def _info(self) -> tfds.core.DatasetInfo:
    size = geometry.CONTEXT_SIZE
    return tfds.core.DatasetInfo(
        builder=self,
        description='Crops around tracked targets, for training trackers.',
        features=tfds.features.FeaturesDict({
            'image': tfds.features.Image(
                shape=(size, size, 3), encoding_format='jpeg'),
            'wh': tfds.features.Tensor(shape=(2,), dtype=np.float32),
            'frame': np.int64,
            'file': tfds.features.Text()}))

  def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
    del dl_manager
    return {'train': self._generate_examples()}

  def _generate_examples(self) -> Any:
    config: PartConfig = self.builder_config
    make = functools.partial(_example, config.folder, config.quality)
    if not config.beam:
      return _in_threads(make, config.frames)
    beam = tfds.core.lazy_imports.apache_beam
    return beam.Create(range(*config.frames)) | beam.Map(make)


def _in_threads(make: Any, frames: tuple[int, int]
                ) -> Iterator[tuple[int, Example]]:
  """The examples of all frames in order, made a little ahead."""
  workers = cores()
  pending: collections.deque[Future] = collections.deque()
  with ThreadPoolExecutor(workers) as pool:
    for frame in progress_bar(iterable=range(*frames), unit='frame'):
      pending.append(pool.submit(make, frame))
      if len(pending) > 8 * workers:
        yield pending.popleft().result()
    while pending:
      yield pending.popleft().result()


def _example(folder: str, quality: int, frame: int) -> tuple[int, Example]:
  """Key and example of a frame."""
  data = None
  try:
    encoded = _load(folder, frame)
    image, wh = decode_patch(encoded, geometry.CONTEXT_SIZE)
    if encoded.side is not None and encoded.data.startswith(b'\xff\xd8'):
      data = encoded.data
  except UnreachableError:
    raise
  except UserError:
    size = geometry.CONTEXT_SIZE
    image, wh = np.zeros((size, size, 3), np.uint8), np.zeros(2, np.float32)
  if data is None:
    data = cv2.imencode(
        '.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
  name = open_set(folder).index.image(frame)
  return frame, {'image': io.BytesIO(data), 'wh': wh, 'frame': frame,
                 'file': name.encode(errors='backslashreplace')}


def is_readable(folder: str, frame: int) -> bool:
  """Whether a crop can be made of a frame."""
  try:
    decode_patch(_load(folder, frame), 1)
  except UnreachableError:
    raise
  except UserError:
    return False
  return True


def _load(folder: str, frame: int) -> EncodedFrame:
  source = open_set(folder)
  starts = source.index.starts
  track = int(np.searchsorted(starts, frame, 'right')) - 1
  return source.load(track, frame - int(starts[track]))


@functools.lru_cache(maxsize=1)  # a worker makes one example after the other
def open_set(folder: str) -> ImageSource:
  """The set in a folder.

  Raises:
    UserError: there is none, or none that is made of image files.
  """
  path = Path(folder)
  return catalog.open_images(path.name, path)
