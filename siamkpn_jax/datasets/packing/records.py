"""Where the crops lie in the record files of a part.

TFDS writes TFRecord files, which can be read in order only. This notes the
place of every JPEG, so that training reads any of them with one request, from a
disk as from object storage, without TensorFlow.

Why not array_record, which has random access: its reader (0.8.6) opens local
files and gs:// alone, nothing else that fsspec knows (s3://, memory://), and
there are no wheels for Windows or for Macs with Intel processors.
"""

import dataclasses
import io
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from etils import epath
from google.protobuf.message import DecodeError

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.npz import read_npz
from siamkpn_jax.datasets.packed_source import Crops, take_crops
from siamkpn_jax.datasets.stored_arrays import take

# A record: length (8 bytes) and its checksum (4), content, its checksum (4).
_BEFORE, _AROUND = 12, 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Records(Crops):
  """The crops of some files.

  Attributes:
    frames: [n] int64 their numbers in the set.
  """

  frames: np.ndarray

  @staticmethod
  def from_bytes(data: bytes) -> 'Records':
    """The opposite of `to_npz`.

    Raises:
      ValueError: damaged, or something else.
    """
    content = read_npz(io.BytesIO(data))
    crops = take_crops(content)
    return Records(
        frames=take(content, 'frames', 'i', len(crops['wh'])), **crops)


def join(parts: Sequence[Records]) -> Records:
  """The crops of all, in this order."""
  first = np.cumsum([0, *(len(part.files) for part in parts)])
  columns = {field.name: np.concatenate(
      [getattr(part, field.name) for part in parts])
      for field in dataclasses.fields(Records)}
  columns['file_ids'] = np.concatenate(
      [part.file_ids + start for part, start in zip(parts, first[:-1],
                                                    strict=True)]).astype('i4')
  return Records(**columns)


def scan(folder: epath.Path) -> Records:
  """Reads all record files of a folder whole, and checks every record.

  Raises:
    UserError: a file is damaged, or there is none.
  """
  # Not glob, to which brackets in the folder's name are a pattern.
  paths = sorted(path for path in folder.iterdir() if '.tfrecord-' in path.name)
  if not paths:
    raise UserError(f'{folder}: no record files; expected a packed data set')
  with ThreadPoolExecutor(8) as pool:
    return join(list(pool.map(_scan_file, paths)))


def _scan_file(path: epath.Path) -> Records:
  rows, start = [], 0
  try:
    for content in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
      feature = tf.train.Example.FromString(content).features.feature
      jpeg = feature['image'].bytes_list.value[0]
      rows.append((feature['frame'].int64_list.value[0],
                   start + _BEFORE + content.index(jpeg), len(jpeg),
                   zlib.crc32(jpeg), tuple(feature['wh'].float_list.value)))
      start += len(content) + _AROUND
  except (tf.errors.DataLossError, tf.errors.OutOfRangeError,
          tf.errors.InvalidArgumentError, IndexError, ValueError,
          DecodeError) as error:
    raise UserError(f'{path}: damaged at byte {start}; expected intact '
                    'records') from error
  frames, offsets, lengths, checksums, wh = (
      zip(*rows, strict=True) if rows else [()] * 5)
  return Records(
      files=np.array([path.name]), sizes=np.array([path.stat().length]),
      file_ids=np.zeros(len(rows), np.int32),
      frames=np.array(frames, np.int64), offsets=np.array(offsets, np.int64),
      lengths=np.array(lengths, np.int32),
      checksums=np.array(checksums, np.uint32),
      wh=np.array(wh, np.float32).reshape(-1, 2))
