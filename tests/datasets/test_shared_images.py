"""Tracks of one video are told by the images that they have in common."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from siamkpn_jax.datasets.index import build_index
from siamkpn_jax.datasets.shared_images import groups_of
from siamkpn_jax.datasets.tracks import Dropped, RawTrack


def groups(*tracks):
  """Of tracks, each a list of images as (folder, name)."""
  frames = [frame for track in tracks for frame in track]
  return groups_of(
      np.cumsum([0, *map(len, tracks)]),
      np.array([folder for folder, _ in frames], np.int32),
      np.array([name for _, name in frames], bytes)).tolist()


def test_tracks_with_an_image_in_common_are_joined():
  assert groups([(0, '1'), (0, '2')], [(0, '2'), (0, '3')]) == [0, 0]


def test_one_folder_alone_joins_nothing():
  """As COCO's, in which every image is another scene."""
  assert groups([(0, '1')], [(0, '2')], [(0, '1')]) == [0, 1, 0]


def test_the_same_name_in_another_folder_is_another_image():
  assert groups([(0, '1')], [(1, '1')], [(0, '1')], [(1, '1')]) == [0, 1, 0, 1]


def test_a_chain_is_one_video():
  """Also against the order of the tracks."""
  chain = [[(0, f'{k}'), (0, f'{k + 1}')] for k in range(30)]
  assert groups(*chain) == groups(*chain[::-1]) == [0] * 30


@pytest.mark.parametrize('seed', range(3))
def test_a_long_chain_in_any_order_takes_few_rounds(seed, monkeypatch):
  """As tracks that follow each other in a long video."""
  count = 3000
  order = np.random.default_rng(seed).permutation(count)
  links = np.stack([order, order + 1], axis=1)
  rounds, equal = [], np.array_equal
  monkeypatch.setattr(np, 'array_equal', lambda a, b: (
      rounds.append(1), equal(a, b))[1])
  found = groups_of(np.arange(0, 2 * count + 1, 2),
                    np.zeros(2 * count, np.int32),
                    links.ravel().astype(bytes))
  assert not found.any() and len(rounds) < 40


@pytest.mark.parametrize('seed', range(20))
def test_as_the_components_of_a_graph(seed):
  rng = np.random.default_rng(seed)
  lengths = rng.integers(1, 6, 40)
  starts = np.cumsum([0, *lengths])
  folders = np.repeat(rng.integers(0, 8, 40), lengths)
  names = rng.integers(0, 30, starts[-1])
  found = groups_of(starts, folders.astype(np.int32), names.astype(bytes))
  tracks = np.repeat(np.arange(40), lengths)
  images = 40 + folders * 30 + names
  _, expected = connected_components(coo_matrix(
      (np.ones(len(tracks)), (tracks, images)), shape=(40 + 240,) * 2), False)
  expected = expected[:40]
  assert (found[:, None] == found).tolist() == (
      expected[:, None] == expected).tolist()
  assert 1 < len(set(expected)) < 40


def test_of_usable_frames_alone(tmp_path):
  """An image that is missing joins nothing."""
  for name in 'ab':
    (tmp_path / f'{name}.jpg').touch()
  track = lambda *names: RawTrack(
      names[0], [f'{name}.jpg' for name in names],
      np.full((len(names), 4), 10.0), np.zeros(len(names), bool))
  index = build_index(iter([track('a', 'gone'), track('b', 'gone'),
                            track('a')]), tmp_path, Dropped())
  assert index.groups.tolist() == [0, 1, 0]
