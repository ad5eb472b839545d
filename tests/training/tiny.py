"""A configuration and source small enough to train in a test."""

import cv2
import numpy as np

from siamkpn_jax.config.settings import Config
from siamkpn_jax.training.trainer import build_loader, build_step

_TINY = Config().updated(
    name='tiny',
    model={'arch': 'resnet10', 'width': 2, 'levels': ('layer2', 'layer3'),
           'channels': 4, 'num_stages': 1, 'head_sharing': 'shared'},
    data={'sets': ('blobs',), 'ratios': (1.0,), 'ranges': (5,), 'workers': 2,
          'prefetch': 1},
    augment={'search_blur': 0.0},
    train={'batch_size': 4, 'epochs': 2, 'pairs_per_epoch': 12,
           'schedule': 'cosine', 'freeze_epochs': 1, 'log_every': 1,
           'save_every': 100},
    validation={'sequences': 0})


def tiny_config(**changes):
  """A few steps of a network with a thousand parameters; see `updated`."""
  return _TINY.updated(**changes)


class BlobSource:
  """Bright ellipses on dark noise."""

  name = 'blobs'
  num_tracks = 50
  groups = None

  def num_frames(self, track: int) -> int:
    """See `Source`."""
    return 5 + track % 3

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`."""
    rng = np.random.default_rng([track, position])
    image = rng.integers(0, 90, (patch, patch, 3), np.uint8)
    wh = np.asarray([40 + track % 30, 50 + position], np.float32)
    middle = (patch // 2, patch // 2)
    axes = (int(wh[0] / 2), int(wh[1] / 2))
    cv2.ellipse(image, middle, axes, 0, 0, 360, (60, 200, 240), -1)
    return image, wh


def tiny_batch(config):
  """The first batch of a configuration, of blobs."""
  loader = build_loader(config, build_step(config), [BlobSource()])
  batches = loader.batches()
  batch = next(batches)
  batches.close()
  return batch
