"""Files are read once, as long as there is room for them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.file_cache import FileCache


@pytest.fixture
def files(tmp_path):
  """Ten of 100 bytes."""
  paths = [tmp_path / f'{k}.png' for k in range(10)]
  for k, path in enumerate(paths):
    path.write_bytes(bytes([k]) * 100)
  return paths


def kept(cache, files):
  """Which of them are read without their files, which this removes."""
  for path in files:
    path.unlink()
  found = []
  for k, path in enumerate(files):
    try:
      assert cache.read(path) == bytes([k]) * 100
      found.append(k)
    except UserError:
      pass
  return found


@pytest.mark.parametrize(('limit', 'expected'), [
    (0, []), (99, []), (100, [0]), (350, [0, 1, 2]), (5000, list(range(10)))])
def test_keeps_what_fits(files, limit, expected):
  cache = FileCache(limit)
  for path in [*files, *files]:
    cache.read(path)
  assert kept(cache, files) == expected


def test_threads(files):
  """Read by many at once, each file counts once."""
  cache, start = FileCache(1000), threading.Barrier(8)

  def work(_):
    start.wait()
    return [cache.read(path) for path in files]

  with ThreadPoolExecutor(8) as pool:
    results = list(pool.map(work, range(8)))
  assert all(result == results[0] for result in results)
  assert kept(cache, files) == list(range(10))


def test_damaged_files_are_refused_every_time(tmp_path):
  cache = FileCache(1000)
  path = tmp_path / 'a.png'
  for _ in range(2):
    with pytest.raises(UserError, match=r'a\.png: this image cannot be read'):
      cache.read(path)
  path.write_bytes(b'there now')
  assert cache.read(path) == b'there now'
