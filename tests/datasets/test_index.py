"""Which frames are kept, and the cache of an index."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import index as index_module
from siamkpn_jax.datasets.index import CACHE_NAME, build_index, load_index
from siamkpn_jax.datasets.tracks import Dropped, RawTrack


class FakeLayout:
  """Two videos with everything that can be wrong with a frame."""

  EXPECTED = 'a/ and b/ with boxes.txt'

  def __init__(self):
    self.scans = 0

  def annotations(self, folder):
    return [folder / 'boxes.txt']

  def tracks(self, folder, dropped):
    self.scans += 1
    nan = np.nan
    yield RawTrack(
        'a', [f'a/{k}.jpg' for k in range(7)],
        np.array([[1, 2, 3, 4], [nan, 0, 5, 5], [0, 0, 0, 5], [0, 0, 5, -1],
                  [9, 9, 9, 9], [5, 6, 7, 8], [5, 5, 5, np.inf]]),
        np.array([0, 0, 0, 0, 1, 0, 0], bool))
    yield RawTrack('b', ['b/sub/0.jpg', 'b/sub/1.jpg'],
                   np.array([[0.1, 0.2, 0.3, 0.4]] * 2),
                   np.zeros(2, bool), relative=True)
    yield RawTrack('c', ['c/0.jpg'], np.array([[1.0, 1, 1, 1]]),
                   np.zeros(1, bool))
    dropped.add('tracks: no annotation', 'd')


@pytest.fixture
def folder(tmp_path):
  for image in (*(f'a/{k}.jpg' for k in range(7)), 'b/sub/0.jpg',
                'b/sub/1.jpg'):
    (tmp_path / image).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / image).write_bytes(b'x')
  (tmp_path / 'b/sub/1.jpg').unlink()
  (tmp_path / 'a/link.jpg').symlink_to('nowhere')  # of no account
  (tmp_path / 'boxes.txt').write_text('1')
  return tmp_path


def cache_of(folder):
  """The only one there."""
  (path,) = (p for p in folder.iterdir() if p.name.startswith(CACHE_NAME))
  return path


def contents(index):
  return [(index.image(n), index.boxes_xywh[n].round(3).tolist())
          for n in range(len(index.names))]


def test_usable_frames_and_reasons(folder):
  index, dropped = load_index('fake', folder, FakeLayout())
  assert index.starts.tolist() == [0, 2, 3]
  assert index.relative.tolist() == [False, True]
  assert contents(index) == [
      ('a/0.jpg', [1, 2, 3, 4]), ('a/5.jpg', [5, 6, 7, 8]),
      ('b/sub/0.jpg', [np.float32(v).round(3) for v in (0.1, 0.2, 0.3, 0.4)])]
  assert dropped.counts == {
      'frames: target absent': 1, 'frames: box is not a number': 2,
      'frames: box without area or far outside': 2,
      'frames: image missing': 2,
      'tracks: no usable frame': 1, 'tracks: no annotation': 1}
  assert dropped.examples['frames: box is not a number'] == 'a, a/1.jpg'
  assert dropped.examples['tracks: no usable frame'] == 'c'


def index_of(folder, image, *boxes):
  """Of a track for each box, a, b, c, in one image; and what is left out."""
  (folder / image).write_bytes(b'x')
  dropped = Dropped()
  tracks = (RawTrack(name, [image], np.array([box], np.float64),
                     np.zeros(1, bool))
            for name, box in zip('abc', boxes, strict=False))
  return build_index(tracks, folder, dropped), dropped


@pytest.mark.parametrize('name', ['1.jpg', os.fsdecode(b'\xe9.jpg')])
def test_images_beside_the_annotations(tmp_path, name):
  """Names without a folder, and such that are not UTF-8."""
  assert index_of(tmp_path, name, (1, 1, 1, 1))[0].image(0) == name


def test_boxes_in_fractions(tmp_path):
  """As other programs write them; a part of a pixel is no target."""
  index, dropped = index_of(tmp_path, '1.jpg', (0.4, 0.5, 0.1, 0.2),
                            (0, 0, 1, 1), (0.5, 30, 0.5, 0.5))
  assert index.num_tracks == 2
  assert dropped.counts == {
      'tracks: boxes are fractions of the image, not pixels': 1}
  assert dropped.examples[next(iter(dropped.counts))] == 'a'


def test_cache(folder):
  """Read back as it was; a change or a cut file rebuilds."""
  layout = FakeLayout()
  first, dropped = load_index('fake', folder, layout)
  again, cached = load_index('fake', folder, layout)
  assert layout.scans == 1 and cache_of(folder).is_file()
  assert contents(first) == contents(again)
  assert cached.counts == dropped.counts
  assert cached.examples == dropped.examples
  (folder / 'boxes.txt').write_text('12')
  load_index('fake', folder, layout)
  assert layout.scans == 2
  (folder / 'a' / '0.jpg').unlink()
  assert len(load_index('fake', folder, layout)[0].names) == 2
  assert layout.scans == 3
  (folder / 'b' / 'another video').mkdir()
  load_index('fake', folder, layout)
  assert layout.scans == 4
  (folder / 'c').mkdir()  # where a track's images were missing
  load_index('fake', folder, layout)
  assert layout.scans == 5
  layout.scans = 2
  content = cache_of(folder).read_bytes()
  cache_of(folder).write_bytes(content[:len(content) // 2])
  load_index('fake', folder, layout)
  assert layout.scans == 3
  assert cache_of(folder).is_file()


def test_groups_change_no_digest(folder):
  """Sets that were packed before there were groups are those of today."""
  index, _ = load_index('toy', folder, FakeLayout())
  other = dataclasses.replace(index, groups=index.groups + 1)
  assert other.digest() == index.digest()


def test_images_that_come_later_are_found(folder):
  """Beside an annotation, or in the set's own folder."""
  layout = FakeLayout()
  (folder / 'c').mkdir()
  (folder / 'c' / 'boxes.txt').write_text('1')
  layout.annotations = lambda folder: [folder / 'c' / 'boxes.txt']
  assert load_index('fake', folder, layout)[0].num_tracks == 2
  (folder / 'c' / '0.jpg').write_bytes(b'x')
  assert load_index('fake', folder, layout)[0].num_tracks == 3
  assert layout.scans == 2
  load_index('fake', folder, layout)
  assert layout.scans == 2
  (folder / '0.jpg').write_bytes(b'x')
  load_index('fake', folder, layout)
  assert layout.scans == 3


def test_cache_of_a_folder_that_cannot_be_written(
    folder, tmp_path_factory, monkeypatch):
  """In the user's cache folder then."""
  home = tmp_path_factory.mktemp('cache')
  monkeypatch.setenv('XDG_CACHE_HOME', str(home))
  layout = FakeLayout()
  real = Path.replace

  def replace(self, target):
    if Path(target).parent == folder:
      raise PermissionError('read-only')
    return real(self, target)

  monkeypatch.setattr(Path, 'replace', replace)
  load_index('fake', folder, layout)
  load_index('fake', folder, layout)
  assert layout.scans == 1
  assert not [p for p in folder.iterdir() if 'index' in p.name]
  assert len(list((home / 'siamkpn_jax').iterdir())) == 1


def test_nothing_usable_is_refused(folder):
  for image in folder.rglob('*.jpg'):
    image.unlink()
  with pytest.raises(UserError) as caught:
    load_index('fake', folder, FakeLayout())
  message = str(caught.value)
  assert message.startswith(f'{folder}: no usable frame for fake; expected a/')
  assert 'frames: image missing: 5 (first: a, a/0.jpg)' in message
  assert '\n' not in message


@pytest.mark.parametrize('box', [
    [0, 0, 1e39, 5], [0, 0, 1e-60, 5], [1e9, 1e9, 10, 10], [0, 0, 1e30, 1e30]])
def test_boxes_that_no_image_can_hold(tmp_path, box):
  """What float32 cannot keep, or nothing can be cut around."""
  index, dropped = index_of(tmp_path, '1.jpg', box)
  assert not index.num_tracks and dropped.counts.total() == 2


def test_two_layouts_in_one_folder(folder):
  """Each keeps its own cache."""
  layouts = [FakeLayout(), FakeLayout()]
  layouts[1].EXPECTED = 'something else'
  for _ in range(2):
    for layout in layouts:
      load_index('fake', folder, layout)
  assert [layout.scans for layout in layouts] == [1, 1]


def test_nowhere_to_keep_the_cache(folder, monkeypatch, capsys):
  """Said, not silent: every start scans again."""
  monkeypatch.setattr(index_module, '_write_cache', lambda *_: False)
  layout = FakeLayout()
  for _ in range(2):
    load_index('fake', folder, layout)
  assert layout.scans == 2
  assert 'index of fake cannot be saved' in capsys.readouterr().err


def rewrite(path, **changes):
  """A cache with other arrays, intact as a file."""
  with np.load(path) as content:
    arrays = dict(content)
  for name, change in changes.items():
    arrays[name] = change(arrays[name])
  np.savez(path, **{k: v for k, v in arrays.items() if v is not None})


def in_head(**values):
  return {'head': lambda head: np.asarray(
      json.dumps(json.loads(str(head)) | values))}


CHANGES = {
    'missing': lambda a: None, 'empty': lambda a: a[:0],
    'short': lambda a: a[1:], 'long': lambda a: np.concatenate([a, a]),
    'scalar': lambda a: a.ravel()[0],
    'deeper': lambda a: a[None], 'complex': lambda a: np.zeros(a.shape, 'c16'),
    'text': lambda a: np.full(a.shape, 'x'), 'flat': lambda a: a.reshape(-1, 1),
    'turned': lambda a: a[::-1], 'negative': lambda a: np.full(a.shape, -7),
    'huge': lambda a: np.full(a.shape, 2**40), 'nan': lambda a: np.full(
        a.shape, np.nan), 'bytes': lambda a: np.full(a.shape, b'../../x'),
    'flipped': lambda a: np.frombuffer(
        bytes([a.tobytes()[0] ^ 1]) + a.tobytes()[1:], a.dtype
        ).reshape(a.shape) if a.dtype.kind not in 'U' else a + 'x'}


@pytest.mark.parametrize('name', [
    'starts', 'folders', 'folder_ids', 'names', 'boxes_xywh', 'relative'])
@pytest.mark.parametrize('change', CHANGES)
def test_a_cache_that_does_not_fit_is_rebuilt(folder, name, change):
  layout = FakeLayout()
  first, _ = load_index('fake', folder, layout)
  rewrite(cache_of(folder), **{name: CHANGES[change]})
  again, _ = load_index('fake', folder, layout)
  assert contents(again) == contents(first)
  same = np.array_equal(CHANGES[change](getattr(first, name)),
                        getattr(first, name)) and change == 'turned'
  assert layout.scans == 2 or same


@pytest.mark.parametrize('change', [
    {'head': lambda a: None}, {'head': lambda a: np.zeros(3)},
    {'head': lambda a: np.asarray('[' * 100_000)},
    {'head': lambda a: np.asarray('[]')}, {'head': lambda a: a[None]},
    *(in_head(dropped=value) for value in (
        None, 3, {}, '[]', '3', '{"a": 3}', '{"a": ["x", "y"]}',
        '{"a": [1e999, "y"]}', '{"a": [-1, "y"]}', '{"a": [true, "y"]}',
        '{"a": [1, 2, 3]}', '[' * 100_000)),
    in_head(digest=None), in_head(changes=None)])
def test_a_cache_with_another_head_is_rebuilt(folder, change):
  layout = FakeLayout()
  _, dropped = load_index('fake', folder, layout)
  rewrite(cache_of(folder), **change)
  assert load_index('fake', folder, layout)[1].counts == dropped.counts
  assert layout.scans == 2


@pytest.mark.parametrize('data', [
    b'', b'x' * 100, b'PK\x03\x04', b'\x93NUMPY\x01\x00' + b'[' * 5000])
def test_a_cache_that_is_none_is_rebuilt(folder, data):
  layout = FakeLayout()
  load_index('fake', folder, layout)
  cache_of(folder).write_bytes(data)
  load_index('fake', folder, layout)
  with cache_of(folder).open('wb') as file:
    np.save(file, np.zeros(3))
  load_index('fake', folder, layout)
  assert layout.scans == 3
