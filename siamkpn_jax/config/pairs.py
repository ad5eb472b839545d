"""Settings of the training pairs: where they come from, how they vary."""

import dataclasses
from pathlib import Path

from siamkpn_jax.config.section import (
  PROBABILITY,
  Section,
  at_least,
  one_of,
  setting,
)


@dataclasses.dataclass(frozen=True)
class DataConfig(Section):
  """The training sets, and how pairs are drawn from them and read (SPEC 7).

  Attributes:
    sets: names, see datasets/catalog.py.
    ratios: how often each is drawn.
    ranges: how many labeled frames may lie between template and search, for
      each.
    root: folder that holds the sets; '' for $SIAMKPN_DATA or ./data.
    cutouts: folders below it that the set 'cutouts' is made of.
    negative_fraction: of pairs with another target in the search crop.
    gray_fraction: of pairs without color.
    loader: 'threads', or 'tf': the same batches by tf.data.
    workers: reading threads; 0 for one per core.
    prefetch: batches that are read ahead.
    cache_mb: image files that are kept in memory once read, MiB.
  """

  sets: tuple[str, ...] = ('youtube_bb', 'lasot', 'got10k', 'coco')
  ratios: tuple[float, ...] = (4.0, 2.0, 2.0, 1.0)
  ranges: tuple[int, ...] = (3, 300, 100, 0)
  root: str = ''
  cutouts: tuple[str, ...] = ()
  negative_fraction: float = setting(0.2, PROBABILITY)
  gray_fraction: float = setting(0.0, PROBABILITY)
  loader: str = setting('threads', one_of('threads', 'tf'))
  workers: int = setting(0, at_least(0))
  prefetch: int = setting(4, at_least(0))
  cache_mb: int = setting(0, at_least(0))

  def _check(self) -> None:
    if not self.sets or not (
        len(self.sets) == len(self.ratios) == len(self.ranges)):
      raise self.wrong('sets', 'at least one set, with as many data.ratios and '
                       'data.ranges')
    for key in ('sets', 'cutouts'):
      for name in getattr(self, key):
        if Path(name).is_absolute() or '..' in Path(name).parts:
          raise self.wrong(key, 'the name of a folder below config.data.root: '
                           'link it there', name)
    if min(self.ratios) < 0 or max(self.ratios) <= 0:
      raise self.wrong('ratios', 'none negative, one positive')
    if min(self.ranges) < 0:
      raise self.wrong('ranges', 'numbers of frames')
    if ('cutouts' in self.sets) != bool(self.cutouts):
      raise self.wrong('cutouts', 'folders below data.root if '
                       "'cutouts' is in data.sets, else ()")


@dataclasses.dataclass(frozen=True)
class AugmentConfig(Section):
  """How training crops vary (SPEC 7, docs/training.md); 0 leaves a step out.

  Attributes:
    template_shift: largest displacement per axis, pixels of the patch.
    template_scale: largest relative change of the window's side, per axis.
    search_shift: as `template_shift`, of the search crop.
    search_scale: as `template_scale`, of the search crop.
    search_blur: probability of blurring the search crop.
    flip: probability of exchanging left and right, in both crops.
    brightness: largest offset, gray levels.
    contrast: s: a factor of 1 / (1 + s) to 1 + s, about the mean.
    gamma: s: an exponent in the same range.
    white_balance: s: a factor in the same range for each channel.
    noise: largest standard deviation, gray levels.
    padding: probability that the flat border outside of the image is filled
      otherwise; this and what follows on the host, all else on the device.
    warp: probability of rotation, shear, perspective, another aspect.
    motion_blur: probability of a blur along a line.
    occlusion: probability that something covers a part of the target, in the
      search region only.
    low_resolution: probability of the looks of a target that is small in its
      image.
    jpeg: probability of compressing once more.
  """

  template_shift: float = setting(4.0, at_least(0))
  template_scale: float = setting(0.05, at_least(0))
  search_shift: float = setting(64.0, at_least(0))
  search_scale: float = setting(0.18, at_least(0))
  search_blur: float = setting(0.2, PROBABILITY)
  flip: float = setting(0.0, PROBABILITY)
  brightness: float = setting(0.0, at_least(0))
  contrast: float = setting(0.0, at_least(0))
  gamma: float = setting(0.0, at_least(0))
  white_balance: float = setting(0.0, at_least(0))
  noise: float = setting(0.0, at_least(0))
  padding: float = setting(0.0, PROBABILITY)
  warp: float = setting(0.0, PROBABILITY)
  motion_blur: float = setting(0.0, PROBABILITY)
  occlusion: float = setting(0.0, PROBABILITY)
  low_resolution: float = setting(0.0, PROBABILITY)
  jpeg: float = setting(0.0, PROBABILITY)
