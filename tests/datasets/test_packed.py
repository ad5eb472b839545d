"""Reading packed crops: any place, any damage; no TensorFlow needed."""

import dataclasses
import functools
import io
import zlib

import cv2
import fsspec
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.packed_source import INDEX_NAME, PackedIndex
from siamkpn_jax.datasets.tracks import Dropped
from tests.datasets.fakes import open_one
from tests.datasets.sizes import at_scale

FRAMES = (2, 3)  # of two tracks; their crops are mixed over two files


def crops():
  rng = np.random.default_rng(0)
  images = [cv2.resize(rng.integers(0, 255, (9, 9, 3)).astype(np.uint8),
                       (511, 511)) for _ in range(5)]
  return [cv2.imencode('.jpg', image)[1].tobytes() for image in images]


@pytest.fixture
def content():
  """{path: bytes} of a packed set, its crops, and its index."""
  jpegs = crops()
  places = [('part_0/a', 3), ('part_0/a', 0), ('part_1/b', 1),
            ('part_0/a', 2), ('part_1/b', 4)]  # file and crop, as written
  files = {'part_0/a': b'', 'part_1/b': b''}
  offsets = {}
  for name, crop in places:
    files[name] += b'x' * 29  # what lies between records
    offsets[crop] = (sorted(files).index(name), len(files[name]))
    files[name] += jpegs[crop]
  index = PackedIndex(
      starts=np.array([0, 2, 5]), groups=np.zeros(0, int),
      files=np.array(sorted(files)),
      sizes=np.array([len(files[name]) for name in sorted(files)]),
      file_ids=np.array([offsets[k][0] for k in range(5)], np.int32),
      offsets=np.array([offsets[k][1] for k in range(5)]),
      lengths=np.array([len(jpeg) for jpeg in jpegs], np.int32),
      checksums=np.array([zlib.crc32(jpeg) for jpeg in jpegs], np.uint32),
      wh=at_scale(np.arange(20, 30, dtype=np.float32).reshape(5, 2)))
  dropped = Dropped()
  dropped.add('frames: target absent', 'v/3.jpg', 7)
  files[INDEX_NAME] = index.to_bytes(dropped)
  return files, jpegs, index


def write_local(home, files):
  for name, data in files.items():
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_bytes(data)
  return home


@pytest.fixture(params=['local', 'memory'])
def place(request, tmp_path):
  """A function that writes files of a set and returns where that is."""
  if request.param == 'local':
    yield functools.partial(write_local, tmp_path / 'mine')
    return
  memory = fsspec.filesystem('memory')
  home = f'memory://{tmp_path.name}/mine'

  def write(files):
    for name, data in files.items():
      memory.pipe_file(f'{home}/{name}', data)
    return home

  yield write
  memory.rm(f'/{tmp_path.name}', recursive=True)


def test_reads_every_crop(content, place):
  files, jpegs, index = content
  source = open_one(place(files))
  assert (source.name, source.kind) == ('mine', 'packed')
  assert (source.num_tracks, source.total_frames) == (2, 5)
  assert [source.num_frames(k) for k in range(2)] == list(FRAMES)
  assert source.dropped.counts == {'frames: target absent': 7}
  assert 'v/3.jpg' in catalog.describe([source])
  for track, position, crop in ((0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 2, 4)):
    whole = cv2.imdecode(np.frombuffer(jpegs[crop], np.uint8), 1)
    image, wh = source.read(track, position, 143)
    np.testing.assert_array_equal(image, whole[184:327, 184:327])
    np.testing.assert_allclose(wh, index.wh[crop], rtol=1e-6)


def test_damaged_record(content, place):
  """Found when it is read; the others are not affected."""
  files, _, index = content
  data = bytearray(files['part_0/a'])
  data[index.offsets[3] + 700] ^= 1
  source = open_one(place(files | {'part_0/a': bytes(data)}))
  with pytest.raises(UserError, match=r'part_0/a: damaged at byte .*--verify'):
    source.read(1, 1, 143)
  source.read(0, 0, 143)


@pytest.mark.parametrize('how', ['missing', 'cut', 'no index', 'bad index'])
def test_files_missing_or_cut(content, place, how):
  """Told before training starts."""
  files, *_ = content
  if how == 'missing':
    del files['part_1/b']
  elif how == 'cut':
    files['part_1/b'] = files['part_1/b'][:-1]
  elif how == 'bad index':
    files[INDEX_NAME] = files[INDEX_NAME][:-300]
  else:
    del files[INDEX_NAME]
  home = place(files)
  expected = {'missing': '1 of 2 record files are missing or trunc.*part_1/b',
              'cut': '1 of 2 record files are missing or truncated.*part_1/b',
              'bad index': f'{INDEX_NAME}: damaged',
              'no index': 'cannot be read.*pack|not found'}[how]
  with pytest.raises(UserError, match=expected):
    open_one(home)


def test_file_that_vanishes(content, place):
  source = open_one(place(content[0]))
  place({'part_1/b': b''})
  with pytest.raises(UserError, match=r'part_1/b'):
    source.read(1, 2, 143)


@pytest.mark.parametrize('error', [
    MemoryError(), AttributeError('a bug'), TypeError('a bug')])
def test_what_is_no_storage_s_comes_through(content, tmp_path, monkeypatch,
                                            error):
  source = open_one(write_local(tmp_path / 'mine', content[0]))
  def fail(*args, **kwargs):
    raise error
  monkeypatch.setattr(source._files, 'cat_file', fail)
  with pytest.raises(type(error)):
    source.read(0, 0, 143)


def test_storage_that_cannot_be_listed(content, place, monkeypatch):
  """Errors of its own kind are told as well."""
  source = open_one(place(content[0]))
  class HttpError(Exception):
    pass
  def fail(*args, **kwargs):
    raise HttpError('Forbidden, 403')
  monkeypatch.setattr(source._files, 'ls', fail)
  with pytest.raises(UserError, match='cannot be read .Forbidden, 403'):
    source._check_files()


def test_unknown_storage():
  with pytest.raises(UserError, match='nowhere://x/mine'):
    open_one('nowhere://x/mine')


def test_index_round_trip(content):
  *_, index = content
  again, dropped = PackedIndex.from_bytes(index.to_bytes(Dropped()))
  assert not dropped.counts
  for field in dataclasses.fields(PackedIndex):
    np.testing.assert_array_equal(
        getattr(again, field.name), getattr(index, field.name))


def with_array(data, name, array):
  """An index with another array, intact as a file."""
  with np.load(io.BytesIO(data)) as content:
    arrays = dict(content)
  del arrays[name]
  if array is not None:
    arrays[name] = array
  buffer = io.BytesIO()
  np.savez(buffer, **arrays)
  return buffer.getvalue()


WRONG = [
    *((field.name, array) for field in dataclasses.fields(PackedIndex)
      for array in (None, np.zeros(0), np.zeros((5, 2), 'c16'),
                    np.full(5, np.nan), np.full((2, 5), 1), np.asarray('x'),
                    np.full(3, -1), np.full(5, b'x'))),
    *(('starts', np.array(a)) for a in ([0], [5], [0, 6], [1, 5], [0, 3, 2, 5],
                                        [0, 0, 5], [0, 5, 5], [0, 2**40])),
    *(('files', np.array(['part_0/a', name])) for name in (
        '/etc/passwd', '../part_1/b', 'part_1/../../b', '', 'part_1\\b',
        'c:b', 'part_1//b')),
    *(('sizes', np.array([10**6, a])) for a in (-1, 3)),
    *(('file_ids', np.array([0, 0, 1, 0, a])) for a in (-1, 2, 2**40)),
    *(('offsets', np.array([0, 0, 0, 0, a])) for a in (-1, 2**62, 2**63 - 1)),
    *(('lengths', np.array([9, 9, 9, 9, a])) for a in (-1, 0, 2**40)),
    *(('wh', np.full((5, 2), a)) for a in (0.0, -1.0, 1e9, np.inf, np.nan)),
    *(('dropped', np.array(a)) for a in ('', '[]', '3', '{"a": 1}',
                                         '{"a": [1e999, "b"]}', '[' * 10**5))]


@pytest.mark.parametrize(('name', 'array'), WRONG)
def test_index_that_does_not_fit(content, tmp_path, name, array):
  """Refused before anything is computed from it, in one line."""
  files, *_ = content
  files[INDEX_NAME] = with_array(files[INDEX_NAME], name, array)
  home = write_local(tmp_path / 'mine', files)
  with pytest.raises(UserError, match=(
      rf'mine/{INDEX_NAME}: damaged \(.*\): run python')) as info:
    open_one(home)
  assert '\n' not in str(info.value)
