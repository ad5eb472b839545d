"""How data sets lie on disk: one module, and one line below, for each."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from siamkpn_jax.datasets.formats import (
  coco,
  crop511,
  folder,
  got10k,
  imagenet_det,
  imagenet_vid,
  labeled,
  lasot,
  nfs,
  otb,
  trackingnet,
  uav123,
  youtube_bb,
)
from siamkpn_jax.datasets.formats.annotations import Found
from siamkpn_jax.datasets.tracks import Layout

LoadAnnotations = Callable[[Path], list[Found]]


@dataclasses.dataclass(frozen=True)
class DataSet:
  """What reads a data set.

  Attributes:
    train: its module, if it is trained on.
    load: reads the sequences that it is evaluated on, at least one, or raises
      `UserError`; None: it is not evaluated on.
  """

  train: Layout | None = None
  load: LoadAnnotations | None = None


# Not here: VOT, whose annotations are regions (evaluation/formats), and
# pysot_json, which stands for any of those that are evaluated on.
DATA_SETS: dict[str, DataSet] = {
    'crop511': DataSet(crop511),
    'got10k': DataSet(got10k, got10k.load),
    'lasot': DataSet(lasot, lasot.load),
    'trackingnet': DataSet(trackingnet, trackingnet.load),
    'youtube_bb': DataSet(youtube_bb),
    'coco': DataSet(coco),
    'labeled': DataSet(labeled),
    'imagenet_vid': DataSet(imagenet_vid),
    'imagenet_det': DataSet(imagenet_det),
    'otb': DataSet(load=otb.load),
    'uav123': DataSet(load=uav123.load),
    'nfs': DataSet(load=nfs.load),
    'nfs240': DataSet(load=functools.partial(nfs.load, rate=240)),
    'folder': DataSet(folder, folder.load),
}

# Those that are trained on, and those that are evaluated on.
LAYOUTS: dict[str, Layout] = {
    name: data.train for name, data in DATA_SETS.items() if data.train}
BENCHMARKS: dict[str, LoadAnnotations] = {
    name: data.load for name, data in DATA_SETS.items() if data.load}


def has_otb_layout(benchmark: str) -> bool:
  """Whether it lies on disk as OTB does; such files may count from 0, too."""
  return BENCHMARKS.get(benchmark) is otb.load
