"""Batches by tf.data against those of `Loader`: not a bit may differ."""

import collections
import functools
import io
import json
import os
import shutil
import subprocess
import sys
import time

import cv2
import jax
import numpy as np
import pytest
from PIL import Image

from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.image_source import ImageSource
from siamkpn_jax.datasets.index import Index
from siamkpn_jax.datasets.loader import Loader
from siamkpn_jax.datasets.patches import EncodedFrame, decode_patch
from siamkpn_jax.datasets.tracks import Dropped
from siamkpn_jax.training import trainer
from tests.datasets.fakes import FakeSource, PartlyDamaged, drawn, open_one
from tests.datasets.photographs import photograph, turned
from tests.datasets.test_loader import assert_equal, halves, take
from tests.optional import import_or_skip
from tests.training.tiny import BlobSource, tiny_config

import_or_skip('tensorflow', 'needs pip install .[tf]')
from siamkpn_jax.datasets import tf_loader  # noqa: E402

SAMPLING = {'4:4:4': 0x111111, '4:2:2': 0x211111, '4:2:0': 0x221111,
            '4:1:1': 0x411111}


def jpeg(image, *options):
  return cv2.imencode('.jpg', image, options)[1].tobytes()


def four_inks(image):
  """A CMYK JPEG."""
  out = io.BytesIO()
  Image.fromarray(image).convert('CMYK').save(out, 'JPEG')
  return out.getvalue()


@pytest.fixture
def parts(monkeypatch):
  """Counts, by their scale, the parts that TensorFlow decodes."""
  counts = collections.Counter()
  real = tf_loader.tf.image.decode_and_crop_jpeg

  def decode(*args, **kwargs):
    part = real(*args, **kwargs)
    counts[kwargs['ratio']] += 1
    return part

  monkeypatch.setattr(tf_loader.tf.image, 'decode_and_crop_jpeg', decode)
  return counts


def patch_of(data, box, patch, **kwargs):
  """Patch and size of the box; or the message of the error."""
  try:
    return decode_patch(EncodedFrame(data, 'a.jpg', np.array(box, float)),
                        patch, **kwargs)
  except UserError as error:
    return np.zeros(0), str(error)


def assert_same_patch(data, box, patch, **kwargs):
  for a, b in zip(
      patch_of(data, box, patch, **kwargs),
      patch_of(data, box, patch, decode=tf_loader.decode_part, **kwargs),
      strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('options', [
    *([cv2.IMWRITE_JPEG_SAMPLING_FACTOR, code] for code in SAMPLING.values()),
    [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
    'gray'], ids=[*SAMPLING, 'progressive', 'restarts', 'gray'])
def test_parts_equal_the_whole(options, parts):
  """In the middle, at borders, at every scale."""
  rng = np.random.default_rng(0)
  for width, height, sides, patch in (
      (1203, 901, (30, 90), 143), (1203, 901, (8, 20), 431),
      (2450, 2401, (130, 150), 143), (2450, 2401, (260, 290), 143),
      (2450, 2401, (509, 520), 143)):
    image = photograph(width, height)
    data = (jpeg(image[..., 0]) if options == 'gray' else jpeg(image, *options))
    for k in range(8):
      w, h = rng.uniform(*sides, 2)
      reach = (w + h) / 2 * patch / 127 + 4  # half the context, a little more
      x = (reach, width / 2, width - reach)[k % 3] + rng.uniform(-9, 9)
      y = (reach, height / 2, height - reach)[k // 3] + rng.uniform(-9, 9)
      assert_same_patch(data, [x - w / 2, y - h / 2, w, h], patch)
  assert all(parts[scale] >= 3 for scale in (1, 2, 4, 8)), parts
  assert sum(parts.values()) < 40, 'none reaches outside'


def test_averaging_sees_more_than_the_patch(parts):
  data = jpeg(photograph(1203, 901))
  for side in (200, 300, 400):
    assert_same_patch(data, [500, 400, side, side], 31, reduce=False)
  assert not parts


def test_others_are_left_to_opencv(parts):
  """They would be decoded differently, or not at all."""
  image = photograph(900, 700)
  box = [400, 300, 40, 50]
  assert_same_patch(jpeg(image), box, 143)
  assert parts == {1: 1}
  for data in (cv2.imencode('.png', image)[1].tobytes(), turned(jpeg(image)),
               four_inks(image), b'no image', jpeg(image)[:300]):
    assert_same_patch(data, box, 143)
  assert parts == {1: 1}


@pytest.mark.parametrize('place', ['tables', 'pixels'])
def test_damaged_files(place):
  """The same message, or the same pixels."""
  image, rng = photograph(900, 700), np.random.default_rng(1)
  results = set()
  for _ in range(40):
    data = bytearray(jpeg(image))
    scan = data.find(b'\xff\xda')
    low, high = (20, scan) if place == 'tables' else (scan + 20, len(data) - 2)
    for at in rng.integers(low, high, 3):
      data[at] = rng.integers(255)
    assert_same_patch(bytes(data), [400, 300, 40, 50], 143)
    results.add(str(patch_of(bytes(data), [400, 300, 40, 50], 143)[1]))
  assert place == 'pixels' or any('cannot be read' in r for r in results)


FILES = {'0.jpg': jpeg, '1.jpg': jpeg, '2.png': None, '3.jpg': jpeg,
         '4.jpg': jpeg, '5.jpg': lambda image: turned(jpeg(image)),
         '6.jpg': four_inks, '7.jpg': jpeg}


@pytest.fixture
def sources(tmp_path):
  """Whole images, some boxes in fractions, a still; crops; and no files."""
  rng = np.random.default_rng(0)
  (tmp_path / 'images').mkdir()
  for k, (name, encode) in enumerate(FILES.items()):
    image = photograph(900 + 37 * k, 700 + 3 * k, k)
    (tmp_path / 'images' / name).write_bytes(
        encode(image) if encode else cv2.imencode('.png', image)[1].tobytes())
  centers = rng.uniform(0.1, 0.9, (8, 2)) * [900, 700]
  sizes = np.exp(rng.uniform(np.log(15), np.log(400), (8, 2)))
  boxes = np.concatenate([centers - sizes / 2, sizes], 1)
  boxes[3:7] /= [900, 700, 900, 700]
  index = Index(np.array([0, 3, 7, 8]), np.array(['images']),
                np.zeros(8, np.int32), np.asarray(list(FILES), bytes),
                boxes.astype(np.float32), np.array([False, True, False]),
                np.arange(3))
  (tmp_path / 'crops' / 'v').mkdir(parents=True)
  for k in range(4):
    (tmp_path / 'crops' / 'v' / f'{k:06d}.00.x.jpg').write_bytes(
        jpeg(photograph(511, 511, k)))
  (tmp_path / 'crops' / 'train.json').write_text(json.dumps({'v': {'00': {
      f'{k:06d}': [3, 4, 50 + k, 70] for k in range(4)}}}))
  return [ImageSource('images', 'folder', tmp_path, index, Dropped()),
          open_one(tmp_path / 'crops'), BlobSource()]


def make(kind, found, **kwargs):
  """A loader that draws from all of them."""
  settings = {'seed': 3, 'batch_size': 6, 'template_patch': 143,
              'search_patch': 431}
  how = {name: kwargs.pop(name, 2) for name in ('workers', 'prefetch')}
  count = len(found)
  config = drawn((3.0, 1.0, 1.0)[:count], (3, 5, 2)[:count], 0.3, 0.4, **how)
  return kind(found, config, AugmentConfig(), **(settings | kwargs))


def test_batches_are_those_of_the_threads(sources, parts):
  """Also from any step on, in shards, with other numbers of threads."""
  expected = take(make(Loader, sources), 8)
  whole = take(make(tf_loader.TfLoader, sources), 8)
  assert_equal(whole, expected)
  assert parts[1] > 10
  for a, b in zip(whole, expected, strict=True):
    assert all(a[key].dtype == b[key].dtype for key in b)
  for settings in ({'workers': 1}, {'workers': 5}, {'prefetch': 0}):
    assert_equal(take(make(tf_loader.TfLoader, sources, **settings), 3,
                      start=5), whole[5:])
  assert_equal(halves(functools.partial(
      make, tf_loader.TfLoader, sources), 8), whole)


class Uneven(FakeSource):
  """Some frames take longer."""

  def read(self, track, position, patch):
    time.sleep(0.01 * (position % 3))
    return super().read(track, position, patch)


def test_order_does_not_depend_on_time():
  found = [Uneven(0, [9, 4])]
  assert_equal(take(make(tf_loader.TfLoader, found, workers=4), 6),
               take(make(Loader, found), 6))


def test_the_same_pairs_stand_in(sources, tmp_path, capsys):
  cut = tmp_path / 'images' / '0.jpg'
  cut.write_bytes(cut.read_bytes()[:-300])
  (tmp_path / 'crops' / 'v' / '000001.00.x.jpg').unlink()
  expected = take(make(Loader, sources), 5)
  named = set(capsys.readouterr().err.splitlines())
  assert_equal(take(make(tf_loader.TfLoader, sources), 5), expected)
  assert set(capsys.readouterr().err.splitlines()) == named
  assert any('0.jpg' in line and 'replaced by' in line for line in named)


def test_errors_reach_the_loop_as_they_are():
  """Not as an error of TensorFlow with a traceback in it, and not sooner."""
  found = [PartlyDamaged(n, [30] * 3, range(5, 30)) for n in range(2)]
  with pytest.raises(UserError, match=r'unreadable.*damaged') as info:
    take(make(tf_loader.TfLoader, found), 50)
  assert '\n' not in str(info.value)
  taken = collections.Counter()
  for kind in (Loader, tf_loader.TfLoader):
    found = [FakeSource(0, [9, 4], fail_at=40)]
    with pytest.raises(OSError, match='^this disk is broken$'):
      for batch in make(kind, found, workers=1).batches():
        assert batch['search'].any()
        taken[kind] += 1
  assert taken[Loader] == taken[tf_loader.TfLoader] >= 2


def count_threads():
  return len(os.listdir('/proc/self/task'))


@pytest.mark.skipif(not os.path.isdir('/proc/self/task'),
                    reason='counts threads in /proc')
def test_close_stops_the_threads():
  """And reads no more."""
  take(make(tf_loader.TfLoader, [FakeSource(0, [9, 4])]), 1)  # TensorFlow's own
  time.sleep(0.2)
  before, source = count_threads(), FakeSource(0, [9, 4])
  batches = make(tf_loader.TfLoader, [source], workers=3).batches()
  next(batches)
  assert count_threads() > before
  batches.close()
  reads = source.reads
  deadline = time.monotonic() + 10
  while count_threads() > before and time.monotonic() < deadline:
    time.sleep(0.01)
  assert count_threads() <= before
  assert source.reads == reads


def test_python_ends_while_batches_are_read():
  """Threads that wait for Python while it waits for them would hang it."""
  code = '''
from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.datasets import tf_loader
from tests.datasets.fakes import FakeSource, drawn
batches = tf_loader.TfLoader(
    [FakeSource(0, [9, 4])], drawn((1.0,), (3,), 0.3, 0.4), AugmentConfig(),
    seed=3, batch_size=6, template_patch=143, search_patch=431).batches()
next(batches)
'''
  subprocess.run([sys.executable, '-c', code], check=True, timeout=100)


@pytest.mark.slow
def test_trains_and_continues_with_either(sources, tmp_path):
  """The second half of a run once more by tf.data: the same state."""
  config = tiny_config(
      data={'sets': ('images', 'crops', 'blobs'), 'ratios': (1.0,) * 3,
            'ranges': (3, 5, 2)},
      train={'save_every': 3})
  expected = jax.device_get(trainer.train(config, tmp_path / 'run', sources))
  shutil.rmtree(tmp_path / 'run' / 'checkpoints' / '6')
  config = config.updated(data={'loader': 'tf'})
  again = trainer.train(config, tmp_path / 'run', sources)
  assert int(again.step) == 6
  jax.tree.map(np.testing.assert_array_equal, jax.device_get(again), expected)
