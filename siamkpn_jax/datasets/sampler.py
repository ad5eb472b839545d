"""Which pair is number i: a pure function of the seed and i (SPEC 7).

So the data are the same on any number of hosts and threads, and resuming needs
no state but the number of the next pair.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from siamkpn_jax.config.settings import DataConfig
from siamkpn_jax.datasets.source import Source


@dataclasses.dataclass(frozen=True)
class Frame:
  """A labeled frame: which source, which track, which of its frames."""

  source: int
  track: int
  position: int


@dataclasses.dataclass(frozen=True)
class Pair:
  """A training example before it is read.

  Attributes:
    template: where the target is shown.
    search: where it is to be found.
    negative: `search` shows another target.
    gray: both crops lose their color.
  """

  template: Frame
  search: Frame
  negative: bool
  gray: bool


def sample(sources: Sequence[Source], config: DataConfig, seed: int,
           index: int, attempt: int = 0) -> Pair:
  """Pair number `index` of the endless sequence that `seed` defines.

  Attempts 1 and up are the pairs that stand in where one cannot be read.
  """
  rng = np.random.Generator(np.random.Philox(
      key=[seed, index], counter=[0, 0, 0, attempt]))
  negative = bool(rng.random() < config.negative_fraction and
                  _several_targets(sources, config))
  gray = bool(rng.random() < config.gray_fraction)
  template = _random_frame(rng, sources, config)
  if negative:
    search = _random_frame(rng, sources, config)
    while _maybe_same_target(sources, search, template):
      search = _random_frame(rng, sources, config)
  else:
    reach = config.ranges[template.source]
    last = sources[template.source].num_frames(template.track) - 1
    low = max(template.position - reach, 0)
    high = min(template.position + reach, last)
    search = dataclasses.replace(
        template, position=int(rng.integers(low, high + 1)))
  return Pair(template, search, negative, gray)


def _maybe_same_target(sources: Sequence[Source], a: Frame, b: Frame) -> bool:
  """Whether they are of one track, or of one video with several tracks."""
  if a.source != b.source:
    return False
  groups = sources[a.source].groups
  if groups is None:
    return a.track == b.track
  return bool(groups[a.track] == groups[b.track])


def _several_targets(sources: Sequence[Source],
                     config: DataConfig) -> bool:
  """Whether there is certainly another target to draw."""
  drawn = [source for source, ratio in
           zip(sources, config.ratios, strict=True) if ratio > 0]
  if len(drawn) > 1:
    return True
  groups = drawn[0].groups
  if groups is None:
    return drawn[0].num_tracks > 1
  return bool((groups != groups[0]).any())


def _random_frame(rng: np.random.Generator, sources: Sequence[Source],
                  config: DataConfig) -> Frame:
  # As Generator.choice with probabilities, which checks them every time.
  limits = np.cumsum(config.ratios)
  source = int(np.searchsorted(limits / limits[-1], rng.random(), 'right'))
  track = int(rng.integers(sources[source].num_tracks))
  position = int(rng.integers(sources[source].num_frames(track)))
  return Frame(source, track, position)
