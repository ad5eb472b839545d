"""Finding the training sets, and saying what is missing."""

import json

import numpy as np
import pytest

from siamkpn_jax.config.settings import DataConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog
from tests.datasets.fakes import open_one


def write_set(root, name):
  (root / name / 'a').mkdir(parents=True)
  (root / name / 'a' / '000001.00.x.jpg').write_bytes(b'x')
  (root / name / 'train.json').write_text(
      json.dumps({'a': {'00': {'1': [0, 0, 9, 9]}}}))


def test_sampling_of_the_paper():
  """SPEC 7's sets, ratios and ranges."""
  config = DataConfig()
  assert config.sets == ('youtube_bb', 'lasot', 'got10k', 'coco')
  assert (config.ratios, config.ranges) == ((4, 2, 2, 1), (3, 300, 100, 0))
  assert (config.negative_fraction, config.gray_fraction) == (0.2, 0.0)


@pytest.mark.parametrize('by_variable', [False, True])
def test_opens_in_order(tmp_path, monkeypatch, by_variable):
  for name in ('one', 'two'):
    write_set(tmp_path, name)
  monkeypatch.setenv(
      catalog.ROOT_VARIABLE, str(tmp_path if by_variable else '/nowhere'))
  config = DataConfig(sets=('two', 'synthetic', 'one'), ratios=(1.0,) * 3,
                      ranges=(1, 1, 1),
                      root='' if by_variable else str(tmp_path))
  found = catalog.open_sources(config, 0)
  assert [s.name for s in found] == ['two', 'synthetic', 'one']


def test_missing_sets_are_all_named(tmp_path):
  """With their places, the ways to point there, and the hint."""
  write_set(tmp_path, 'lasot')
  with pytest.raises(UserError) as info:
    catalog.open_sources(DataConfig(root=str(tmp_path)), 0)
  message = str(info.value)
  for name in ('youtube_bb', 'got10k', 'coco'):
    assert f'{name} ({tmp_path / name})' in message
  assert 'lasot' not in message
  for part in ('--config.data.root', 'SIAMKPN_DATA', catalog.WITHOUT_DOWNLOAD):
    assert part in message
  assert '\n' not in message


def test_kinds(tmp_path):
  """One's own videos may be numbered like LaSOT's."""
  for video in ('clip-1', 'clip-2', 'airplane-1'):
    (tmp_path / 'mine' / video).mkdir(parents=True)
    (tmp_path / 'mine' / video / 'groundtruth.txt').write_text('1,1,5,5')
    (tmp_path / 'mine' / video / '1.jpg').write_bytes(b'x')
  (tmp_path / 'folder_mine').symlink_to(tmp_path / 'mine')
  assert catalog.find_kind('folder_mine', tmp_path / 'folder_mine') == 'folder'
  (tmp_path / 'mine' / 'airplane-1').rename(tmp_path / 'elsewhere')
  assert catalog.find_kind('mine', tmp_path / 'mine') == 'folder'
  assert catalog.find_kind('none', tmp_path / 'none') == ''


def test_crops_that_are_not_there(tmp_path):
  """Annotations alone are no training set."""
  write_set(tmp_path, 'one')
  (tmp_path / 'one' / 'a' / '000001.00.x.jpg').unlink()
  with pytest.raises(UserError, match='no usable frame.*image missing'):
    open_one(tmp_path / 'one')


class Tracks:
  """A source of tracks with these numbers of frames and target widths."""

  name, kind = 'set', 'fake'

  def __init__(self, lengths, widths):
    self.num_tracks, self.total_frames = len(lengths), sum(lengths)
    self.lengths, self.widths = lengths, widths

  def num_frames(self, track):
    return self.lengths[track]

  def read(self, track, position, patch):
    if not self.widths[track]:
      raise UserError('damaged')
    return np.zeros((patch, patch, 3), 'u1'), np.float32(
        [self.widths[track], 5])


def test_fingerprint_tells_data_apart():
  """Another length, order or kind; not an image that cannot be read."""
  same = lambda *args: catalog.fingerprint([Tracks(*args)])
  lengths, widths = [3, 4, 5], [10, 0, 30]
  (mark,) = same(lengths, widths)
  assert mark.startswith('set: fake, 3 tracks, 12 frames, sample ')
  assert same(lengths, widths) == [mark]
  others = [same([4, 3, 5], widths), same([3, 3, 6], widths),
            same(lengths, [30, 0, 10]), same(lengths, [10, 0, 31])]
  assert len({mark, *(other for (other,) in others)}) == 5
