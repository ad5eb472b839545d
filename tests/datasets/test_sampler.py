"""Pairs: a pure function with the fractions of SPEC 7."""

import collections

import numpy as np
import pytest

from siamkpn_jax.datasets.sampler import sample
from tests.datasets.fakes import FakeSource, drawn

SOURCES = [FakeSource(0, [50, 1, 20]), FakeSource(1, [400] * 7),
           FakeSource(2, [1] * 200)]
CONFIG = drawn((4.0, 2.0, 1.0), (3, 30, 0), 0.2, 0.3)
COUNT = 6000


@pytest.fixture(scope='module')
def pairs():
  return [sample(SOURCES, CONFIG, 7, i) for i in range(COUNT)]


def assert_fraction(flags, expected):
  """Within four standard deviations of a binomial."""
  flags = np.asarray(list(flags))
  bound = 4 * np.sqrt(expected * (1 - expected) / len(flags))
  assert abs(flags.mean() - expected) < bound


def test_fractions(pairs):
  """Sources 4 : 2 : 1, a fifth negative, the set share gray, independently."""
  for k, ratio in enumerate(CONFIG.ratios):
    assert_fraction((p.template.source == k for p in pairs), ratio / 7)
  assert_fraction((p.negative for p in pairs), 0.2)
  assert_fraction((p.gray for p in pairs), 0.3)
  assert_fraction((p.gray and p.negative for p in pairs), 0.06)


def test_positives_are_near_and_of_one_track(pairs):
  """Distances fill the range of each source, and never leave it."""
  distances = collections.defaultdict(set)
  for pair in pairs:
    a, b = pair.template, pair.search
    if pair.negative:
      continue
    assert (a.source, a.track) == (b.source, b.track)
    assert 0 <= b.position < SOURCES[a.source].num_frames(a.track)
    distances[a.source].add(b.position - a.position)
  assert distances[0] == set(range(-3, 4))
  assert distances[1] == set(range(-30, 31))
  assert distances[2] == {0}


def test_negatives_are_from_anywhere(pairs):
  """From every source and every track."""
  negatives = [p for p in pairs if p.negative]
  assert {p.search.source for p in negatives} == {0, 1, 2}
  assert {p.search.track for p in negatives if p.search.source == 1} == set(
      range(7))
  same = [p.template.source == p.search.source for p in negatives]
  assert 0.2 < np.mean(same) < 0.7


def test_uniform_tracks_and_positions(pairs):
  """Every track equally often, whatever its length; every frame too."""
  tracks = [p.template.track for p in pairs if p.template.source == 0]
  for track in range(3):
    assert_fraction((t == track for t in tracks), 1 / 3)
  positions = [p.template.position / 400 for p in pairs
               if p.template.source == 1]
  counts, _ = np.histogram(positions, 4, (0, 1))
  np.testing.assert_allclose(counts / len(positions), 0.25, atol=0.05)


def test_pure(pairs):
  """Number and seed decide alone, in any order."""
  for i in (5999, 3, 17, 3):
    assert sample(SOURCES, CONFIG, 7, i) == pairs[i]
  others = [sample(SOURCES, CONFIG, 8, i) for i in range(50)]
  assert sum(a == b for a, b in zip(others, pairs, strict=False)) < 10
  assert len(set(pairs[:100])) > 80


def test_extremes():
  """All or none negative; a ratio of 0 is never drawn."""
  never = drawn((1.0, 0.0, 0.0), (3, 3, 3), 0.0, 0.0)
  always = drawn((0.0, 0.0, 1.0), (3, 3, 3), 1.0, 1.0)
  for i in range(50):
    pair = sample(SOURCES, never, 0, i)
    assert not pair.negative and not pair.gray and pair.template.source == 0
    pair = sample(SOURCES, always, 0, i)
    assert pair.negative and pair.gray and pair.template.source == 2


class Videos(FakeSource):
  """Tracks of videos, two and more in each."""

  def __init__(self, number, groups):
    super().__init__(number, [4] * len(groups))
    self.groups = np.array(groups)


def test_negatives_are_of_another_video():
  """Every other video's tracks, none of the same one's."""
  videos = Videos(0, [0, 0, 1, 2, 1, 0])
  config = drawn((1.0,), (3,), 1.0, 0.0)
  found = {(p.template.track, p.search.track)
           for p in (sample([videos], config, 0, i) for i in range(1500))}
  expected = {(a, b) for a in range(6) for b in range(6)
              if videos.groups[a] != videos.groups[b]}
  assert found == expected


def test_one_video_alone_has_no_negatives():
  """Nor does it hang; beside another source it has."""
  one = Videos(0, [5, 5, 5])
  always = drawn((1.0,), (3,), 1.0, 0.0)
  assert not any(sample([one], always, 0, i).negative for i in range(20))
  two = drawn((1.0, 1.0), (3, 3), 1.0, 0.0)
  for i in range(100):
    pair = sample([one, FakeSource(1, [3])], two, 0, i)
    assert pair.negative and pair.template.source != pair.search.source


def test_a_video_per_track_is_as_no_groups():
  """The same random numbers, hence the same pairs."""
  config = drawn((1.0,), (3,), 0.5, 0.3)
  plain = FakeSource(0, [4] * 5)
  for source in (Videos(0, range(5)), Videos(0, range(5))):
    assert all(sample([source], config, 1, i) == sample([plain], config, 1, i)
               for i in range(300))
