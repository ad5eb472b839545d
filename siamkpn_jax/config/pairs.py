"""Settings of the training pairs: data sets and augmentation."""

import dataclasses
from pathlib import Path

from siamkpn_jax.config.section import (
  PROBABILITY,
  Range,
  Section,
  at_least,
  each,
  one_of,
  setting,
)

# A crop of a side that varies by all of it may have none.
_BELOW_ONE = Range(lambda s: 0 <= s < 1, '0 or more, below 1')
_LEAST = 1e-9  # of a ratio: they are divided by their sum


@dataclasses.dataclass(frozen=True)
class DataConfig(Section):
  """Training sets, and how pairs are sampled and loaded (SPEC 7).

  Attributes:
    sets: names of the data sets, see datasets/catalog.py.
    ratios: relative sampling frequency of each set.
    ranges: largest distance between template and search in each set, in labeled
      frames.
    root: folder that holds the sets; '' for $SIAMKPN_DATA or ./data.
    cutouts: folders in `root` that the set 'cutouts' is made from.
    negative_fraction: fraction of pairs whose search crop shows another target.
    gray_fraction: fraction of pairs converted to gray.
    loader: 'threads', 'processes' (faster on many cores) or 'tf' for tf.data;
      all give the same batches.
    workers: threads or processes of the loader; 0 for one per core.
    prefetch: number of batches to load ahead.
    cache_mb: memory for caching image files, MiB.
  """

  sets: tuple[str, ...] = ('youtube_bb', 'lasot', 'got10k', 'coco')
  ratios: tuple[float, ...] = setting(
      (4.0, 2.0, 2.0, 1.0), each(at_least(0, 1e9)))
  ranges: tuple[int, ...] = setting((3, 300, 100, 0), each(at_least(0)))
  root: str = ''
  cutouts: tuple[str, ...] = ()
  negative_fraction: float = setting(0.2, PROBABILITY)
  gray_fraction: float = setting(0.0, PROBABILITY)
  loader: str = setting('threads', one_of('threads', 'processes', 'tf'))
  workers: int = setting(0, at_least(0, 4096))
  prefetch: int = setting(4, at_least(0, 4096))
  cache_mb: int = setting(0, at_least(0, 2**24))

  def _check(self) -> None:
    if not self.sets or not (
        len(self.sets) == len(self.ratios) == len(self.ranges)):
      raise self.wrong('sets', 'at least one set, and as many data.ratios and '
                       'data.ranges as sets')
    for key in ('sets', 'cutouts'):
      for name in getattr(self, key):
        if Path(name).is_absolute() or '..' in Path(name).parts:
          raise self.wrong(key, 'the name of a folder in config.data.root: '
                           'move or link it there', name)
    if max(self.ratios) < _LEAST:
      raise self.wrong('ratios', 'numbers of 0 or more, at least one of them '
                       'positive')
    if ('cutouts' in self.sets) != bool(self.cutouts):
      raise self.wrong('cutouts', 'folders in config.data.root if '
                       "'cutouts' is in config.data.sets, else ()")


@dataclasses.dataclass(frozen=True)
class AugmentConfig(Section):
  """Augmentation of training crops (SPEC 7, docs/training.md); 0 disables.

  `padding` and the attributes after it run on the host, the others on the
  device.

  Attributes:
    template_shift: largest shift of the template crop per axis, pixels.
    template_scale: largest relative change of its side per axis.
    search_shift: as `template_shift`, for the search crop.
    search_scale: as `template_scale`, for the search crop.
    search_blur: probability of blurring the search crop.
    flip: probability of flipping both crops horizontally.
    brightness: largest offset, gray levels.
    contrast: s, for a factor of 1 / (1 + s) to 1 + s about the mean.
    gamma: s, for an exponent in the same range.
    white_balance: s, for a factor per channel in the same range.
    noise: largest standard deviation, gray levels.
    padding: probability of filling the area outside of the image with something
      else than a flat color.
    warp: probability of rotation, shear, perspective and aspect changes.
    motion_blur: probability of a blur along a line.
    occlusion: probability of covering a part of the target in the search crop.
    low_resolution: probability of simulating a target that is small in its
      image.
    jpeg: probability of recompressing the crop.
  """

  template_shift: float = setting(4.0, at_least(0, 1000))
  template_scale: float = setting(0.05, _BELOW_ONE)
  search_shift: float = setting(64.0, at_least(0, 1000))
  search_scale: float = setting(0.18, _BELOW_ONE)
  search_blur: float = setting(0.2, PROBABILITY)
  flip: float = setting(0.0, PROBABILITY)
  brightness: float = setting(0.0, at_least(0, 255))
  contrast: float = setting(0.0, at_least(0, 100))
  gamma: float = setting(0.0, at_least(0, 100))
  white_balance: float = setting(0.0, at_least(0, 100))
  noise: float = setting(0.0, at_least(0, 255))
  padding: float = setting(0.0, PROBABILITY)
  warp: float = setting(0.0, PROBABILITY)
  motion_blur: float = setting(0.0, PROBABILITY)
  occlusion: float = setting(0.0, PROBABILITY)
  low_resolution: float = setting(0.0, PROBABILITY)
  jpeg: float = setting(0.0, PROBABILITY)
